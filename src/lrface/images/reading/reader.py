"""The one reader of pictures: RGB, 8 bits, upright, strictly and within bounds.

Every room that takes a picture from outside takes it through here, so that the same file is the same pixels for
``prepare``, the gallery, the served pair, the page, ``evaluate`` and ``verify``.
"""

import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError, features

from lrface.errors import DataError
from lrface.images.reading.jpeg import jpeg_pixels
from lrface.images.reading.levels import LevelsError, as_rgb
from lrface.images.reading.signs import BEGINNING, sign_of

_AVIF: Final = (("AVIF",), (".avif",)) if features.check("avif") else ((), ())
IMAGE_SUFFIXES: Final = frozenset(
    {
        *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".jp2", ".j2k", *_AVIF[1]),
        *(".tif", ".tiff", ".bmp", ".dib", ".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
    }
)
"""Suffixes of pictures, in lower case. What a file holds is told by its content, never by its suffix."""

_FORMATS: Final = ("PNG", "JPEG", "PPM", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", *_AVIF[0])
EXPECTED: Final = "a PNG, JPEG, WebP, AVIF, TIFF, BMP, PGM, GIF or JPEG 2000 image"
_MAY_BE_TURNED = ("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif")
_ORIENTATION: Final = 274
_ORIENTATION_TAGS: Final = (b"\x12\x01\x03\x00", b"\x01\x12\x00\x03")
"""The tag and its type as EXIF holds them, of either byte order."""
_WORDS_OF_PILLOW: Final = "(Possibly )?corrupt EXIF data|Truncated File Read|Metadata Warning|Image (appears|size)"
# They name no file, and what of it matters is found and told here.
warnings.filterwarnings("ignore", _WORDS_OF_PILLOW, Warning, "PIL")
# How compressed formats end, where they have an end; what is only levels may end in zeros.
_ENDS: Final[dict[str | None, bytes]] = {
    "PNG": b"IEND\xaeB`\x82",
    "JPEG": b"\xff\xd9",
    "MPO": b"\xff\xd9",
    "GIF": b"\x3b",
    "JPEG2000": b"\xff\xd9",
    "WEBP": b"",
    "AVIF": b"",
}
_JPEG: Final = ("JPEG", "MPO")
_PLAIN: Final = ("RGB", "L")
_OR_SKIP: Final = ", or set on_bad_image=skip"
_ZEROS: Final = 64
_BLOCK: Final = 1 << 20
_SECOND_PAGES: Final = 16
_SMALLER_OR_MASK: Final = 0b101
_PAGE_KIND: Final = 254
# Pillow reports damage inside a file with any of these, according to format.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    AttributeError,
    TypeError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    MemoryError,
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
        self.advice = remedy.removesuffix(_OR_SKIP)
        """The remedy where nothing can be skipped."""


def read_image(
    path: Path, name: str, max_pixels: int, sized: Callable[[int], object] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Reads an image file as upright RGB.

    Grey, palettes, CMYK and LAB become RGB, transparency is dropped, an EXIF orientation is applied. Integers of 16
    bits (and of 12 that the file declares) and floats (0 to 1, or 0 to 255) are scaled to 8 bits. Of an MPO, which
    telephones write, the first picture is taken, as the format says. The size is checked from the header, before
    anything is decoded.

    Args:
        path: The file.
        name: What to call it in messages.
        max_pixels: Most pixels that are decoded.
        sized: Called with how many pixels there are, before they are decoded; may wait until there is room for them.

    Returns:
        The image.

    Raises:
        BadImageError: The file is missing, empty, broken, no image, too large, or holds several pictures of which
            none is the first by its format.
    """
    try:
        if not path.is_file() and path.exists():
            raise _bad("unreadable", name, "a folder" if path.is_dir() else "no regular file")
        with path.open("rb") as file:
            return _read(file, name, max_pixels, sized)
    except OSError as error:
        raise _bad("unreadable", name, f"a file that cannot be read ({error.strerror})") from error


def decode_image(
    content: bytes, name: str, max_pixels: int, sized: Callable[[int], object] | None = None
) -> UInt8[np.ndarray, "h w 3"]:
    """Decodes the content of an image file as ``read_image`` does.

    Raises:
        BadImageError: As ``read_image``.
    """
    return _read(io.BytesIO(content), name, max_pixels, sized)


def _read(file: BinaryIO, name: str, max_pixels: int, sized: Callable[[int], object] | None) -> np.ndarray:
    try:
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _too_large(name, f"{width}x{height} pixels", max_pixels)
            if _holds_several(image):
                raise _bad("several", name, f"several pictures in one {image.format} file", "one picture", "split it")
            if _is_cut_off(file, image):
                raise _bad("broken", name, "a damaged image (it ends in zeros, as one that was not copied whole)")
            if sized is not None:
                sized(width * height)
            return _turned(_pixels(file, image), _orientation(image, name))
    except BadImageError:
        raise
    except LevelsError as error:
        raise _bad("unsupported", name, str(error), error.expected, "save it with 8 bits") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "far too many pixels", max_pixels) from error
    except UnidentifiedImageError as error:
        raise _unknown(file, name) from error
    except _DAMAGE as error:
        raise _bad("broken", name, f"a damaged image ({_in_one_line(error)})") from error


def _pixels(file: BinaryIO, image: Image.Image) -> np.ndarray:
    if image.format in _JPEG and image.mode in _PLAIN and (pixels := jpeg_pixels(file)) is not None:
        return pixels
    image.load()
    return as_rgb(image)


def _orientation(image: Image.Image, name: str) -> int:
    """Which way is up, as EXIF counts it: 1 where the picture lies as it is."""
    if not any(key in image.info for key in _MAY_BE_TURNED):
        return 1
    raw, exif = image.info.get("exif", b""), image.getexif()
    if _ORIENTATION not in exif and any(tag in raw for tag in _ORIENTATION_TAGS):
        raise _bad("broken", name, "EXIF that is damaged where it says which way is up", remedy="save the picture anew")
    value = exif.get(_ORIENTATION)
    return value if isinstance(value, int) else 1


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    if 5 <= orientation <= 8:  # rows and columns are exchanged
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _holds_several(image: Image.Image) -> bool:
    """Whether there are several pictures of which none is the first by the format, as in an animation."""
    if image.format == "MPO":
        return False
    if image.format == "GIF":
        return bool(getattr(image, "is_animated", False))  # n_frames would walk the whole file
    if image.format != "TIFF":
        return getattr(image, "n_frames", 1) > 1
    try:
        for page in range(1, _SECOND_PAGES):
            image.seek(page)
            # A page may be a thumbnail or a mask of the first.
            if not int(image.getexif().get(_PAGE_KIND, 0)) & _SMALLER_OR_MASK:
                return True
    except EOFError:
        return False
    finally:
        image.seek(0)
    return True


def _is_cut_off(file: BinaryIO, image: Image.Image) -> bool:
    """Whether a compressed file ends in zeros that are not behind its end: decoders take zeros for grey or black."""
    end = _ENDS.get(image.format)
    if end is None or (not end and "exif" in image.info):  # metadata may come last, and end in zeros
        return False
    place = file.tell()
    try:
        size = file.seek(0, os.SEEK_END)
        if size <= _ZEROS:
            return False
        file.seek(-_ZEROS, os.SEEK_END)
        return not any(file.read()) and (not end or not _before_zeros(file, size).endswith(end))
    finally:
        file.seek(place)


def _before_zeros(file: BinaryIO, size: int) -> bytes:
    """The last bytes of a file that are not zero; it may be far larger than memory, and nearly all of it zeros."""
    while size > 0:
        start = max(0, size - _BLOCK)
        file.seek(start)
        block = file.read(size - start).rstrip(b"\0")
        if block:
            file.seek(max(0, start + len(block) - _BLOCK))
            return file.read(_BLOCK).rstrip(b"\0")
        size = start
    return b""


def _unknown(file: BinaryIO, name: str) -> BadImageError:
    file.seek(0)
    beginning = file.read(BEGINNING)
    if not beginning:
        return _bad("empty", name, "an empty file")
    sign = sign_of(beginning)
    if sign is None:
        return _bad("broken", name, "a file in no known image format")
    return _bad(sign.kind, name, sign.what, remedy=sign.remedy)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _bad(kind: str, name: str, got: str, expected: str = EXPECTED, remedy: str | None = None) -> BadImageError:
    remedy = remedy or "replace or remove the file"
    return BadImageError(kind, name, got=got, expected=expected, remedy=f"{remedy}{_OR_SKIP}")


def _too_large(name: str, got: str, max_pixels: int) -> BadImageError:
    return BadImageError(
        "too_large",
        name,
        got=got,
        expected=f"{max_pixels} pixels or fewer",
        remedy="shrink the file, raise max_pixels, or set on_bad_image=skip",
    )
