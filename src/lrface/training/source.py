"""Batches of an epoch: which faces, in which order, as slices of the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Faces of one step.

    Attributes:
        faces: Stored faces.
        rows: Their rows in the pack.
        labels: Their people, numbered within the training; -1 where people do not matter.
        step: Number of the batch in its epoch, from 0.
    """

    faces: UInt8[Tensor, "n 112 112 3"]
    rows: Int64[Tensor, " n"]
    labels: Int64[Tensor, " n"]
    step: int


def epoch_order(
    groups: Sequence[Int64[np.ndarray, " n"]], shares: Sequence[float], count: int, seed: int, epoch: int
) -> Int64[np.ndarray, " m"]:
    """The rows of an epoch, a function of (seed, epoch) alone, so that a resumed training sees the same.

    Args:
        groups: Rows of each source.
        shares: How much of an epoch each source gets; they need not sum to one.
        count: Faces in an epoch; 0 takes every row of every group once, whatever the shares.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
    """
    generator = np.random.default_rng((seed, epoch))
    if count == 0:
        return generator.permutation(np.concatenate(groups))
    whole = sum(share for rows, share in zip(groups, shares, strict=True) if len(rows))
    chosen: list[Int64[np.ndarray, " k"]] = []
    for rows, share in zip(groups, shares, strict=True):
        wanted = round(count * share / whole) if len(rows) else 0
        rounds = [generator.permutation(rows) for _ in range(-(-wanted // max(1, len(rows))))]
        if rounds:
            chosen.append(np.concatenate(rounds)[:wanted])
    return generator.permutation(np.concatenate(chosen))


class EpochSource:
    """An iterable of batches which Lightning walks once an epoch.

    Args:
        faces: All faces of the pack, memory-mapped.
        order: Rows of an epoch by its number.
        labels: Person by row.
        batch_size: Faces in a batch; a last batch with fewer is left out unless it is the only one.
        epoch: Tells the number of the current epoch.
    """

    def __init__(
        self,
        faces: UInt8[np.ndarray, "n 112 112 3"],
        order: Callable[[int], Int64[np.ndarray, " m"]],
        labels: Mapping[int, int],
        batch_size: int,
        epoch: Callable[[], int],
    ) -> None:
        self._faces = faces
        self._order = order
        self._labels = labels
        self._batch_size = batch_size
        self._epoch = epoch
        count = len(order(0))
        self._size = min(batch_size, count)
        self._steps = count // self._size if self._size else 0

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the current epoch."""
        order = self._order(self._epoch())
        for step in range(self._steps):
            rows = order[step * self._size : (step + 1) * self._size]
            yield Batch(
                faces=read_faces(self._faces, rows),
                rows=torch.from_numpy(rows),
                labels=torch.tensor([self._labels.get(int(row), -1) for row in rows]),
                step=step,
            )


def read_faces(faces: UInt8[np.ndarray, "n 112 112 3"], rows: Int64[np.ndarray, " m"]) -> UInt8[Tensor, "m 112 112 3"]:
    """Rows of the memory map as a tensor, in the order asked for, read in the order of the file."""
    by_place = np.argsort(rows, kind="stable")
    read = np.empty((len(rows), *faces.shape[1:]), dtype=np.uint8)
    read[by_place] = faces[rows[by_place]]
    return torch.from_numpy(read)
