"""Reads one image file, strictly and within bounds: RGB, 8 bits, upright."""

import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from lrface.errors import DataError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".pnm", ".webp", ".bmp", ".tif", ".tiff"})

_FORMATS = ("PNG", "JPEG", "PPM", "WEBP", "BMP", "TIFF")
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_MAY_BE_TURNED = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
# Pillow reports damage inside a file with any of these, according to format.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
)


class BadImageError(DataError):
    """A file that cannot be used as an image.

    Args:
        kind: Short name to count by.
        what: The file.
        got: What it is.
        expected: What would have been right.
        remedy: What to do about it.
    """

    def __init__(self, kind: str, what: str, *, got: str, expected: str, remedy: str) -> None:
        super().__init__(what, got=got, expected=expected, remedy=remedy)
        self.kind = kind


def read_image(path: Path, name: str, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Reads an image file as upright RGB.

    Grey becomes three equal channels, 16 bits become 8, transparency is dropped, an EXIF orientation is
    applied. The size is checked from the header, before anything is decoded.

    Args:
        path: The file.
        name: What to call it in messages.
        max_pixels: Most pixels that are decoded.

    Returns:
        The image.

    Raises:
        BadImageError: The file is missing, empty, broken, no image, or too large.
    """
    try:
        with path.open("rb") as file:
            return _read(file, name, max_pixels)
    except OSError as error:
        raise _bad("unreadable", name, f"a file that cannot be read ({error.strerror})") from error


def decode_image(content: bytes, name: str, max_pixels: int) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes the content of an image file as ``read_image`` does.

    Raises:
        BadImageError: As ``read_image``.
    """
    return _read(io.BytesIO(content), name, max_pixels)


def image_pixels(path: Path) -> int:
    """Reads from the header how many pixels an image has; 0 where it has none that can be read."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.width * image.height
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DAMAGE):
        return 0  # reading the image says what is wrong with it


def _read(file: BinaryIO, name: str, max_pixels: int) -> np.ndarray:
    try:
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _too_large(name, f"{width}x{height} pixels", max_pixels)
            image.load()
            if any(key in image.info for key in _MAY_BE_TURNED):
                return _as_rgb(ImageOps.exif_transpose(image), name)
            return _as_rgb(image, name)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "far too many pixels", max_pixels) from error
    except UnidentifiedImageError as error:
        if file.seek(0, io.SEEK_END) == 0:
            raise _bad("empty", name, "an empty file") from error
        raise _bad("broken", name, "a file in no known image format") from error
    except _DAMAGE as error:
        raise _bad("broken", name, f"a damaged image ({error})") from error


def _as_rgb(image: Image.Image, name: str) -> np.ndarray:
    if image.mode == "RGB":
        return np.asarray(image)
    if image.mode in _WIDE:
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise _bad("unsupported", name, "an image with more than 16 bits")
        grey = ((wide * 255 + 32767) // 65535).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "F":
        raise _bad("unsupported", name, "an image of floating-point numbers")
    return np.asarray(image.convert("RGB"))


def _bad(kind: str, name: str, got: str) -> BadImageError:
    return BadImageError(
        kind,
        name,
        got=got,
        expected="a PNG, JPEG, PGM, WebP, BMP or TIFF image",
        remedy="replace or remove the file, or set on_bad_image=skip",
    )


def _too_large(name: str, got: str, max_pixels: int) -> BadImageError:
    return BadImageError(
        "too_large",
        name,
        got=got,
        expected=f"{max_pixels} pixels or fewer",
        remedy="shrink the file, raise max_pixels, or set on_bad_image=skip",
    )
