"""How a face becomes very small: drawn once, applied as often as wanted.

A draw holds every random choice for a batch, the noise field included, so that applying it twice gives the same
VLR faces and a validation set stays fixed. Order of effects: a box that is off, optics (defocus, motion), sampling,
exposure, sensor noise, JPEG, 8-bit storage.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int64
from kornia.enhance import jpeg_codec_differentiable
from kornia.filters import filter2d, get_gaussian_kernel1d, get_motion_kernel2d
from torch import Tensor
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.degradation.misalignment import draw_boxes, misaligned
from lrface.images.degradation.resample import enlarge_matrices, shrink_matrices
from lrface.images.ranges import round_to_8_bit
from lrface.images.settings import KERNELS, DegradationSettings, Kernel
from lrface.images.sizes import VLR_MAX, VLR_MIN

OPTICS_WINDOW = 15
"""Side of the defocus and motion kernels, in HR pixels."""

SHARP = 0.05
"""A defocus (sigma in HR pixels) whose kernel is one pixel in float32."""


@dataclass(frozen=True)
class DegradationDraw:
    """Every random choice for `n` faces. Zero strength or quality means that the effect is absent.

    `box` is as `draw_boxes` gives it, None where no box is off.
    """

    size: Int64[Tensor, " n"]
    kernel: Int64[Tensor, " n"]
    blur_sigma: Float[Tensor, " n"]
    motion_angle: Float[Tensor, " n"]
    motion: Bool[Tensor, " n"]
    gain: Float[Tensor, " n"]
    noise: Float[Tensor, "n 3 32 32"]
    jpeg_quality: Float[Tensor, " n"]
    stored: Bool[Tensor, " n"]
    box: Float[Tensor, "n 4"] | None = None

    def __len__(self) -> int:
        """Number of faces."""
        return self.size.shape[0]

    def to(self, device: torch.device) -> "DegradationDraw":
        """The same draw on another device."""
        return DegradationDraw(**{name: value.to(device) for name, value in self._drawn()})

    def take(self, rows: slice | Int64[Tensor, " m"]) -> "DegradationDraw":
        """The draw of some of its faces."""
        return DegradationDraw(**{name: value[rows] for name, value in self._drawn()})

    def _drawn(self) -> Iterator[tuple[str, Tensor]]:
        """What was drawn, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ((name, value) for name, value in values if value is not None)

    @classmethod
    def joined(cls, draws: "Sequence[DegradationDraw]") -> "DegradationDraw":
        """The draws of several batches as that of all their faces."""
        return cls(**{name: torch.cat([getattr(draw, name) for draw in draws]) for name, _ in draws[0]._drawn()})


@dataclass(frozen=True)
class SmallFaces:
    """A batch of VLR faces of mixed sizes.

    Attributes:
        enlarged: Their bicubic enlargement to 112, overshoots kept; it holds all that the VLR pixels hold.
        size: The side of each, in pixels.
    """

    enlarged: Float[Tensor, "n 3 112 112"]
    size: Int64[Tensor, " n"]


def draw_degradation(settings: DegradationSettings, count: int, generator: torch.Generator) -> DegradationDraw:
    """Draw for `count` faces. The generator lives on the CPU, so that every device sees the same draw."""

    def uniform(low: float = 0.0, high: float = 1.0) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    def happens(probability: float) -> Tensor:
        return (uniform() < probability) & dirty

    dirty = uniform() >= settings.clean
    sizes = torch.arange(settings.size_min, settings.size_max + 1)
    weights = sizes.double().pow(-settings.small_bias)
    size = sizes[torch.multinomial(weights, count, replacement=True, generator=generator)]
    choices = torch.tensor([KERNELS.index(kernel) for kernel in settings.kernels])
    kernel = choices[torch.randint(len(choices), (count,), generator=generator)]
    noise_sigma = uniform(0.0, settings.noise_sigma) * happens(settings.noise)
    noise = torch.randn(count, 3, VLR_MAX, VLR_MAX, generator=generator) * noise_sigma.view(-1, 1, 1, 1)
    return DegradationDraw(
        size=size,
        kernel=kernel,
        blur_sigma=uniform(0.05, settings.blur_sigma) * happens(settings.blur),
        motion_angle=uniform(0.0, 360.0),
        motion=happens(settings.motion),
        gain=1 + uniform(-settings.brightness_range, settings.brightness_range) * happens(settings.brightness),
        noise=noise,
        jpeg_quality=uniform(settings.jpeg_quality_min, 100.0) * happens(settings.jpeg),
        stored=dirty,
        # last, so that a training in which no box is off draws what it always did
        box=draw_boxes(settings, count, generator),
    )


