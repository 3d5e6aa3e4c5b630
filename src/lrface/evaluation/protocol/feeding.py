"""Stored faces on their way to the networks: read ahead, sent as bytes, in large batches on a GPU."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lrface.images.ranges import to_float
from lrface.images.stored import StoredFaces
from lrface.models.chunks import CHUNK, in_chunks


def batch_on(device: torch.device | str, batch: int) -> int:
    """Faces per batch: as asked for on a CPU, and at least so many as keep it busy on a GPU."""
    return max(batch, CHUNK) if torch.device(device).type == "cuda" else batch


def fed(
    faces: StoredFaces, rows: Sequence[int] | Int64[np.ndarray, " n"], batch: int, device: torch.device | str
) -> Iterator[tuple[Int64[np.ndarray, " k"], Float[Tensor, "k 3 112 112"]]]:
    """Batches of HR faces, the next one read while the present one is worked on.

    Args:
        faces: Stored faces.
        rows: Which of them.
        batch: Faces per batch.
        device: Where they are wanted.

    Yields:
        Row numbers, and the faces in [0, 1].
    """
    place = torch.device(device)
    chosen = [np.asarray(rows[start : start + batch], dtype=np.int64) for start in range(0, len(rows), batch)]

    def read(part: np.ndarray) -> Tensor:
        stored = torch.from_numpy(np.require(faces[part], requirements=("C", "W")))
        return stored.pin_memory() if place.type == "cuda" else stored

    with ThreadPoolExecutor(1, thread_name_prefix="faces") as reader:
        waiting: list[Future[Tensor]] = [reader.submit(read, part) for part in chosen[:1]]
        for number, part in enumerate(chosen):
            stored = waiting.pop().result()
            if number + 1 < len(chosen):
                waiting.append(reader.submit(read, chosen[number + 1]))
            yield part, to_float(stored, place)


def shown_to(call: Callable[[Tensor], Tensor], images: Tensor, batch: int) -> Tensor:
    """What a network gives for a batch, which on a GPU is filled up to `batch` faces."""
    return in_chunks(call, images, size=batch)
