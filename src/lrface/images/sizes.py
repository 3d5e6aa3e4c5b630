"""Sides of faces, in pixels."""

import numpy as np
from jaxtyping import UInt8

FACE_SIZE = 112
"""Side of an aligned face, in pixels."""

VLR_MIN = 8
VLR_MAX = 32
"""Smallest and largest side of a very-low-resolution face, in pixels."""


def is_small_face(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether a picture is taken for a small face as it is: square, of 8 to 32 pixels."""
    height, width = image.shape[:2]
    return bool(height == width and VLR_MIN <= height <= VLR_MAX)
