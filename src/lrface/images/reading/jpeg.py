"""JPEG by libjpeg-turbo itself: the pixels that Pillow gives, in half the time, and its warnings beside them.

Pillow drops what libjpeg warns of: of a file whose middle is lost the rest comes out grey or shifted, without a word.
"""

import logging
import os
import re
from typing import BinaryIO, Final

import numpy as np
from jaxtyping import UInt8

try:
    import simplejpeg
except ImportError:  # a clone that runs on what a machine happens to have
    simplejpeg = None
    logging.getLogger(__name__).warning(
        "simplejpeg is not installed: JPEGs are read by Pillow, to the same pixels, and damaged ones are not told"
    )

_READ_WHOLE: Final = 1 << 26
"""Larger files are left to Pillow, which reads them piece by piece [bytes]."""
_DAMAGE: Final = re.compile(r"premature end|bad (Huffman|arithmetic) code|instead of RST", re.IGNORECASE)
_LEFT_OVER: Final = re.compile(r"(\d+) extraneous bytes")
_FEW: Final = 16
"""Bytes that some cameras leave between the picture and its end, and that say nothing about it."""


def jpeg_pixels(file: BinaryIO) -> UInt8[np.ndarray, "h w 3"] | None:
    """Decodes a JPEG of three colours or of grey, as it lies in the file.

    Args:
        file: The file, at any place; it is left there.

    Returns:
        The pixels; None where the file is too large to be read whole, or this decoder does not take it or is not there.

    Raises:
        ValueError: libjpeg warned that a part of the picture is lost, in its own words.
    """
    if simplejpeg is None:
        return None
    place = file.tell()
    try:
        if file.seek(0, os.SEEK_END) > _READ_WHOLE:
            return None
        file.seek(0)
        content = file.read()
    finally:
        file.seek(place)
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(content, "RGB")
    except ValueError as error:
        _look(str(error))
        return None
    return pixels


def _look(warning: str) -> None:
    left_over = _LEFT_OVER.search(warning)
    if _DAMAGE.search(warning) or (left_over is not None and int(left_over[1]) >= _FEW):
        raise ValueError(warning)