def fixed_draw(size: int, count: int, kernel: Kernel = "bicubic") -> DegradationDraw:
    """The draw that only resizes, all faces to one size."""
    zeros = torch.zeros(count)
    return DegradationDraw(
        size=torch.full((count,), size),
        kernel=torch.full((count,), KERNELS.index(kernel)),
        blur_sigma=zeros,
        motion_angle=zeros,
        motion=zeros.bool(),
        gain=torch.ones(count),
        noise=torch.zeros(count, 3, VLR_MAX, VLR_MAX),
        jpeg_quality=zeros,
        stored=zeros.bool(),
    )


def degrade(images: Float[Tensor, "n 3 112 112"], draw: DegradationDraw) -> SmallFaces:
    """Apply a draw to HR faces in [0, 1], on the device of the images.

    Raises:
        ConfigError: The draw is for another number of faces.
    """
    if len(draw) != images.shape[0]:
        raise ConfigError(
            "degradation",
            got=f"a draw for {len(draw)} faces",
            expected=f"{images.shape[0]}",
            remedy="draw again",
        )
    chosen = _Chosen.of(draw, images.device)
    draw = draw.to(images.device)
    if draw.box is not None:
        images = misaligned(images, draw.box, draw.size)
    bank = _bank(images)
    row = draw.size - VLR_MIN
    down = bank.down[draw.kernel, row].unsqueeze(1)
    images, down = _optics(images, down, draw, chosen)
    small = down @ images @ down.mT
    small = small * draw.gain.view(-1, 1, 1, 1) + draw.noise
    small = _jpeg(small.clamp(0.0, 1.0), draw, chosen.coded)
    small = torch.where(draw.stored.view(-1, 1, 1, 1), round_to_8_bit(small), small)
    up = bank.up[row].unsqueeze(1)
    return SmallFaces(enlarged=up @ small @ up.mT, size=draw.size)


def small_faces(vlr: Float[Tensor, "n 3 s s"]) -> SmallFaces:
    """VLR faces of one size, given as pixels in [0, 1], in the form that `degrade` returns.

    Raises:
        ConfigError: They are not square, or not 8 to 32 pixels.
    """
    count, _, height, width = vlr.shape
    if height != width or not VLR_MIN <= height <= VLR_MAX:
        raise ConfigError(
            "VLR faces",
            got=f"{height} x {width} pixels",
            expected=f"square, {VLR_MIN} to {VLR_MAX} pixels",
            remedy="shrink or crop them first",
        )
    up = enlarge_matrices()[height - VLR_MIN, :, :height].to(vlr)
    # not up.mT, which the ONNX exporter does not know
    return SmallFaces(enlarged=up @ vlr @ up.transpose(-1, -2), size=torch.full((count,), height, device=vlr.device))


@dataclass(frozen=True)
class _Chosen:
    """Rows that an effect touches, found where the draw is: a GPU would have to be waited for."""

    defocused: Int64[Tensor, " k"]
    moved: Int64[Tensor, " l"]
    coded: Int64[Tensor, " m"]

    @classmethod
    def of(cls, draw: DegradationDraw, device: torch.device) -> "_Chosen":
        masks = (draw.blur_sigma > 0) & ~draw.motion, draw.motion, draw.jpeg_quality > 0
        return cls(*(mask.nonzero().squeeze(1).to(device) for mask in masks))


