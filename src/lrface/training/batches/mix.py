"""What a batch of a recogniser's training is made of: SR faces, bicubic ones, HR ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from lrface.images.degradation.degradation import DegradationDraw, SmallFaces, degrade, draw_degradation
from lrface.images.settings import DegradationSettings
from lrface.models.chunks import in_chunks
from lrface.training.batches.real import RealSmall
from lrface.training.settings import MixSettings

Restorer = Callable[[SmallFaces], Float[Tensor, "n 3 112 112"]]


class Mixing(Protocol):
    """What a recipe says of its mix."""

    @property
    def mix(self) -> MixSettings:
        """Shares of the kinds of faces."""

    @property
    def degradation(self) -> DegradationSettings:
        """How faces become small."""


@dataclass(frozen=True)
class MixDraw:
    """What each face of a batch becomes.

    Attributes:
        kind: 0 for SR, 1 for bicubic, 2 for itself.
        degradation: How it becomes small.
    """

    kind: Int64[Tensor, " n"]
    degradation: DegradationDraw

    def take(self, part: slice) -> "MixDraw":
        """The draw of some of its faces."""
        return MixDraw(self.kind[part], self.degradation.take(part))

    @classmethod
    def joined(cls, draws: "Sequence[MixDraw]") -> "MixDraw":
        """The draws of several batches as that of all their faces."""
        kinds = torch.cat([draw.kind for draw in draws])
        return cls(kinds, DegradationDraw.joined([draw.degradation for draw in draws]))


def draw_mix(recipe: Mixing, count: int, generator: torch.Generator, *, restores: bool) -> MixDraw:
    """Draw for a whole batch of `count` faces, by the shares of the mix.

    Without a super-resolver (`restores`) the others have its share.
    """
    shares = torch.tensor([recipe.mix.sr if restores else 0.0, recipe.mix.bicubic, recipe.mix.hr])
    kind = torch.multinomial(shares, count, replacement=True, generator=generator)
    return MixDraw(kind, draw_degradation(recipe.degradation, count, generator))


def mix_by(
    hr: Float[Tensor, "n 3 112 112"], draw: MixDraw, restore: Restorer | None, real: RealSmall | None = None
) -> Float[Tensor, "n 3 112 112"]:
    """Turn each HR face into SR, bicubic or itself, as drawn.

    Those of `real` are shrunk by nobody: their VLR images are taken.
    """
    images = hr.clone()
    for number in (0, 1):
        rows = (draw.kind == number).nonzero().squeeze(1)
        if rows.numel():
            small = degrade(hr[rows.to(hr.device)], draw.degradation.take(rows))
            if real is not None:
                small = real.take(rows.to(hr.device)).put_small(small)
            shown = small.enlarged if number or restore is None else restored(restore, small)
            images[rows.to(hr.device)] = shown.clamp(0.0, 1.0)
    return images


def shrunk(images: Float[Tensor, "n 3 112 112"], side: int) -> Float[Tensor, "n 3 side side"]:
    """Faces of fewer pixels, for the coarse epochs; not to be taken for VLR faces, which are enlarged again."""
    small = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    return small.clamp(0.0, 1.0)


def restored(restore: Restorer, small: SmallFaces) -> Float[Tensor, "n 3 112 112"]:
    """SR faces by a frozen super-resolver."""
    return in_chunks(lambda enlarged, size: restore(SmallFaces(enlarged, size)), small.enlarged, small.size)


def mixed(
    hr: Float[Tensor, "n 3 112 112"],
    recipe: Mixing,
    restore: Restorer | None,
    generator: torch.Generator,
    real: RealSmall | None = None,
) -> Float[Tensor, "n 3 112 112"]:
    """Draw for the HR faces of a whole batch and turn each into what is drawn."""
    return mix_by(hr, draw_mix(recipe, len(hr), generator, restores=restore is not None), restore, real)
