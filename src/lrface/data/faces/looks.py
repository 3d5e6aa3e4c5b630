"""What a face detector does round its network: shrink, and compare what was found."""

import cv2
import numpy as np

_NESTED = 0.8
_LINEAR_TO = 3


def shrunk(image: np.ndarray, side: int, *, quick: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Shrinks an image to a longer side where it is larger.

    Args:
        image: The image, h x w x 3.
        side: The longer side, pixels.
        quick: Bilinear where that skips few pixels, else by area.

    Returns:
        The image, and how many of its pixels one has become, (x, y).
    """
    longest = max(image.shape[:2])
    if side >= longest:
        return image, np.ones(2)
    height, width = (max(1, round(length * side / longest)) for length in image.shape[:2])
    kind = cv2.INTER_LINEAR if quick and longest <= _LINEAR_TO * side else cv2.INTER_AREA
    seen = cv2.resize(image, (width, height), interpolation=kind)
    return seen, np.array([image.shape[1] / width, image.shape[0] / height])


def enlarged_back(points: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Brings points (x, y) of a shrunk image to the image: pixel centres are whole numbers, so it begins at -0.5."""
    moved: np.ndarray = (points + 0.5) * scale - 0.5
    return moved


def alone(faces: np.ndarray, score: float) -> np.ndarray | None:
    """The one face with that score, where nothing outside of it might be another.

    Args:
        faces: Box, landmarks and score of each, n x 15, fainter ones among them.
        score: Least score of a face.

    Returns:
        Its row, or None.
    """
    sure = faces[faces[:, 14] >= score]
    if len(sure) != 1:
        return None
    face: np.ndarray = sure[0]
    low = np.maximum(faces[:, :2], face[:2])
    high = np.minimum(faces[:, :2] + faces[:, 2:4], face[:2] + face[2:4])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    smaller = np.minimum(faces[:, 2:4].prod(axis=1), face[2:4].prod())
    return face if (shared > _NESTED * smaller).all() else None


def distinct(faces: np.ndarray, overlap: float) -> list[int]:
    """Keeps the best of faces that were found in several sizes, best first."""
    corner, far = faces[:, :2], faces[:, :2] + faces[:, 2:4]
    area = faces[:, 2] * faces[:, 3]
    kept: list[int] = []
    for face in np.argsort(-faces[:, 14], kind="stable"):
        width, height = np.clip(np.minimum(far[kept], far[face]) - np.maximum(corner[kept], corner[face]), 0, None).T
        shared = width * height
        if (shared <= overlap * (area[kept] + area[face] - shared)).all():
            kept.append(int(face))
    return kept
