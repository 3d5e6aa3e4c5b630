"""How close a picture is to its original: PSNR and SSIM, one figure per image."""

import torch
from jaxtyping import Float
from kornia.metrics import ssim as ssim_map
from torch import Tensor

from lrface.errors import EvaluationError

RANGE_SLACK = 1e-3
WINDOW = 11


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
    error = (picture.double() - original.double()).square().mean(dim=(1, 2, 3))
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
    per_pixel: Tensor = ssim_map(picture, original, WINDOW, padding="valid")
    return per_pixel.mean(dim=(1, 2, 3))
