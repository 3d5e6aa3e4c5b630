"""Pictures that come in from outside: bounded before they are decoded."""

import base64
import binascii
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lrface.errors import DataError
from lrface.images.alignment import resize
from lrface.images.reading.reader import BadImageError, decode_image
from lrface.images.sizes import FACE_SIZE, VLR_MAX

MOST_IMAGES: Final = 64
MOST_BYTES: Final = 2 * 1024**2
LARGEST_SIDE: Final = 1024
MOST_PIXELS: Final = 16 * LARGEST_SIDE**2
SMALLEST_SIDE: Final = 8
_DATA_URL: Final = re.compile(r"\A\s*data:[^,]*?;base64,", re.IGNORECASE)
_OTHER_URL: Final = re.compile(r"\A\s*([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_PLAIN: Final = str.maketrans({"\r": None, "\n": None, "\t": None, "\ufeff": None, "-": "+", "_": "/"})
_HEXADECIMAL: Final = re.compile(r"(?:[0-9a-f]{2}){32,}|(?:[0-9A-F]{2}){32,}")
_FILE_NAME: Final = re.compile(r"[\w./\\ :~-]{1,200}\.\w{2,4}")
_STRANGE: Final = re.compile(r"[^A-Za-z0-9+/=]")
_SHOWN: Final = 12


def decode_images(texts: Sequence[object], sides: list[float] | None = None) -> list[UInt8[np.ndarray, "s s 3"]]:
    """Decode pictures of aligned faces that came as base64 or as bytes.

    The side is read from the header and held against the bound before a pixel is decoded, so a small file
    that would unfold into gigabytes is refused by its header.

    Args:
        texts: Base64 (plain or in the URL-safe alphabet, with line breaks or without, with a ``data:`` prefix or
            without) or the bytes of a picture that ``images.reading`` reads, square, 8 to 1024 pixels, at most 2 MiB
            each, at most 64 of them, with 16 megapixels in all.
        sides: Gets the side of each picture as it came, pixels.

    Returns:
        RGB, upright: those of 8 to 32 pixels as they are, larger ones at 112 x 112, as ``prepare`` makes them.

    Raises:
        DataError: One of them is something else; the message says which.
    """
    _count(texts)
    images: list[UInt8[np.ndarray, "s s 3"]] = []
    left = MOST_PIXELS
    for index, text in enumerate(texts):
        image = _decode(text, f"image {index}", left)
        left -= image.shape[0] ** 2
        side = image.shape[0]
        if sides is not None:
            sides.append(side)
        images.append(image if side <= VLR_MAX or side == FACE_SIZE else resize(image))
    return images


def decode_photographs(texts: Sequence[object]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Decode photographs of any shape that came as base64 or as bytes, one after the other.

    Args:
        texts: As ``decode_images`` takes them; at most 16 megapixels each and in all.

    Raises:
        DataError: One of them is something else; the message says which.
    """
    _count(texts)
    left = MOST_PIXELS
    for index, text in enumerate(texts):
        what = f"image {index}"
        try:
            image = decode_image(_bytes(text, what), what, left)
        except BadImageError as error:
            large = error.kind == "too_large"
            raise DataError(
                what,
                got=f"{error.got} after others" if large and index else error.got,
                expected=f"at most {MOST_PIXELS:,} pixels in all" if large else error.expected,
                remedy="send smaller pictures, or several requests" if large else error.advice,
            ) from error
        left -= image.shape[0] * image.shape[1]
        yield image


def encode_png(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return a picture as base64 of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def _count(texts: Sequence[object]) -> None:
    if not 1 <= len(texts) <= MOST_IMAGES:
        raise DataError(
            "request",
            got=f"{len(texts)} images",
            expected=f"1 to {MOST_IMAGES}",
            remedy="send them in several requests",
        )


def _decode(text: object, what: str, left: int) -> UInt8[np.ndarray, "s s 3"]:
    bound = LARGEST_SIDE**2
    try:
        image = decode_image(_bytes(text, what), what, min(bound, left))
    except BadImageError as error:
        if error.kind == "too_large" and left < bound:
            raise DataError(
                what,
                got=f"{error.got} after others, more than {MOST_PIXELS:,} in the request",
                expected=f"at most {MOST_PIXELS:,} in all",
                remedy="send smaller pictures, or several requests",
            ) from error
        large = error.kind == "too_large"
        raise DataError(
            what,
            got=error.got,
            expected=_EXPECTED if large else error.expected,
            remedy="send a smaller one" if large else error.advice,
        ) from error
    height, width = image.shape[:2]
    if width != height or not SMALLEST_SIDE <= width <= LARGEST_SIDE:
        raise DataError(what, got=f"{width}x{height} pixels", expected=_EXPECTED, remedy="crop the face first")
    return image


_EXPECTED: Final = f"an aligned face, square, {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"


def _bytes(text: object, what: str) -> bytes:
    if isinstance(text, bytearray | memoryview):
        text = bytes(text)
    if not isinstance(text, str | bytes):
        raise DataError(
            what,
            got=type(text).__name__,
            expected="base64 text, or bytes in Python",
            remedy="encode the picture as base64",
        )
    most = MOST_BYTES if isinstance(text, bytes) else MOST_BYTES * 3 // 2
    if len(text) > most:
        raise _too_long(what, len(text), "bytes" if isinstance(text, bytes) else "characters")
    content = text if isinstance(text, bytes) else _from_base64(text, what) if text else b""
    if len(content) > MOST_BYTES:
        raise _too_long(what, len(content), "bytes")
    return content


def _from_base64(text: str, what: str) -> bytes:
    """Decodes base64 with line breaks, of either alphabet, with the padding at its end or without."""
    prefix = _DATA_URL.match(text)
    start = prefix.end() if prefix else 0
    plain = text[start:].translate(_PLAIN).strip(" ")
    strange = _STRANGE.search(plain)
    if strange is not None:
        raise _no_base64(what, _cause(text, plain, strange))
    if _HEXADECIMAL.fullmatch(plain):
        raise _no_base64(what, "hexadecimal digits")
    plain = plain.rstrip("=")
    if not plain:
        raise _no_base64(what, "no text")
    if "=" in plain:
        raise _no_base64(what, "text that is no base64 ('=' in the middle)")
    if len(plain) % 4 == 1:
        raise _no_base64(what, "text that is no base64 (cut off: a character is missing or too much)")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _no_base64(what, f"text that is no base64 ({error})") from error


def _cause(text: str, plain: str, strange: re.Match[str]) -> str:
    """Why a text is no base64."""
    if re.match(r"\A\s*b(['\"])", text):
        return "text that is no base64 (Python's b'...': call .decode() on it)"
    url = _OTHER_URL.match(text)
    if url is not None:
        scheme = url.group(1).lower()
        return f"an address ({scheme}:)" if scheme != "data" else "a data: URL without ;base64,"
    if _FILE_NAME.fullmatch(text.strip()):
        return "the name of a file, which is not opened here"
    if strange.group() == " ":
        return "text that is no base64 (spaces: a + becomes one in a form that is not URL-encoded)"
    if strange.group() == "\\":
        return "text that is no base64 (backslashes: escaped twice)"
    if strange.group() == "%":
        return "text that is no base64 (URL-encoded)"
    shown = plain[strange.start() : strange.start() + _SHOWN]
    return f"text that is no base64 ({shown!r} at character {strange.start()})"


def _no_base64(what: str, got: str) -> DataError:
    return DataError(what, got=got, expected="base64 of a picture", remedy="encode the picture's bytes as base64")


def _too_long(what: str, length: int, unit: str) -> DataError:
    return DataError(
        what,
        got=f"{length:,} {unit}",
        expected=f"at most {MOST_BYTES:,} bytes, or that as base64",
        remedy="send a smaller file",
    )
