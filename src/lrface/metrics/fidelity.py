"""How close a picture is to its original: PSNR and SSIM, one figure per image."""

from functools import lru_cache

import torch
from jaxtyping import Float
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor
from torch.nn import functional as F

from lrface.errors import EvaluationError

RANGE_SLACK = 1e-3
WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def _check(picture: Tensor, original: Tensor) -> None:
    if picture.shape != original.shape:
        raise EvaluationError(
            "pictures to compare",
            got=f"{tuple(picture.shape)} and {tuple(original.shape)}",
            expected="one shape",
            remedy="bring both to one size first",
        )
    for name, value in (("picture", picture), ("original", original)):
        low, high = (float(limit) for limit in value.aminmax()) if value.numel() else (0.0, 1.0)
        if not (low >= -RANGE_SLACK and high <= 1.0 + RANGE_SLACK):
            raise EvaluationError(
                f"range of the {name}",
                got=f"{low:.3g} to {high:.3g}",
                expected="0 to 1",
                remedy="divide 8-bit values by 255 and clamp what a network gives",
            )


def psnr(picture: Float[Tensor, "n c h w"], original: Float[Tensor, "_ _ _ _"]) -> Float[Tensor, " n"]:
    """Computes the peak signal-to-noise ratio in dB over all channels; infinite for equal pictures.

    Args:
        picture: In [0, 1].
        original: In [0, 1].

    Raises:
        EvaluationError: Shapes differ, or values outside [0, 1].
    """
    _check(picture, original)
    error = (picture - original).square().mean(dim=(1, 2, 3), dtype=torch.float64)
    return -10.0 * torch.log10(error)


def ssim(picture: Float[Tensor, "n c h w"], original: Float[Tensor, "_ _ _ _"]) -> Float[Tensor, " n"]:
    """Computes the structural similarity, in the precision of the input.

    Gaussian window of 11 with sigma 1.5; the border that the window would overlap is left out.

    Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004, equation 13.

    Args:
        picture: In [0, 1].
        original: In [0, 1].

    Raises:
        EvaluationError: Shapes differ, values outside [0, 1], or a side under 11 pixels.
    """
    _check(picture, original)
    if min(picture.shape[-2:]) < WINDOW:
        raise EvaluationError(
            "structural similarity",
            got=f"{picture.shape[-2]}x{picture.shape[-1]} pixels",
            expected=f"at least {WINDOW}x{WINDOW}",
            remedy="compare after enlarging",
        )
    rows, columns = (_window(side).to(picture) for side in picture.shape[-2:])

    def blurred(images: Tensor) -> Tensor:
        return rows @ images @ columns.mT

    ours, theirs = blurred(picture), blurred(original)
    product, squares = ours * theirs, ours.square() + theirs.square()
    covariance = blurred(picture * original) - product
    variances = blurred(picture.square() + original.square()) - squares
    likeness = (2 * product + C1) * (2 * covariance + C2) / ((squares + C1) * (variances + C2))
    return likeness.mean(dim=(1, 2, 3))


@lru_cache(maxsize=8)
def _window(side: int) -> Float[Tensor, "{side-10} {side}"]:
    """The Gaussian window as a matrix: as a product of matrices the filter takes half of a convolution's time."""
    taps: Tensor = get_gaussian_kernel1d(WINDOW, SIGMA, dtype=torch.float64)[0]
    return torch.stack([F.pad(taps, (left, side - WINDOW - left)) for left in range(side - WINDOW + 1)])
