"""Real VLR images in training: pairs of a small and a large photograph, in place of a face that was made small.

A pair stays a pair only under what is done to both alike, so these faces are mirrored and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from lrface.images.degradation.degradation import SmallFaces, small_faces
from lrface.images.ranges import to_float
from lrface.training.batches.source import Batch


@dataclass(frozen=True)
class RealSmall:
    """Those faces of a batch that are seen in their real VLR image.

    Attributes:
        places: Where in the batch they are.
        hr: Their HR faces, in [0, 1].
        small: Their VLR images.
    """

    places: Int64[Tensor, " k"]
    hr: Float[Tensor, "k 3 112 112"]
    small: SmallFaces

    def put_hr(self, images: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n 3 112 112"]:
        """The batch with the HR faces of the pairs in their places."""
        return images.index_copy(0, self.places, self.hr) if len(self.places) else images

    def put_small(self, small: SmallFaces) -> SmallFaces:
        """The batch of small faces with the real ones in their places."""
        if not len(self.places):
            return small
        return SmallFaces(
            enlarged=small.enlarged.index_copy(0, self.places, self.small.enlarged),
            size=small.size.index_copy(0, self.places, self.small.size),
        )

    def take(self, rows: Int64[Tensor, " m"]) -> Self:
        """The pairs among some faces of the batch, each at its place among these."""
        if not len(self.places):
            return self
        where = (rows[:, None] == self.places).nonzero()
        kept = where[:, 1]
        small = SmallFaces(self.small.enlarged[kept], self.small.size[kept])
        return replace(self, places=where[:, 0], hr=self.hr[kept], small=small)


@dataclass(frozen=True)
class RealDraw:
    """Which faces of a batch are seen in their real VLR image, and which of these in a mirror."""

    chosen: Bool[Tensor, " m"]
    mirrored: Bool[Tensor, " m"]

    def take(self, part: slice) -> Self:
        """The draw of some of its faces."""
        return replace(self, chosen=self.chosen[part], mirrored=self.mirrored[part])

    @classmethod
    def joined(cls, draws: "Sequence[RealDraw | None]") -> "RealDraw | None":
        """The draws of several batches as that of all their faces."""
        given = [draw for draw in draws if draw is not None]
        if not given:
            return None
        return cls(torch.cat([draw.chosen for draw in given]), torch.cat([draw.mirrored for draw in given]))


def draw_pairs(batch: Batch, share: float, generator: torch.Generator) -> RealDraw | None:
    """Draw which faces of a whole batch are seen in their real VLR image; none where the pack has no such images.

    Args:
        batch: The faces.
        share: Probability of each.
        generator: On the CPU. Nothing is drawn from it where there are no VLR images.
    """
    if batch.vlr is None or not share:
        return None
    chosen = torch.rand(len(batch.rows), generator=generator) < share
    return RealDraw(chosen, torch.rand(len(batch.rows), generator=generator) < 0.5)


def pairs(batch: Batch, draw: RealDraw | None) -> RealSmall:
    """The faces of a batch that are seen in their real VLR image.

    Args:
        batch: The faces, on the device of the training.
        draw: The draw for these.

    Raises:
        ConfigError: The VLR images are not 8 to 32 pixels.
    """
    if batch.vlr is None or draw is None:
        none = torch.zeros(0, dtype=torch.int64, device=batch.faces.device)
        empty = torch.zeros(0, 3, 112, 112, device=batch.faces.device)
        return RealSmall(none, empty, SmallFaces(empty, none))
    places = draw.chosen.nonzero().squeeze(1).to(batch.faces.device)
    flip = draw.mirrored.to(places.device)[places].view(-1, 1, 1, 1)
    hr, vlr = (to_float(images[places]) for images in (batch.faces, batch.vlr))
    vlr = torch.where(flip, vlr.flip(-1), vlr)
    return RealSmall(places, torch.where(flip, hr.flip(-1), hr), small_faces(vlr))
