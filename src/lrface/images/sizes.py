"""Sides of faces, in pixels."""

FACE_SIZE = 112
"""Side of an aligned face, in pixels."""

VLR_MIN = 8
VLR_MAX = 32
"""Smallest and largest side of a very-low-resolution face, in pixels."""
