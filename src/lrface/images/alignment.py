"""Five-point alignment: landmarks to the 112x112 template of ArcFace and its kin."""

import math
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lrface.errors import DataError
from lrface.images.sizes import VLR_MAX, VLR_MIN

FACE_SIZE = 112

TEMPLATE = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ],
    dtype=np.float64,
)
"""Eyes, nose tip, mouth corners in the aligned face, pixels (x, y), left of the picture first."""

TEMPLATE.flags.writeable = False

_SUPERSAMPLE_FROM = 1.25


def similarity(
    points: Float[np.ndarray, "n 2"], template: Float[np.ndarray, "n 2"] = TEMPLATE
) -> Float[np.ndarray, "2 3"]:
    """Fits the similarity that brings points to a template with least squares.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns" (1991),
    equations 39 to 42. Rotation, one scale and translation, never a reflection. In the plane such a map is
    multiplication by one complex number and addition of another, so ordinary regression finds it.

    Args:
        points: Landmarks, pixels (x, y).
        template: Where they belong, in the same order.

    Returns:
        The matrix for column vectors (x, y, 1).

    Raises:
        DataError: All points are one, or not finite.
    """
    return _as_matrix(*_fit(_checked(points), _as_complex(template)))


def similarity_error(
    points: Float[np.ndarray, "n 2"], template: Float[np.ndarray, "n 2"] = TEMPLATE
) -> tuple[float, float, float]:
    """Says how well points fit a template under ``similarity``.

    Args:
        points: Landmarks, pixels (x, y).
        template: Where they belong, in the same order.

    Returns:
        Root mean square distance to the template, pixels of the template; angle of the turn, degrees, -180 to 180;
        scale.

    Raises:
        DataError: All points are one, or not finite.
    """
    here, there = _checked(points), _as_complex(template)
    scale, shift = _fit(here, there)
    apart = scale * here + shift - there
    error = math.sqrt(float(np.vdot(apart, apart).real) / len(apart))
    return error, math.degrees(math.atan2(scale.imag, scale.real)), abs(scale)


def robust_similarity(
    points: Float[np.ndarray, "n 2"], template: Float[np.ndarray, "n 2"] = TEMPLATE
) -> Float[np.ndarray, "2 3"]:
    """Fits the similarity by least median of squares, so that one misplaced landmark does not turn the face.

    Rousseeuw, "Least Median of Squares Regression" (1984). Every pair of points is tried, as there are only
    ten; the pair with the least median error says which points belong, and these are fitted with least
    squares. A nose tip moves against the other four when a head turns: this keeps eyes and mouth in place.

    Args:
        points: Landmarks, pixels (x, y).
        template: Where they belong, in the same order.

    Returns:
        The matrix for column vectors (x, y, 1).

    Raises:
        DataError: All points are one, or not finite.
    """
    here, there = _checked(points), _as_complex(template)
    one, other = _pairs(len(points))
    apart = np.abs(here[other] - here[one]) > 1e-6
    one, other = one[apart], other[apart]
    scale = (there[other] - there[one]) / (here[other] - here[one])
    shift = there[one] - scale * here[one]
    error = np.abs(scale[:, None] * here + shift[:, None] - there)
    medians = _row_medians(error)
    best = int(np.argmin(medians))
    # The usual robust standard deviation with its correction for few points (Rousseeuw and Leroy, 1987).
    reach = 2.5 * 1.4826 * (1 + 5 / (len(points) - 2)) * medians[best]
    inside = error[best] <= max(reach, 1e-3)
    return _as_matrix(*_fit(here[inside], there[inside]))


def warp(
    image: UInt8[np.ndarray, "h w 3"], matrix: Float[np.ndarray, "2 3"], size: int = FACE_SIZE
) -> UInt8[np.ndarray, "size size 3"]:
    """Brings an image into the aligned frame; what lies outside repeats the border.

    Bilinear where the face grows or hardly shrinks. Where it shrinks more, bilinear sampling would skip
    pixels and alias; then the face is sampled on a finer grid and averaged down to the wanted one.

    Args:
        image: The image, RGB.
        matrix: From image to aligned frame, pixels.
        size: Side of the aligned frame.

    Returns:
        The aligned face, RGB.
    """
    shrink = 1.0 / float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if shrink <= _SUPERSAMPLE_FROM:
        return _sample(image, matrix, size)
    finer = int(np.ceil(shrink))
    # Centre of the fine cells, so that averaging them lands on the centre of the wanted pixel.
    fine = matrix * finer
    fine[:, 2] += (finer - 1) / 2
    sampled = _sample(image, fine, size * finer)
    averaged: np.ndarray = cv2.resize(sampled, (size, size), interpolation=cv2.INTER_AREA)
    return averaged


