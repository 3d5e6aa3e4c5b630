"""Pictures as a program has them: paths, bytes, arrays, Pillow's images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from lrface.base.given_paths import given_path
from lrface.errors import DataError
from lrface.images.reading.levels import LevelsError, as_rgb
from lrface.images.reading.reader import BadImageError, decode_image, read_image

MOST_PIXELS: Final = 64_000_000

Picture = str | os.PathLike[str] | bytes | np.ndarray | Image.Image
"""A path, the bytes of a file, an array (uint8, h x w x 3 RGB or h x w grey), or Pillow's image."""


def picture_of(given: Picture, what: str = "picture") -> UInt8[np.ndarray, "h w 3"]:
    """Returns a picture as upright RGB, whatever it came as.

    Args:
        given: The picture.
        what: What to call it in messages, where it has no name of its own.

    Raises:
        DataError: It is no picture, or larger than 64 megapixels.
        ConfigError: It is a path that can be none.
    """
    try:
        if isinstance(given, str | os.PathLike):
            path = given_path(Path(given))
            return read_image(path, f"{what} {path}", MOST_PIXELS)
        if isinstance(given, bytes):
            return decode_image(given, what, MOST_PIXELS)
        if isinstance(given, Image.Image):
            return _within(as_rgb(ImageOps.exif_transpose(given)), what)
    except BadImageError as error:
        raise DataError(error.what, got=error.got, expected=error.expected, remedy=error.advice) from error
    except LevelsError as error:
        raise DataError(what, got=str(error), expected=error.expected, remedy="convert it to 8 bits") from error
    return _array(given, what)


def several(given: Picture | Sequence[Picture]) -> list[Picture]:
    """Returns one picture or several as a list; an array of four dimensions is several."""
    if isinstance(given, str | os.PathLike | bytes | Image.Image):
        return [given]
    if isinstance(given, np.ndarray):
        return list(given) if given.ndim == 4 else [given]
    return list(given)


def _array(given: object, what: str) -> np.ndarray:
    if not isinstance(given, np.ndarray):
        raise DataError(
            what,
            got=type(given).__name__,
            expected="a path, bytes of a file, a uint8 array (h x w x 3, RGB) or a Pillow image",
            remedy="convert it",
        )
    if given.dtype != np.uint8:
        raise DataError(
            what,
            got=f"an array of {given.dtype}",
            expected="uint8, 0 to 255",
            remedy="scale it to 0..255 and call .astype('uint8')",
        )
    if given.ndim == 2 and given.size:
        given = np.repeat(given[:, :, None], 3, axis=2)
    if given.ndim != 3 or given.shape[2] != 3 or not given.size:
        raise DataError(
            what,
            got=f"an array of shape {given.shape}",
            expected="h x w x 3 (RGB) or h x w (grey)",
            remedy="send the channels last; of OpenCV's BGR turn them round: image[:, :, ::-1]",
        )
    return _within(np.ascontiguousarray(given), what)


def _within(image: np.ndarray, what: str) -> np.ndarray:
    height, width = image.shape[:2]
    if height * width > MOST_PIXELS:
        raise DataError(
            what, got=f"{width}x{height} pixels", expected=f"at most {MOST_PIXELS:,}", remedy="shrink the picture"
        )
    return image
