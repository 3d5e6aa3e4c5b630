"""Batches of an epoch: which faces, in which order, as slices of the pack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from lrface.data.pack.loaders import batches, epoch_order
from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError
from lrface.images.augmentation import AugmentationDraw, augment
from lrface.images.ranges import to_float
from lrface.images.stored import Locality
from lrface.training.processes import Processes


@dataclass(frozen=True)
class Batch:
    """Faces of one step, or of several processes the part that this one works on.

    Attributes:
        faces: Stored faces.
        rows: Rows in the pack of the whole batch.
        labels: Their people, numbered within the training; -1 where people do not matter.
        step: Number of the batch in its epoch, from 0.
        part: Which places of the batch `faces` and `labels` are.
        others: Stored faces of the whole batch, where some of it are needed elsewhere than in their own process.
        vlr: Real VLR images of the same faces, where the pack has them.
    """

    faces: UInt8[Tensor, "n 112 112 3"]
    rows: Int64[Tensor, " m"]
    labels: Int64[Tensor, " n"]
    step: int
    part: slice
    others: UInt8[Tensor, "m 112 112 3"] | None = None
    vlr: UInt8[Tensor, "n s s 3"] | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        others, vlr = (None if images is None else images.to(device) for images in (self.others, self.vlr))
        return replace(self, faces=self.faces.to(device), labels=self.labels.to(device), others=others, vlr=vlr)


def augmented_by(batch: Batch, draw: AugmentationDraw) -> Float[Tensor, "n 3 112 112"]:
    """HR faces of a batch, in [0, 1], augmented by the draw of its own part."""
    return augment(to_float(batch.faces), draw, None if batch.others is None else to_float(batch.others))


def shared_order(
    groups: Sequence[Int64[np.ndarray, " n"]],
    shares: Sequence[float],
    count: int,
    seed: int,
    epoch: int,
    locality: Locality | None = None,
) -> Int64[np.ndarray, " m"]:
    """The rows of an epoch out of several groups, a function of its arguments alone.

    Args:
        groups: Rows of each source.
        shares: How much of an epoch each source gets; they need not sum to one.
        count: Faces in an epoch; 0 takes every row once of every group that has a share, however large.
        seed: Seed of the training.
        epoch: Number of the epoch, from 0.
        locality: As `epoch_order` takes it.

    Raises:
        ConfigError: There are no rows, or no share for those that there are.
    """
    whole = sum(share for rows, share in zip(groups, shares, strict=True) if len(rows))
    if not any(len(rows) for rows in groups) or (count and whole <= 0):
        raise ConfigError(
            "faces of an epoch",
            got=f"groups of {[len(rows) for rows in groups]} with shares {list(shares)}, so no faces",
            expected="a group with faces and a share",
            remedy="give faces, or a share to a group that has some",
        )
    if count == 0:
        every = [rows for rows, share in zip(groups, shares, strict=True) if share > 0 or whole <= 0]
        return epoch_order(np.concatenate(every), seed, epoch, locality=locality)
    chosen = [
        _many(rows, round(count * share / whole), seed, epoch, locality)
        for rows, share in zip(groups, shares, strict=True)
        if len(rows)
    ]
    return epoch_order(np.concatenate(chosen), seed, epoch, locality=locality)


def _many(
    rows: Int64[np.ndarray, " n"], count: int, seed: int, epoch: int, locality: Locality | None
) -> Int64[np.ndarray, " count"]:
    """The next `count` rows of an endless walk, each round of which visits every row once."""
    start = epoch * count
    first, last = start // len(rows), -(-(start + count) // len(rows))
    walk = np.concatenate(
        [epoch_order(rows, seed, turn, locality=locality) for turn in range(first, max(last, first + 1))]
    )
    skipped = start - first * len(rows)
    return walk[skipped : skipped + count]


class EpochSource:
    """An iterable of batches which Lightning walks once an epoch.

    Args:
        pack: The faces.
        order: Rows of an epoch by its number.
        labels: Person by row.
        batch_size: Faces in a batch; a last batch with fewer is left out unless it is the only one.
        epoch: Tells the number of the current epoch.
        processes: Those that share each batch.
        mixes: Whether faces of a batch are mixed with each other, so that each process needs all of them.

    Raises:
        ConfigError: An epoch has no faces, or a batch cannot be shared out evenly.
    """

    def __init__(
        self,
        pack: Pack,
        order: Callable[[int], Int64[np.ndarray, " m"]],
        labels: Mapping[int, int],
        batch_size: int,
        epoch: Callable[[], int],
        processes: Processes | None = None,
        *,
        mixes: bool = False,
    ) -> None:
        self._pack = pack
        self._order = order
        self._labels = labels
        self._epoch = epoch
        count = len(order(0))
        self._size = min(batch_size, count)
        if not count:
            raise ConfigError(
                "faces of an epoch", got="no faces", expected="one or more", remedy="raise images_per_epoch"
            )
        self._steps = count // self._size
        self._part = (processes or Processes()).part(self._size)
        self._whole = mixes and self._part != slice(0, self._size)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._steps

    @property
    def faces(self) -> int:
        """Number of faces in an epoch."""
        return self._steps * self._size

    def labels_of(self, rows: Int64[Tensor, " m"] | Int64[np.ndarray, " m"]) -> Int64[Tensor, " m"]:
        """Person of each row; -1 where people do not matter."""
        return torch.tensor([self._labels.get(int(row), -1) for row in rows])

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the current epoch."""
        order = self._order(self._epoch())
        drawn = order[: self._steps * self._size].reshape(self._steps, self._size)
        read = drawn if self._whole else drawn[:, self._part]
        for step, (_, faces) in enumerate(batches(self._pack, read.reshape(-1), read.shape[1], drop_last=True)):
            rows = drawn[step]
            vlr = None if self._pack.vlr is None else torch.from_numpy(self._pack.vlr_batch(rows[self._part]))
            yield Batch(
                faces=faces[self._part] if self._whole else faces,
                rows=torch.from_numpy(rows),
                labels=self.labels_of(rows[self._part]),
                step=step,
                part=self._part,
                others=faces if self._whole else None,
                vlr=vlr,
            )
