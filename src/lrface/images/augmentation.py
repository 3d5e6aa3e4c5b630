"""New faces out of the stored ones in training: drawn once, applied on whole batches.

A super-resolver is judged against the very face that was shrunk, whoever that is, so people may be invented. Two
aligned faces are blended along a smooth mask, and a smooth field bends their shape: a dozen people become thousands,
without which the network learns those few by heart. And a network that has seen only grey studio portraits fails on
colour photographs, so luminance is recoloured by a tone curve of its own for each channel, smooth fields of coloured
light are laid over the face, and the geometry varies more than an aligner's errors do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from lrface.images.degradation.resample import enlarge, enlarge_unclamped, spread_matrix
from lrface.images.settings import AugmentationSettings

FIELD_SIZE = 4
"""Cells along a side of a field of light, and of the mask of a blend."""

BEND_SIZE = 5
"""Cells along a side of the field that bends a face."""


@dataclass(frozen=True)
class AugmentationDraw:
    """Every random choice for `n` faces."""

    flip: Bool[Tensor, " n"]
    affine: Float[Tensor, "n 2 3"]
    moved: Bool[Tensor, " n"]
    partner: Int64[Tensor, " n"]
    partner_flip: Bool[Tensor, " n"]
    mask: Float[Tensor, "n 1 4 4"]
    bend: Float[Tensor, "n 2 5 5"]
    gamma: Float[Tensor, "n 3"]
    gain: Float[Tensor, "n 3"]
    light: Float[Tensor, "n 3 4 4"]
    saturation: Float[Tensor, " n"]
    contrast: Float[Tensor, " n"]

    def to(self, device: torch.device) -> "AugmentationDraw":
        """The same draw on another device."""
        return AugmentationDraw(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def take(self, rows: slice) -> "AugmentationDraw":
        """The draw of some of its faces; their partners are still those of the whole batch."""
        return AugmentationDraw(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def joined(cls, draws: "Sequence[AugmentationDraw]", batch: int) -> "AugmentationDraw":
        """The draws of several batches as that of all their faces; each finds its partners in its own `batch` faces."""
        whole = {f.name: torch.cat([getattr(draw, f.name) for draw in draws]) for f in fields(cls)}
        whole["partner"] = torch.cat([draw.partner + place * batch for place, draw in enumerate(draws)])
        return cls(**whole)


def draw_augmentation(settings: AugmentationSettings, count: int, generator: torch.Generator) -> AugmentationDraw:
    """Draw for `count` faces. The generator lives on the CPU, so that every device sees the same draw."""

    def uniform(spread: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * spread

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator)

    def chosen(probability: float) -> Tensor:
        return torch.rand(count, generator=generator) < probability

    coloured = chosen(settings.colour).float()
    per_channel = coloured.view(-1, 1)
    shared_tone = normal(1) * settings.tone
    gamma = torch.exp(per_channel * (shared_tone + normal(3) * settings.tone / 2).clamp(-1.2, 1.2))
    gain = torch.exp(per_channel * (normal(3) * settings.cast).clamp(-0.7, 0.7))
    light = per_channel.view(-1, 1, 1, 1) * normal(3, FIELD_SIZE, FIELD_SIZE) * settings.field
    angle, size = torch.deg2rad(uniform(settings.rotation)), 1 + uniform(settings.scale)
    cosine, sine = torch.cos(angle) * size, torch.sin(angle) * size
    centre = 55.5
    shift_x = centre - cosine * centre + sine * centre + uniform(settings.shift)
    shift_y = centre - sine * centre - cosine * centre + uniform(settings.shift)
    affine = torch.stack([cosine, -sine, shift_x, sine, cosine, shift_y], dim=1).view(-1, 2, 3)
    blended = chosen(settings.blend).view(-1, 1, 1, 1)
    mask = torch.sigmoid(normal(1, FIELD_SIZE, FIELD_SIZE) * 2 + normal(1, 1, 1)) * blended
    bent = chosen(settings.bend).view(-1, 1, 1, 1)
    partner = torch.randperm(count, generator=generator)
    bend = normal(2, BEND_SIZE, BEND_SIZE) * settings.bend_pixels * bent
    flip = chosen(settings.flip)
    return AugmentationDraw(
        partner=partner,
        partner_flip=flip[partner],
        mask=mask,
        bend=bend,
        flip=flip,
        affine=affine,
        moved=chosen(settings.geometry),
        gamma=gamma,
        gain=gain,
        light=light,
        saturation=1 + coloured * uniform(settings.saturation),
        contrast=1 + coloured * uniform(settings.contrast),
    )


def augment(
    images: Float[Tensor, "n 3 112 112"], draw: AugmentationDraw, batch: Float[Tensor, "m 3 112 112"] | None = None
) -> Float[Tensor, "n 3 112 112"]:
    """Apply a draw to HR faces in [0, 1]; the result stays in [0, 1].

    Args:
        images: The faces.
        draw: The draw for these.
        batch: The faces among which the partners of a blend are; none: these themselves.
    """
    chosen = _Chosen.of(draw, images.device)
    draw = draw.to(images.device)
    batch = images if batch is None else batch
    # A copy, so that all that follows may write in place: most of this is passes over memory.
    made = torch.where(draw.flip.view(-1, 1, 1, 1), images.flip(-1), images)
    _blend(made, batch, draw, chosen.blended)
    _bend(made, draw, chosen.bent)
    _move(made, draw, chosen.moved)
    made.clamp_(1e-4, 1.0)
    _recolour(made, draw, chosen.recoloured)
    return made


@dataclass(frozen=True)
class _Chosen:
    """Rows that an effect touches, found where the draw is: a GPU would have to be waited for."""

    blended: Int64[Tensor, " k"]
    bent: Int64[Tensor, " l"]
    moved: Int64[Tensor, " m"]
    recoloured: Int64[Tensor, " o"]

    @classmethod
    def of(cls, draw: AugmentationDraw, device: torch.device) -> "_Chosen":
        per_channel = (draw.gamma != 1) | (draw.gain != 1) | (draw.light != 0).any(-1).any(-1)
        masks = (
            draw.mask.amax((1, 2, 3)) > 0,
            draw.bend.abs().amax((1, 2, 3)) > 0,
            draw.moved,
            per_channel.any(1) | (draw.saturation != 1) | (draw.contrast != 1),
        )
        return cls(*(mask.nonzero().squeeze(1).to(device) for mask in masks))


def _blend(images: Tensor, batch: Tensor, draw: AugmentationDraw, rows: Tensor) -> None:
    """Each chosen face takes parts of another."""
    if not rows.numel():
        return
    mask = enlarge(draw.mask[rows], images.shape[-1])
    partners = batch[draw.partner[rows]]
    partners = torch.where(draw.partner_flip[rows].view(-1, 1, 1, 1), partners.flip(-1), partners)
    images.index_copy_(0, rows, images[rows].lerp_(partners, mask))


def _bend(images: Tensor, draw: AugmentationDraw, rows: Tensor) -> None:
    """Each chosen face is sampled along a smooth field of displacements."""
    if not rows.numel():
        return
    side = images.shape[-1]
    matrix = spread_matrix(BEND_SIZE, side).to(images)
    field = (matrix @ draw.bend[rows] @ matrix.mT).mul_(2 / (side - 1))
    line = torch.linspace(-1, 1, side, device=images.device)
    grid = torch.stack([field[:, 0] + line, field[:, 1] + line.unsqueeze(1)], dim=-1)
    bent = F.grid_sample(images[rows], grid, mode="bicubic", padding_mode="reflection", align_corners=True)
    images.index_copy_(0, rows, bent.clamp_(0.0, 1.0))


def _move(images: Tensor, draw: AugmentationDraw, rows: Tensor) -> None:
    """Each chosen face is sampled where the inverse of its affine map says."""
    if not rows.numel():
        return
    side = images.shape[-1]
    half = (side - 1) / 2
    # In coordinates from -1 to 1, where the map is the same but for its shift.
    linear = draw.affine[rows, :, :2]
    shift = (draw.affine[rows, :, 2] + (linear.sum(2) - 1) * half) / half
    back = torch.linalg.inv_ex(linear).inverse
    start = -(back @ shift.unsqueeze(2)).view(-1, 2, 1, 1)
    back = back.view(-1, 2, 2, 1, 1)
    line = torch.linspace(-1, 1, side, device=images.device)
    places = back[:, :, 0] * line + (back[:, :, 1] * line.unsqueeze(1) + start)
    grid = places.permute(0, 2, 3, 1).contiguous()
    moved = F.grid_sample(images[rows], grid, mode="bilinear", padding_mode="reflection", align_corners=True)
    images.index_copy_(0, rows, moved)


def _recolour(images: Tensor, draw: AugmentationDraw, rows: Tensor) -> None:
    """Each chosen face gets tones, light, saturation and contrast of its own."""
    if not rows.numel():
        return
    # gain x^gamma e^light, as one power of e
    exponent = enlarge_unclamped(draw.light[rows], images.shape[-1]).add_(draw.gain[rows].log().view(-1, 3, 1, 1))
    lit = images[rows].log_().mul_(draw.gamma[rows].view(-1, 3, 1, 1)).add_(exponent).exp_()
    lit.lerp_(lit.mean(1, keepdim=True), 1 - draw.saturation[rows].view(-1, 1, 1, 1))
    lit.lerp_(lit.mean((1, 2, 3), keepdim=True), 1 - draw.contrast[rows].view(-1, 1, 1, 1))
    images.index_copy_(0, rows, lit.clamp_(0.0, 1.0))
