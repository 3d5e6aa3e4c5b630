"""From whatever levels a decoded picture has to 8-bit RGB, and whether there is enough light in them."""

from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lrface.images.settings import BRIGHT, DARK, FLAT

_WIDE: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_BITS, _PHOTOMETRIC, _SAMPLE = 258, 262, 339  # tags of TIFF
_SIGNED: Final = 2
_FULL, _WHOLE = 255, 65535


class LevelsError(ValueError):
    """Levels that say nothing about which is black and which is white.

    Args:
        got: What they are.
        expected: What would have been right.
    """

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(got)
        self.expected = expected


def as_rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """Brings a decoded picture of any mode to 8-bit RGB.

    Args:
        image: The picture, decoded.

    Returns:
        Its pixels.

    Raises:
        LevelsError: Integers of more than 16 bits, negative ones, or floats that are neither in [0, 1] nor in
            [0, 255].
    """
    if image.mode == "RGB":
        return np.asarray(image)
    if image.mode in _WIDE or image.mode == "F":
        grey = _from_floats(image) if image.mode == "F" else _from_integers(image)
        if _tag(image, _PHOTOMETRIC, 1) == 0:  # TIFF's white is zero; Pillow turns that round for 8 bits alone
            grey = _FULL - grey
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode in ("P", "PA"):  # by way of RGBA, else Pillow warns of transparency
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def light(pixels: UInt8[np.ndarray, "h w 3"]) -> str | None:
    """Says in words whether a face is nearly black, nearly white or of one level; None where it is none of these."""
    mean = float(pixels.mean())
    if mean < DARK:
        return f"nearly black (mean level {mean:.0f} of 255), as 12 bits in a file of 16 are"
    if mean > BRIGHT:
        return f"nearly white (mean level {mean:.0f} of 255)"
    contrast = float(pixels.std(axis=(0, 1)).max())
    return f"of one level (mean {mean:.0f} of 255, contrast {contrast:.1f})" if contrast < FLAT else None


def _from_integers(image: Image.Image) -> np.ndarray:
    wide = np.asarray(image).astype(np.int64)
    bits, signed = int(_tag(image, _BITS, 16)), _tag(image, _SAMPLE, 1) == _SIGNED
    white = (1 << bits - signed) - 1 if 8 < bits <= 16 else _WHOLE
    low, high = int(wide.min()), int(wide.max())
    if low < 0 or high > white:
        raise LevelsError(f"integers from {low} to {high}", f"levels from 0 to {white}")
    grey: np.ndarray = ((wide * _FULL + white // 2) // white).astype(np.uint8)
    return grey


def _from_floats(image: Image.Image) -> np.ndarray:
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise LevelsError("floating-point levels that are not finite", "floats from 0 to 1, or from 0 to 255")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > _FULL:
        raise LevelsError(f"floating-point levels from {low:g} to {high:g}", "floats from 0 to 1, or from 0 to 255")
    # A picture of 0 to 255 that stays within 1 would be black all over.
    return np.rint(values * (_FULL if high <= 1 else 1)).astype(np.uint8)


def _tag(image: Image.Image, number: int, default: int) -> int:
    """A number from a TIFF's header; other formats have none of their own."""
    value = getattr(image, "tag_v2", {}).get(number, default)
    return int(value[0] if isinstance(value, tuple) else value)
