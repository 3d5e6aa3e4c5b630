"""A box that is off: shift, scale and turn of a face before it is shrunk, in pixels of the small face.

A detector's box is off by a pixel or two of what it sees, which at 8 pixels is much. All of it is one resampling of the
HR face, done with masks alone, so that nothing has to wait for what a device has drawn.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from lrface.images.settings import DegradationSettings

PLACES = 4
"""Numbers of a box: shift right and down, how far the border moves outwards by another scale and along it by a turn."""


def draw_boxes(
    settings: DegradationSettings, count: int, generator: torch.Generator
) -> Float[Tensor, "{count} 4"] | None:
    """Draw boxes in VLR pixels, even up to the largest of each; None, with nothing drawn, where none is to be off."""
    if settings.misaligned == 0:
        return None
    largest = torch.tensor([settings.shift, settings.shift, settings.scale, settings.turn])
    off = torch.rand(count, generator=generator) < settings.misaligned
    return (2 * torch.rand(count, PLACES, generator=generator) - 1) * largest * off.unsqueeze(1)


def shifts(count: int, pixels: float, generator: torch.Generator) -> Float[Tensor, "{count} 4"]:
    """Boxes that are shifted by so many VLR pixels exactly, each in another direction."""
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    return pixels * torch.stack([angle.cos(), angle.sin(), torch.zeros(count), torch.zeros(count)], dim=1)


def misaligned(
    images: Float[Tensor, "n 3 h h"], box: Float[Tensor, "n 4"], size: Int64[Tensor, " n"]
) -> Float[Tensor, "n 3 h h"]:
    """Sample each face where its box lies; beyond the border the face is mirrored.

    Faces whose box is not off are given back exactly.

    Args:
        images: HR faces in [0, 1].
        box: As `draw_boxes` gives it, on the device of the images.
        size: Side of each small face, in pixels.
    """
    # half a side is 1 in the units of a grid, so a VLR pixel is 2 / side
    right, down, border, along = (box.to(images) * 2 / size.to(images).unsqueeze(1)).unbind(1)
    scale = 1 + border
    cosine, sine = scale * along.cos(), scale * along.sin()
    affine = torch.stack([cosine, -sine, right, sine, cosine, down], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
    off = (box != 0).any(dim=1).to(images.device).view(-1, 1, 1, 1)
    return torch.where(off, moved.clamp(0.0, 1.0), images)