@dataclass(frozen=True)
class _Bank:
    down: Float[Tensor, "kernels sizes 32 112"]
    up: Float[Tensor, "sizes 112 32"]


_BANKS: dict[torch.device, _Bank] = {}


def _bank(images: Tensor) -> _Bank:
    """The matrices on the device of the images, made once for each device."""
    if images.device not in _BANKS:
        down = torch.stack([shrink_matrices(kernel) for kernel in KERNELS])
        _BANKS[images.device] = _Bank(down.to(images.device), enlarge_matrices().to(images.device))
    return _BANKS[images.device]


def _optics(images: Tensor, down: Tensor, draw: DegradationDraw, chosen: _Chosen) -> tuple[Tensor, Tensor]:
    """Defocus and motion, for those faces that have them: other faces, or other matrices to shrink them by.

    Defocus is a product with a matrix from both sides, as shrinking is, and the product of the two matrices is a small
    one. Where motion comes between them the face itself is blurred.
    """
    alone, rows = chosen.defocused, chosen.moved
    if alone.numel():
        matrices = _defocus(draw.blur_sigma[alone], images).unsqueeze(1)
        down = down.index_copy(0, alone, down[alone] @ matrices)
    if rows.numel():
        # A sigma of 0 is no blur; the smallest that there is changes nothing in float32.
        matrices = _defocus(draw.blur_sigma[rows].clamp(min=SHARP), images).unsqueeze(1)
        images = images.index_copy(0, rows, _moved(matrices @ images[rows] @ matrices.mT, draw.motion_angle[rows]))
    return images, down


def _defocus(sigma: Float[Tensor, " n"], like: Tensor) -> Float[Tensor, "n side side"]:
    """For each face the matrix that blurs its lines by a Gaussian, reflected at the border."""
    side = like.shape[-1]
    taps: Tensor = get_gaussian_kernel1d(OPTICS_WINDOW, sigma.unsqueeze(1))
    return (taps.to(like) @ _shifts(side).to(like)).view(-1, side, side)


@lru_cache(maxsize=4)
def _shifts(side: int) -> Float[Tensor, "window side*side"]:
    """For each tap of the window the matrix that shifts a line by it."""
    margin = OPTICS_WINDOW // 2
    padded = F.pad(torch.eye(side).unsqueeze(0), (margin, margin), mode="reflect")[0]
    return torch.stack([padded[:, tap : tap + side].T.reshape(-1) for tap in range(OPTICS_WINDOW)])


def _moved(images: Tensor, angle: Tensor) -> Tensor:
    kernel = get_motion_kernel2d(OPTICS_WINDOW, angle, torch.zeros_like(angle))
    moved: Tensor = filter2d(images, kernel, border_type="reflect")
    return moved


def _jpeg(small: Tensor, draw: DegradationDraw, rows: Int64[Tensor, " m"]) -> Tensor:
    """Compress some at VLR size. The empty border is filled from the image, so that it adds no false edge."""
    if rows.numel() == 0:
        return small
    inside = torch.arange(VLR_MAX, device=small.device).expand(rows.numel(), -1)
    nearest = torch.minimum(inside, draw.size[rows].unsqueeze(1) - 1)
    index = nearest[:, None, :, None].expand(-1, 3, -1, VLR_MAX)
    filled = small[rows].gather(2, index).gather(3, nearest[:, None, None, :].expand(-1, 3, VLR_MAX, -1))
    coded = jpeg_codec_differentiable(filled, draw.jpeg_quality[rows].contiguous())
    mask = (inside < draw.size[rows].unsqueeze(1)).to(small)
    return small.index_copy(0, rows, coded * mask[:, None, :, None] * mask[:, None, None, :])
