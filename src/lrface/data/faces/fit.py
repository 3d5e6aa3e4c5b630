"""How a picture came to its face, in figures that tell a right face from a wrong one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lrface.images.alignment import FACE_SIZE, similarity_error

_CLOSE = 6.0
"""Residual in pixels under which a guess at what is wrong with landmarks is believed; see ``CheckSettings``."""
_UPRIGHT = 60.0


@dataclass(frozen=True, slots=True)
class Fit:
    """Figures of one alignment.

    Attributes:
        method: ``as_is``, ``resized``, ``yunet``, ``landmarks``, ``centre``, or ``middle`` where the middle square was
            taken for want of anything better.
        side: Side of the square in the picture that became the face, pixels of the picture.
        residual: Root mean square distance of the landmarks to their places after the best similarity, pixels of the
            aligned face; 0 without landmarks.
        angle: By how much the face was turned, degrees, -180 to 180; 0 without landmarks.
        outside: How far the furthest landmark lies outside the picture, as a share of its longer side.
        reach: How far to the right and down the furthest landmark lies, as a share of width or height.
        guess: What may be wrong with landmarks that fit no face.
        faces: How many faces the detector found.
        rival: How large the largest other face is, as a share of the area of the chosen one.
    """

    method: str
    side: float
    residual: float = 0.0
    angle: float = 0.0
    outside: float = 0.0
    reach: float = 1.0
    guess: str = ""
    faces: int = 1
    rival: float = 0.0


def fit_of(
    method: str,
    points: Float[np.ndarray, "5 2"],
    shape: tuple[int, ...],
    enlarged: int = 1,
    faces: int = 1,
    rival: float = 0.0,
) -> Fit:
    """Measures landmarks against the template and the picture.

    Args:
        method: Where they are from.
        points: The landmarks, pixels (x, y).
        shape: Height and width of the picture that they are in.
        enlarged: How often that picture's pixels were repeated across and down before.
        faces: How many faces there were.
        rival: How large the largest other one was.

    Raises:
        DataError: All points are one, or not finite.
    """
    residual, angle, scale = similarity_error(points)
    far = np.array([shape[1], shape[0]], dtype=float)
    # Pixel centres lie at whole numbers, so the picture begins at -0.5.
    beyond = np.maximum(-0.5 - points, points - (far - 0.5)).max()
    fits = residual <= _CLOSE and abs(angle) <= _UPRIGHT
    return Fit(
        method=method,
        side=FACE_SIZE / scale / enlarged,
        residual=residual,
        angle=angle,
        outside=max(0.0, float(beyond) / float(far.max())),
        reach=float((points / far).max()),
        guess="" if fits else guess(points),
        faces=faces,
        rival=rival,
    )


def guess(points: Float[np.ndarray, "5 2"]) -> str:
    """Says which other reading of the columns would make a face of landmarks that are none; empty where none does."""
    for text, read in _READINGS.items():
        residual, angle, _ = similarity_error(read(points))
        if residual <= _CLOSE and abs(angle) <= _UPRIGHT:
            return text
    return ""


_TURNED = "x and y are swapped, and left and right, or they are of the picture before it was turned upright"
_ON_ITS_HEAD = "y is counted from below, and left and right are swapped, or the picture stood on its head"
_READINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "left and right are swapped (1 with 2, 4 with 5)": lambda points: points[[1, 0, 2, 4, 3]],
    "x and y are swapped": lambda points: points[:, ::-1],
    _TURNED: lambda points: points[[1, 0, 2, 4, 3]][:, ::-1],
    "y is counted from below": lambda points: points * [1, -1],
    _ON_ITS_HEAD: lambda points: points[[1, 0, 2, 4, 3]] * [1, -1],
    "all x stand before all y": lambda points: points.reshape(2, 5).T,
    "the nose stands first": lambda points: points[[1, 2, 0, 3, 4]],
    "the nose stands last": lambda points: points[[0, 1, 4, 2, 3]],
    "the mouth stands before the eyes": lambda points: points[[2, 3, 4, 0, 1]],
}
