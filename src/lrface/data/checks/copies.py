"""Copies that have been mirrored or cropped, which no hash of the pixels and no hash of the whole picture finds."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from lrface.data.checks.duplicates import correlations
from lrface.data.measure import Measured

_CROPPED_BITS = 8
_MANY = 100_000
_SIDE = 56
_PARTS = (0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)
"""How much of the longer picture's side a cropped one may show."""
_SAME = 0.97
_COMPARED = 1 << 20


def altered_pairs(
    measured: Sequence[Measured],
    face: Callable[[int], UInt8[np.ndarray, "112 112 3"]],
    distance: int,
    correlation: float,
) -> Int64[np.ndarray, "pairs 2"]:
    """Finds pairs of which one is the other's mirror image, or shows four fifths of it or more.

    The hash of each picture is compared with those of the others, of their mirror images and of their middles (nine
    tenths of a side); the pixels decide. Of pictures with one and the same hash the first stands for all.

    Args:
        measured: Figures of each picture.
        face: Gives the picture of a row; only those proposed are read.
        distance: Most bits in which the hashes of a picture and a mirror image differ; of a picture and a middle twice
            as many at least, among up to 100,000 pictures.
        correlation: Least correlation of the thumbnails of a picture and a mirror image.

    Returns:
        Pairs (smaller row, larger row), sorted.
    """
    own = np.array([figures.perceptual for figures in measured], dtype=np.uint64)
    _, first = np.unique(own, return_index=True)
    rows = np.sort(first)
    found: set[tuple[int, int]] = set()
    mirrored = np.array([measured[row].mirrored for row in rows], dtype=np.uint64)
    proposed = _close(own[rows], mirrored, distance)
    if len(proposed):
        pairs = rows[proposed]
        alike = correlations(face, pairs, lambda pixels: pixels[:, ::-1]) >= correlation
        found |= {(int(min(pair)), int(max(pair))) for pair in pairs[alike]}
    middle = np.array([measured[row].middle for row in rows], dtype=np.uint64)
    wide = max(distance, _CROPPED_BITS) if len(rows) <= _MANY else distance
    proposed = np.concatenate([_close(own[rows], middle, wide), _close(own[rows], own[rows], wide)])
    for part, whole in rows[proposed]:
        pair = int(min(part, whole)), int(max(part, whole))
        if pair not in found and _is_part(face(int(part)), face(int(whole))):
            found.add(pair)
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _close(
    ones: UInt64[np.ndarray, " n"], others: UInt64[np.ndarray, " n"], distance: int
) -> Int64[np.ndarray, "pairs 2"]:
    """Places of all (one, other) at different places whose hashes differ in so few bits; by bands, as `near_pairs`."""
    found: set[tuple[int, int]] = set()
    edges = np.linspace(0, 64, distance + 2).round().astype(int)
    for low, high in pairwise(edges):
        shift, mask = np.uint64(low), np.uint64((1 << int(high - low)) - 1)
        for left, right in _sharing(ones >> shift & mask, others >> shift & mask):
            step = max(1, _COMPARED // len(right))
            for start in range(0, len(left), step):
                some = left[start : start + step]
                near = np.bitwise_count(ones[some][:, None] ^ others[right][None, :]) <= distance
                found |= {
                    (int(some[one]), int(right[other]))
                    for one, other in zip(*np.nonzero(near), strict=True)
                    if some[one] != right[other]
                }
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _sharing(ones: np.ndarray, others: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each value that is in both, its places in the one and in the other."""
    left, right = np.argsort(ones, kind="stable"), np.argsort(others, kind="stable")
    for value in np.intersect1d(ones, others):
        a, b = np.searchsorted(ones[left], [value, value + np.uint64(1)])
        c, d = np.searchsorted(others[right], [value, value + np.uint64(1)])
        yield left[a:b], right[c:d]


def _is_part(part: np.ndarray, whole: np.ndarray) -> bool:
    """Whether a picture is found again within another, shrunk to any of the parts of its side."""
    large, small = (_grey(pixels, _SIDE) for pixels in (whole, part))
    for share in _PARTS:
        side = round(share * _SIDE)
        template = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
        if cv2.matchTemplate(large, template, cv2.TM_CCOEFF_NORMED).max() >= _SAME:
            return True
    return False


def _grey(pixels: np.ndarray, side: int) -> np.ndarray:
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    small: np.ndarray = cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA)
    return small
