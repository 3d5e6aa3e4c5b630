"""Pictures that come in from outside: bounded before they are decoded."""

import base64
import binascii
import io
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from lrface.errors import DataError

MOST_IMAGES: Final = 64
MOST_BYTES: Final = 2 * 1024**2
LARGEST_SIDE: Final = 1024
MOST_PIXELS: Final = 16 * LARGEST_SIDE**2
SMALLEST_SIDE: Final = 8
_FORMATS: Final = ("PNG", "JPEG", "WEBP")
_DATA_URL: Final = re.compile(r"\Adata:image/[a-z]{3,5};base64,")


def decode_images(texts: Sequence[object]) -> list[UInt8[np.ndarray, "s s 3"]]:
    """Decode pictures of aligned faces that came as base64 or as bytes.

    The side is read from the header and held against the bound before a pixel is decoded, so a small file
    that would unfold into gigabytes is refused by its header.

    Args:
        texts: Base64 (plain, or as a ``data:`` URL) or the bytes of PNG, JPEG or WebP, square, 8 to 1024 pixels, at
            most 2 MiB each, at most 64 of them, with 16 megapixels in all.

    Raises:
        DataError: One of them is something else; the message says which.
    """
    if not 1 <= len(texts) <= MOST_IMAGES:
        raise DataError(
            "request",
            got=f"{len(texts)} images",
            expected=f"1 to {MOST_IMAGES}",
            remedy="send them in several requests",
        )
    images: list[UInt8[np.ndarray, "s s 3"]] = []
    left = MOST_PIXELS
    for index, text in enumerate(texts):
        images.append(_decode(text, f"image {index}", left))
        left -= images[-1].shape[0] ** 2
    return images


def encode_png(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """Return a picture as base64 of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def _decode(text: object, what: str, most: int) -> UInt8[np.ndarray, "s s 3"]:
    data = _bytes(text, what)
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            width, height = image.size
            if width != height or not SMALLEST_SIDE <= width <= LARGEST_SIDE:
                raise DataError(
                    what,
                    got=f"{width} x {height} pixels",
                    expected=f"an aligned face, square, {SMALLEST_SIDE} to {LARGEST_SIDE} pixels",
                    remedy="crop the face first",
                )
            if width * height > most:
                raise DataError(
                    what,
                    got=f"{width} x {height} pixels after others, more than {MOST_PIXELS:,} in the request",
                    expected=f"at most {MOST_PIXELS:,} in all",
                    remedy="send smaller pictures, or several requests",
                )
            if getattr(image, "n_frames", 1) > 1:
                raise DataError(what, got="an animation", expected="one picture", remedy="send one frame")
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            what,
            got=f"a file that does not read ({type(error).__name__})",
            expected=" or ".join(_FORMATS),
            remedy="send a whole picture",
        ) from error


def _bytes(text: object, what: str) -> bytes:
    if isinstance(text, bytes) and len(text) <= MOST_BYTES:
        return text
    if not isinstance(text, str | bytes):
        raise DataError(
            what,
            got=type(text).__name__,
            expected="base64 text, or bytes in Python",
            remedy="encode the picture as base64",
        )
    if len(text) > MOST_BYTES * 4 // 3 + 64 or isinstance(text, bytes):
        raise DataError(
            what,
            got=f"{len(text):,} {'bytes' if isinstance(text, bytes) else 'characters'}",
            expected=f"at most {MOST_BYTES:,} bytes, or that as base64",
            remedy="send a smaller file",
        )
    text = _DATA_URL.sub("", text, count=1)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            what, got="text that is no base64", expected="base64", remedy="encode the picture as base64"
        ) from error
