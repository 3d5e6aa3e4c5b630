"""Resampling of square faces as matrix products, so that one batch may hold many sizes.

Every kernel that torch offers is linear and separable: resizing is `R @ image @ R.T` with one matrix `R` for
each pair of sizes. The matrices are had from `torch.nn.functional.interpolate` itself, by resizing the identity,
so they agree with it by construction.
"""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.settings import Kernel
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN


@lru_cache(maxsize=512)
def resize_matrix(source: int, target: int, kernel: Kernel) -> Float[Tensor, "target source"]:
    """The matrix that resizes a line of `source` samples to `target` samples.

    Args:
        source: Number of samples before.
        target: Number of samples after.
        kernel: `area` averages; the others interpolate, antialiased unless the name says `aliased`.
    """
    identity = torch.eye(source).view(1, 1, source, source)
    if kernel == "area":
        resized = F.interpolate(identity, size=(target, source), mode="area")
    else:
        mode, _, aliased = kernel.partition("_")
        resized = F.interpolate(identity, size=(target, source), mode=mode, align_corners=False, antialias=not aliased)
    return resized.view(target, source)


@lru_cache(maxsize=8)
def spread_matrix(source: int, target: int) -> Float[Tensor, "target source"]:
    """The matrix that spreads a line of `source` samples over `target`, bicubic, the first and last on the ends."""
    identity = torch.eye(source).view(1, 1, source, source)
    spread = F.interpolate(identity, size=(target, source), mode="bicubic", align_corners=True)
    return spread.view(target, source)


def check_size(size: int, smallest: int = VLR_MIN, largest: int = FACE_SIZE) -> int:
    """Return `size` if it lies in `smallest..largest`.

    Raises:
        ConfigError: The size is outside the range.
    """
    if not smallest <= size <= largest:
        raise ConfigError(
            "size of a small face",
            got=f"{size} pixels",
            expected=f"{smallest} to {largest}",
            remedy="choose sizes in that range",
        )
    return size


def shrink(
    images: Float[Tensor, "n 3 112 112"], size: int, kernel: Kernel = "bicubic"
) -> Float[Tensor, "n 3 {size} {size}"]:
    """Make VLR faces of HR faces: resize and clamp to [0, 1].

    Raises:
        ConfigError: `size` is not in 8..112.
    """
    matrix = resize_matrix(FACE_SIZE, check_size(size), kernel).to(images)
    return (matrix @ images @ matrix.mT).clamp(0.0, 1.0)


@lru_cache(maxsize=64)
def _back_matrix(size: int) -> Float[Tensor, "{size} 112"]:
    matrix: Tensor = torch.linalg.pinv(resize_matrix(size, FACE_SIZE, "bicubic_aliased"))
    return matrix


def brought_back(images: Float[Tensor, "n 3 112 112"], size: int) -> Float[Tensor, "n 3 {size} {size}"]:
    """Give the small face that comes nearest to a picture when it is enlarged: least squares, clamped to [0, 1].

    Exact for what bicubic enlarged, and nearer than any shrinking for the other kernels, which would smooth it again.

    Raises:
        ConfigError: `size` is not in 8..112.
    """
    matrix = _back_matrix(check_size(size)).to(images)
    return (matrix @ images @ matrix.mT).clamp(0.0, 1.0)


def enlarge(images: Float[Tensor, "n 3 s s"], size: int = FACE_SIZE) -> Float[Tensor, "n 3 {size} {size}"]:
    """Bicubic interpolation to `size`, clamped to [0, 1]: the baseline that every super-resolver must beat.

    Keys, Cubic convolution interpolation, TASSP 1981, with a = -0.75, as torch and OpenCV enlarge.
    """
    return enlarge_unclamped(images, size).clamp(0.0, 1.0)


def enlarge_unclamped(images: Float[Tensor, "n 3 s s"], size: int = FACE_SIZE) -> Float[Tensor, "n 3 {size} {size}"]:
    """Bicubic interpolation with its overshoots kept, so that it stays linear in the input."""
    matrix = resize_matrix(images.shape[-1], size, "bicubic_aliased").to(images)
    return matrix @ images @ matrix.mT


@lru_cache(maxsize=8)
def shrink_matrices(kernel: Kernel) -> Float[Tensor, "sizes 32 112"]:
    """For every size 8..32 the matrix from 112 samples, rows beyond the size zero."""
    return torch.stack(
        [
            F.pad(resize_matrix(FACE_SIZE, size, kernel), (0, 0, 0, VLR_MAX - size))
            for size in range(VLR_MIN, VLR_MAX + 1)
        ]
    )


@lru_cache(maxsize=1)
def enlarge_matrices() -> Float[Tensor, "sizes 112 32"]:
    """For every size 8..32 the bicubic matrix to 112 samples, columns beyond the size zero."""
    return torch.stack(
        [
            F.pad(resize_matrix(size, FACE_SIZE, "bicubic_aliased"), (0, VLR_MAX - size))
            for size in range(VLR_MIN, VLR_MAX + 1)
        ]
    )
