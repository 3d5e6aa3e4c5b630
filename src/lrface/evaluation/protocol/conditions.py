"""Named ways to make a small face for measuring: clean, blur, noise, JPEG, all of them, a box that is off.

Unlike the degradation of training nothing is drawn but the noise and the direction of a shift: one condition is one
strength, so that a curve over sizes shows the size.
"""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import gaussian_blur2d
from pydantic import Field
from torch import Tensor

from lrface.base.settings import Settings
from lrface.images.degradation.misalignment import misaligned, shifts
from lrface.images.degradation.resample import shrink
from lrface.images.ranges import round_to_8_bit

Degrade = Callable[[Tensor, int], Tensor]
"""n x 3 x 112 x 112 in [0, 1] and a side s to n x 3 x s x s in [0, 1]."""

CLEAN = "clean"
MISALIGNED = "misaligned"
KERNEL = "antialiased bicubic"
"""How every condition shrinks the aligned face."""
DRAWN_TOGETHER = 64
"""Faces that noise and shifts are drawn for at once, so that larger batches on a GPU see what a CPU sees."""


class ConditionSettings(Settings):
    """Strengths of the named conditions."""

    blur_sigma: float = Field(default=2.0, gt=0.0, description="defocus, sigma in HR pixels")
    noise_sigma: float = Field(default=0.03, gt=0.0, description="sensor noise at VLR, sigma on the range [0, 1]")
    jpeg_quality: float = Field(default=40.0, ge=1.0, le=100.0, description="JPEG quality at VLR")
    shift: float = Field(default=1.0, gt=0.0, description="shift of the box in pixels of the small face")
    seed: int = Field(default=0, ge=0, description="seed of the noise and of the direction of shifts")


def clean(images: Float[Tensor, "n 3 112 112"], size: int) -> Float[Tensor, "n 3 s s"]:
    """Shrinks by antialiased bicubic, clamped, without rounding to 8 bits.

    Rounding is storage, not sampling; without it a size of 112 gives the HR face back exactly.
    """
    return shrink(images, size)


def _blurred(images: Tensor, sigma: float) -> Tensor:
    window = 2 * round(3.0 * sigma) + 1
    blurred: Tensor = gaussian_blur2d(images, (window, window), (sigma, sigma))
    return blurred


def _compressed(vlr: Tensor, quality: float) -> Tensor:
    """Compresses as a file of this side would be: blocks of 16 are filled up with the last row and column."""
    side = vlr.shape[-1]
    fill = -side % 16
    filled = torch.nn.functional.pad(vlr, (0, fill, 0, fill), mode="replicate")
    strength = torch.full((vlr.shape[0],), quality, device=vlr.device)
    coded: Tensor = jpeg_codec_differentiable(filled, strength)
    return coded[..., :side, :side]


def conditions(settings: ConditionSettings | None = None) -> Mapping[str, Degrade]:
    """Gives the conditions by name: `clean`, `blur`, `noise`, `jpeg`, `all` (the three before it), `misaligned`.

    Noise and shifts are those of the seed and the shape of each 64 faces; an evaluation makes each small face once and
    shows the same one to all arms.
    """
    chosen = settings or ConditionSettings()

    def noisy(vlr: Tensor) -> Tensor:
        fields = [
            torch.randn(part.shape, generator=torch.Generator().manual_seed(chosen.seed))
            for part in torch.split(vlr, DRAWN_TOGETHER)
        ]
        return round_to_8_bit(vlr + chosen.noise_sigma * torch.cat(fields).to(vlr))

    def blur(images: Tensor, size: int) -> Tensor:
        return clean(_blurred(images, chosen.blur_sigma), size)

    def noise(images: Tensor, size: int) -> Tensor:
        return noisy(clean(images, size))

    def jpeg(images: Tensor, size: int) -> Tensor:
        return round_to_8_bit(_compressed(clean(images, size), chosen.jpeg_quality))

    def everything(images: Tensor, size: int) -> Tensor:
        return round_to_8_bit(_compressed(noisy(blur(images, size)), chosen.jpeg_quality))

    def shifted(images: Tensor, size: int) -> Tensor:
        boxes = [
            shifts(len(part), chosen.shift, torch.Generator().manual_seed(chosen.seed))
            for part in torch.split(images, DRAWN_TOGETHER)
        ]
        box = torch.cat(boxes).to(images.device)
        sides = torch.full((len(images),), size, device=images.device)
        return clean(misaligned(images, box, sides), size)

    return {CLEAN: clean, "blur": blur, "noise": noise, "jpeg": jpeg, "all": everything, MISALIGNED: shifted}


def described(condition: str, settings: ConditionSettings | None = None) -> str:
    """Says how a condition makes a small face of an aligned one, the kernel in it."""
    chosen = settings or ConditionSettings()
    before = {
        "blur": f"defocused (sigma {chosen.blur_sigma:g} HR pixels), ",
        "all": f"defocused (sigma {chosen.blur_sigma:g} HR pixels), ",
        MISALIGNED: f"shifted by {chosen.shift:g} pixel of the small face in any direction, ",
    }
    after = {
        "noise": f", noise (sigma {chosen.noise_sigma:g})",
        "jpeg": f", JPEG {chosen.jpeg_quality:g}",
        "all": f", noise (sigma {chosen.noise_sigma:g}), JPEG {chosen.jpeg_quality:g}",
    }
    if condition == "real":
        return "small as they were given"
    return f"{before.get(condition, '')}shrunk by {KERNEL}{after.get(condition, '')}"
