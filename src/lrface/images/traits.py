"""What can be told of an aligned HR face without landmarks: light, contrast, sharpness, and how even its sides are."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

from lrface.images.stored import StoredFaces

CENTRE = slice(16, 96)
"""Rows and columns that hold the face and little else, in pixels of the 112."""
LEAST, BATCH = 1e-6, 256


@dataclass(frozen=True, slots=True)
class Traits:
    """Of one face, over its middle 80 x 80 pixels.

    Attributes:
        brightness: Mean grey level, in [0, 1].
        contrast: Standard deviation of the grey levels, in [0, 1].
        sharpness: Variance of the Laplacian over that of the grey levels, logarithm to base 10: fine detail whatever
            the contrast (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000).
        asymmetry: Mean difference between the strength of edges and that of the mirror image, over the mean strength,
            in [0, 2]: rises with a head that is turned, and with light from one side, which it cannot tell apart.
    """

    brightness: float
    contrast: float
    sharpness: float
    asymmetry: float


def traits(face: UInt8[np.ndarray, "112 112 3"]) -> Traits:
    """Measures an aligned face, RGB."""
    grey = cv2.cvtColor(np.ascontiguousarray(face[CENTRE, CENTRE]), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    detail = float(cv2.Laplacian(grey, cv2.CV_32F).var()) / (float(grey.var()) + LEAST)
    # edges at the scale of eyes and mouth; fine texture is sharpness
    smooth = cv2.GaussianBlur(grey, (0, 0), 3.0)
    edges = np.hypot(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    uneven = float(np.abs(edges - edges[:, ::-1]).mean()) / (float(edges.mean()) + LEAST)
    return Traits(float(grey.mean()), float(grey.std()), float(np.log10(detail + LEAST)), uneven)


def traits_of(faces: StoredFaces, rows: Sequence[int]) -> list[Traits]:
    """Measures some stored faces, a batch in memory at a time."""
    parts = (list(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
    return [traits(face) for part in parts for face in np.asarray(faces[part])]