def resize(image: UInt8[np.ndarray, "h w 3"], size: int = FACE_SIZE) -> UInt8[np.ndarray, "size size 3"]:
    """Resizes a square image: by area where it shrinks, bicubic where it grows.

    Args:
        image: The image, RGB.
        size: The wanted side.

    Returns:
        The image, RGB.
    """
    if image.shape[:2] == (size, size):
        return image
    kind = cv2.INTER_AREA if min(image.shape[:2]) > size else cv2.INTER_CUBIC
    resized: np.ndarray = cv2.resize(image, (size, size), interpolation=kind)
    return resized


def is_small_face(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether a picture is taken for a small face as it is: square, of 8 to 32 pixels."""
    height, width = image.shape[:2]
    return bool(height == width and VLR_MIN <= height <= VLR_MAX)


def centre_square(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "side side 3"]:
    """Cuts the largest square out of the middle of an image."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def yaw(points: Float[np.ndarray, "5 2"]) -> float:
    """Estimates how far a head is turned, from five landmarks.

    The nose tip stands in front of the plane of eyes and mouth by about half of the distance of the eyes, so
    it moves sideways by its height times the tangent of the yaw. A rough figure, good to sort faces into
    frontal and not: true yaw and this differ by some 10 degrees.

    Args:
        points: Eyes, nose tip, mouth corners, pixels (x, y), left of the picture first.

    Returns:
        Degrees; positive where the nose points to the right of the picture.
    """
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    down = mouth - eyes
    length = float(np.linalg.norm(down))
    if length < 1e-6:
        return 90.0
    down = down / length
    across = np.array([down[1], -down[0]])
    aside = float((points[2] - eyes) @ across)
    # The face's height does not shrink with yaw, unlike the distance of the eyes; in the template the two
    # are 40.7 and 35.2 pixels.
    nose_height = 0.5 * length * _EYES_TO_HEIGHT
    return float(np.degrees(np.arctan2(aside, nose_height)))


_EYES_TO_HEIGHT = float(
    np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]) / np.linalg.norm(TEMPLATE[3:].mean(axis=0) - TEMPLATE[:2].mean(axis=0))
)


def _checked(points: np.ndarray) -> np.ndarray:
    here = _as_complex(points)
    if not np.isfinite(here).all() or np.abs(here - here[0]).max() < 1e-6:
        raise DataError(
            "landmarks of a face",
            got=f"{np.round(points, 2).tolist()}",
            expected="distinct points",
            remedy="correct the landmarks or leave the file out",
        )
    return here


@lru_cache
def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.triu_indices(count, 1)
    return one, other


def _row_medians(values: np.ndarray) -> np.ndarray:
    # np.median spends more on its checks than on so few numbers.
    ordered = np.sort(values, axis=1)
    middle = values.shape[1] // 2
    medians: np.ndarray = ordered[:, middle]
    return medians if values.shape[1] % 2 else (medians + ordered[:, middle - 1]) / 2


def _as_complex(points: np.ndarray) -> np.ndarray:
    numbers: np.ndarray = np.ascontiguousarray(points, dtype=np.float64).view(np.complex128)[:, 0]
    return numbers


def _fit(here: np.ndarray, there: np.ndarray) -> tuple[complex, complex]:
    centred = here - here.mean()
    scale = complex(np.vdot(centred, there) / np.vdot(centred, centred).real)
    return scale, complex(there.mean() - scale * here.mean())


def _as_matrix(scale: complex, shift: complex) -> np.ndarray:
    return np.array([[scale.real, -scale.imag, shift.real], [scale.imag, scale.real, shift.imag]])


def _sample(image: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    sampled: np.ndarray = cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return sampled
