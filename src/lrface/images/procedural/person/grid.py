"""The map that a head is painted on: angle around the head's axis by height, and tools to paint on it.

Lengths are pixels of the 112 pixel crop. The head's own frame: x to the right of the picture, y down with
the crop's origin (so that the eyes are near y = 51.6), z towards the viewer; the head's axis is x = z = 0.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# float32 throughout; the looser type spares a cast at every sum with a Python float.
Map = npt.NDArray[np.floating[Any]]

COLUMNS = 368
ROWS = 408
ANGLE_LIMIT = 1.95
TOP = -30.0
BOTTOM = 140.0
ROWS_PER_PIXEL = (ROWS - 1) / (BOTTOM - TOP)
COLUMNS_PER_RADIAN = (COLUMNS - 1) / (2 * ANGLE_LIMIT)

ANGLES: Map = np.linspace(-ANGLE_LIMIT, ANGLE_LIMIT, COLUMNS, dtype=np.float32)
HEIGHTS: Map = np.linspace(TOP, BOTTOM, ROWS, dtype=np.float32)


def smoothstep(low: float | Map, high: float | Map, values: Map) -> Map:
    """0 below `low`, 1 above `high`, smooth in between (`high` may be the smaller one: then it falls)."""
    start = np.asarray(low, dtype=np.float32)
    share = np.clip((values - start) / (np.asarray(high, dtype=np.float32) - start), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), dtype=np.float32)


def bump(values: Map, centre: float, width: float | Map) -> Map:
    """A Gaussian hill of height 1."""
    scaled = (values - np.float32(centre)) / np.asarray(width, dtype=np.float32)
    return np.asarray(np.exp(-scaled * scaled), dtype=np.float32)


def blur(values: Map, rows: float, columns: float | None = None) -> Map:
    """Gaussian blur with widths in map cells."""
    across = rows if columns is None else columns
    return np.asarray(
        cv2.GaussianBlur(values, (0, 0), sigmaX=across, sigmaY=rows, borderType=cv2.BORDER_REPLICATE),
        dtype=np.float32,
    )


def waves(generator: np.random.Generator, cells_across: int, cells_down: int) -> Map:
    """Smooth noise over the whole map, mean 0 and spread about 1."""
    small = generator.standard_normal((cells_down, cells_across), dtype=np.float32)
    return np.asarray(cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC), dtype=np.float32) * 1.3


def grain(generator: np.random.Generator, rows: float, columns: float) -> Map:
    """White noise blurred by so many cells down and across, spread 1."""
    noise = blur(generator.standard_normal((ROWS, COLUMNS), dtype=np.float32), rows, columns)
    return np.asarray(noise / np.float32(noise.std() + 1e-6), dtype=np.float32)


def sample(texture: Map, columns: Map, rows: Map) -> Map:
    """Reads a map (bilinear) at fractional columns and rows."""
    return np.asarray(
        cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32
    )


def to_cells(x: Map, y: Map, z: Map) -> tuple[Map, Map]:
    """Where points of the head's frame fall on the map: (columns, rows)."""
    angles = np.arctan2(x, z)
    columns = (angles + np.float32(ANGLE_LIMIT)) * np.float32(COLUMNS_PER_RADIAN)
    rows = (y - np.float32(TOP)) * np.float32(ROWS_PER_PIXEL)
    return np.asarray(columns, dtype=np.float32), np.asarray(rows, dtype=np.float32)
