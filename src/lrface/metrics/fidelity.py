"""How close a picture is to its original: PSNR and SSIM, one figure per image."""

from collections.abc import Iterator
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
CACHED = 4
"""Pictures whose intermediate results fit into the second-level cache of a core."""


def checked_pictures(picture: Tensor, original: Tensor) -> None:
    """Refuse pictures that cannot be compared.

    Raises:
        EvaluationError: Shapes differ, or values outside [0, 1].
    """
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
    checked_pictures(picture, original)
    error = [
        (ours - theirs).square_().mean(dim=(1, 2, 3), dtype=torch.float64) for ours, theirs in _parts(picture, original)
    ]
    return -10.0 * torch.log10(torch.cat(error))


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
    checked_pictures(picture, original)
    if min(picture.shape[-2:]) < WINDOW:
        raise EvaluationError(
            "structural similarity",
            got=f"{picture.shape[-2]}x{picture.shape[-1]} pixels",
            expected=f"at least {WINDOW}x{WINDOW}",
            remedy="compare after enlarging",
        )
    return torch.cat([_likeness(ours, theirs) for ours, theirs in _parts(picture, original)])


def _parts(picture: Tensor, original: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A few pictures at a time, which stay in the cache of a processor; on a GPU all at once."""
    count = CACHED if picture.device.type == "cpu" else max(1, len(picture))
    return zip(torch.split(picture, count), torch.split(original, count), strict=True)


def _likeness(picture: Tensor, original: Tensor) -> Tensor:
    rows, columns = (_window(side).to(picture) for side in picture.shape[-2:])

    def blurred(images: Tensor) -> Tensor:
        return rows @ images @ columns.mT

    ours, theirs = blurred(picture), blurred(original)
    covariance = blurred(picture * original).addcmul_(ours, theirs, value=-1)
    squares = ours.square().addcmul_(theirs, theirs)
    variances = blurred(picture.square().addcmul_(original, original)).sub_(squares)
    likeness = ours.mul_(theirs).mul_(2).add_(C1).mul_(covariance.mul_(2).add_(C2))
    return likeness.div_(squares.add_(C1).mul_(variances.add_(C2))).mean(dim=(1, 2, 3))


@lru_cache(maxsize=8)
def _window(side: int) -> Float[Tensor, "{side-10} {side}"]:
    """The Gaussian window as a matrix: as a product of matrices the filter takes half of a convolution's time."""
    taps: Tensor = get_gaussian_kernel1d(WINDOW, SIGMA, dtype=torch.float64)[0]
    return torch.stack([F.pad(taps, (left, side - WINDOW - left)) for left in range(side - WINDOW + 1)])
