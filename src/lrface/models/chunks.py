"""Frozen networks on a GPU in chunks of one size."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

CHUNK = 512
"""Faces of a chunk; a GPU chooses its kernels anew for every other shape, which takes longer than the spare faces."""

Output = TypeVar("Output", Tensor, list[Tensor])


def in_chunks(call: Callable[..., Output], *inputs: Tensor, size: int = CHUNK) -> Output:
    """What `call` gives for the rows of its inputs.

    On a CPU all rows at once. On a GPU chunks of `size` rows, the last one filled up with its first row: no row depends
    on another, since the networks have no batch norm.

    Args:
        call: A frozen network; it gives a tensor with a row for each row of the inputs, or a list of such tensors.
        inputs: Tensors with as many rows each; one or more rows.
        size: Rows of a chunk.
    """
    return chunked(call, *inputs, size=size) if inputs[0].device.type == "cuda" else call(*inputs)


def chunked(call: Callable[..., Output], *inputs: Tensor, size: int) -> Output:
    """As `in_chunks` does on a GPU."""
    count, parts = len(inputs[0]), []
    for start in range(0, count, size):
        chunk = [_filled(tensor[start : start + size], size) for tensor in inputs]
        parts.append(call(*chunk))
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)[:count]
    return [torch.cat(same)[:count] for same in zip(*parts, strict=True)]


def _filled(rows: Tensor, size: int) -> Tensor:
    missing = size - len(rows)
    return rows if not missing else torch.cat([rows, rows[:1].expand(missing, *rows.shape[1:])])
