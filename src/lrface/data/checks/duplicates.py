"""Pairs of pictures that are the same, or nearly."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt64

from lrface.data.measure import THUMB

_COMPARED, _SEEN = 1 << 20, 256
"""How many pairs of hashes, and of pictures, are compared at a time."""


def same_pixels(hashes: Sequence[str]) -> list[list[int]]:
    """Groups rows with the same pixels.

    Args:
        hashes: sha256 of each row.

    Returns:
        The groups of two or more rows, each ascending.
    """
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for row, value in enumerate(hashes):
        groups[value].append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def near_pairs(
    hashes: UInt64[np.ndarray, " n"],
    face: Callable[[int], UInt8[np.ndarray, "112 112 3"]],
    distance: int,
    correlation: float,
) -> Int64[np.ndarray, "pairs 2"]:
    """Finds pairs of pictures that are nearly the same.

    Perceptual hashes propose, the pixels decide: two photographs of one person on one day often differ in
    few bits, yet their thumbnails hardly ever correlate like two copies of one photograph.

    The hash is cut into ``distance + 1`` bands. Two hashes within the distance agree in one band at least, so
    only rows that share a band are compared, and none is missed. Rows with one and the same hash are compared
    to the first of them alone.

    Args:
        hashes: Perceptual hash of each row.
        face: Gives the face of a row; only those proposed are read.
        distance: Most bits in which two hashes may differ.
        correlation: Least correlation of the two thumbnails.

    Returns:
        Pairs (smaller row, larger row), sorted.
    """
    values, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    proposed: set[tuple[int, int]] = set()
    for row, leader in enumerate(first[inverse]):
        if leader != row:
            proposed.add((int(leader), row))
    for one, other in _close_values(values, distance):
        a, b = int(first[one]), int(first[other])
        proposed.add((min(a, b), max(a, b)))
    if not proposed:
        return np.empty((0, 2), dtype=np.int64)
    pairs = np.array(sorted(proposed), dtype=np.int64)
    return pairs[correlations(face, pairs) >= correlation]


def _close_values(values: np.ndarray, distance: int) -> Iterator[tuple[int, int]]:
    edges = np.linspace(0, 64, distance + 2).round().astype(int)
    for low, high in pairwise(edges):
        mask = (1 << int(high - low)) - 1
        band = (values >> np.uint64(low)) & np.uint64(mask)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(band[order]) != 0])
        for members in np.split(order, starts[1:]):
            if len(members) > 1:
                yield from _close_members(values, members, distance)


def _close_members(values: np.ndarray, members: np.ndarray, distance: int) -> Iterator[tuple[int, int]]:
    step = max(1, _COMPARED // len(members))
    for start in range(0, len(members), step):
        some = members[start : start + step]
        bits = np.bitwise_count(values[some][:, None] ^ values[members][None, :])
        ones, others = np.nonzero(bits <= distance)
        for one, other in zip(some[ones], members[others], strict=True):
            if one < other:
                yield int(one), int(other)


def correlations(
    face: Callable[[int], np.ndarray],
    pairs: Int64[np.ndarray, "pairs 2"],
    turned: Callable[[np.ndarray], np.ndarray] = lambda pixels: pixels,
) -> Float64[np.ndarray, " pairs"]:
    """Correlates the thumbnails of pairs of pictures, -1 to 1.

    Args:
        face: Gives the picture of a row.
        pairs: The rows.
        turned: What is done to the second of each pair before.
    """
    result = np.empty(len(pairs))
    for start in range(0, len(pairs), _SEEN):
        some = pairs[start : start + _SEEN]
        sides = []
        for column, change in ((0, lambda pixels: pixels), (1, turned)):
            rows, places = np.unique(some[:, column], return_inverse=True)
            sides.append(np.stack([_thumb(change(face(int(row)))) for row in rows])[places])
        result[start : start + _SEEN] = (sides[0] * sides[1]).sum(axis=1)
    return result


def _thumb(pixels: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (2 * THUMB, 2 * THUMB), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
    small -= small.mean()
    length = np.linalg.norm(small)
    flat: np.ndarray = small / length if length else small
    return flat


def groups_of(rows: int, pairs: Sequence[tuple[int, int]] | np.ndarray) -> Int64[np.ndarray, " rows"]:
    """Joins pairs into groups.

    Args:
        rows: How many rows there are.
        pairs: Rows that belong together.

    Returns:
        For each row the least row of its group.
    """
    parent = np.arange(rows, dtype=np.int64)

    def top(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = int(parent[row])
        return row

    for one, other in pairs:
        low, high = sorted((top(int(one)), top(int(other))))
        parent[high] = low
    return np.array([top(row) for row in range(rows)], dtype=np.int64)
