"""How faces are drawn, made small and varied."""

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from lrface.base.settings import Settings
from lrface.images.sizes import VLR_MAX, VLR_MIN

DARK, BRIGHT = 20.0, 235.0
"""Mean levels, 0 to 255, below and above which a face is nearly black and nearly white."""

FLAT = 2.0
"""Standard deviation of the levels, 0 to 255, below which a face is of one level."""

Kernel = Literal["bicubic", "bilinear", "area", "bicubic_aliased", "bilinear_aliased"]

KERNELS: tuple[Kernel, ...] = get_args(Kernel)


class ProceduralSettings(Settings):
    """How many people are drawn, and how."""

    subjects: int = Field(200, description="People to draw, count", ge=1, le=9999)
    images_per_subject: int = Field(12, description="Pictures of each person, count", ge=1, le=1000)
    seed: int = Field(0, description="Seed of the population: the same seed draws the same people", ge=0, le=2**31)
    nuisance: float = Field(
        1.0,
        description="Strength of pose, expression, light and camera: 0 straight and soft, 1 as in the wild",
        ge=0,
        le=1.5,
    )


class DegradationSettings(Settings):
    """What may happen to a face on its way to VLR, with probabilities and bounds."""

    size_min: int = Field(8, ge=VLR_MIN, le=VLR_MAX, description="smallest side, in pixels")
    size_max: int = Field(32, ge=VLR_MIN, le=VLR_MAX, description="largest side, in pixels")
    small_bias: float = Field(
        0.7, ge=0, le=2, description="0 draws sizes evenly, 1 evenly in log size, more prefers small ones"
    )
    kernels: tuple[Kernel, ...] = Field(
        ("bicubic", "bicubic", "bicubic", "area", "bilinear", "bicubic_aliased", "bilinear_aliased"),
        min_length=1,
        description="resampling kernels to draw from; a repeated name is drawn more often",
    )
    clean: float = Field(0.5, ge=0, le=1, description="share of faces that are only resized")
    blur: float = Field(0.4, ge=0, le=1, description="probability of defocus")
    blur_sigma: float = Field(2.5, ge=0.05, le=5, description="largest defocus, sigma in HR pixels")
    motion: float = Field(0.2, ge=0, le=1, description="probability of motion blur")
    noise: float = Field(0.4, ge=0, le=1, description="probability of sensor noise")
    noise_sigma: float = Field(0.05, ge=0, le=0.5, description="largest noise, sigma on the range [0, 1]")
    jpeg: float = Field(0.3, ge=0, le=1, description="probability of JPEG")
    jpeg_quality_min: int = Field(30, ge=1, le=100, description="lowest JPEG quality")
    brightness: float = Field(0.3, ge=0, le=1, description="probability of another exposure")
    brightness_range: float = Field(0.3, ge=0, lt=1, description="largest relative change of exposure")
    misaligned: float = Field(0.0, ge=0, le=1, description="probability of a box that is off, as a detector's is")
    shift: float = Field(1.0, ge=0, le=8, description="largest shift of such a box, in VLR pixels, across and down")
    scale: float = Field(0.5, ge=0, le=3, description="how far its border may lie in or out, in VLR pixels")
    turn: float = Field(0.5, ge=0, le=3, description="how far its border may be turned along itself, in VLR pixels")
    real: float = Field(
        0.5, ge=0, le=1, description="share of faces trained on with their real VLR image, where the pack has them"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.size_min > self.size_max:
            raise ValueError(f"size_min {self.size_min} exceeds size_max {self.size_max}")
        return self


class AugmentationSettings(Settings):
    """How far a training face may move away from the stored one; 0 switches an effect off."""

    flip: float = Field(0.5, ge=0, le=1, description="probability of a mirror image")
    rotation: float = Field(6.0, ge=0, le=45, description="largest rotation, degrees")
    scale: float = Field(0.08, ge=0, lt=0.5, description="largest relative change of size")
    shift: float = Field(4.0, ge=0, le=28, description="largest shift, pixels of the 112-pixel face")
    geometry: float = Field(0.7, ge=0, le=1, description="probability of another geometry")
    blend: float = Field(0.0, ge=0, le=1, description="probability of a blend with another face of the batch")
    bend: float = Field(0.0, ge=0, le=1, description="probability of a bent shape")
    bend_pixels: float = Field(2.0, ge=0, le=12, description="spread (sigma) of the bend, pixels of the 112-pixel face")
    colour: float = Field(0.6, ge=0, le=1, description="probability of another colour")
    tone: float = Field(0.3, ge=0, le=1, description="spread (sigma) of the log gamma of each channel")
    cast: float = Field(0.1, ge=0, le=1, description="spread (sigma) of the log gain of each channel")
    field: float = Field(0.1, ge=0, le=1, description="spread (sigma) of the log gain of a field of light")
    saturation: float = Field(0.4, ge=0, le=1, description="largest relative change of saturation")
    contrast: float = Field(0.25, ge=0, lt=1, description="largest relative change of contrast")
