"""Single hairs: many short curves drawn at once, each in its own shade."""

import cv2
import numpy as np

from lrface.images.procedural.person.grid import (
    ANGLE_LIMIT,
    COLUMNS,
    COLUMNS_PER_RADIAN,
    ROWS,
    ROWS_PER_PIXEL,
    TOP,
    Map,
)

SHADES = 10
SHIFT = 4


def draw_hairs(angles: Map, heights: Map, generator: np.random.Generator, thickness: int = 1) -> tuple[Map, Map]:
    """Draws curves on the map.

    Args:
        angles: `n points` angles around the head, radians.
        heights: `n points` heights, pixels of the crop.
        generator: Gives each hair its shade.
        thickness: Width of a hair in map cells.

    Returns:
        (cover, shade), both over the whole map: where hair was drawn (0 to 1), and how light it is (0 to 1).
    """
    columns = (angles + ANGLE_LIMIT) * COLUMNS_PER_RADIAN
    rows = (heights - TOP) * ROWS_PER_PIXEL
    points = np.stack([columns, rows], axis=-1)
    points = np.round(points * (1 << SHIFT)).astype(np.int32)
    cover = np.zeros((ROWS, COLUMNS), dtype=np.uint8)
    shade = np.full((ROWS, COLUMNS), 110, dtype=np.uint8)
    groups = generator.integers(0, SHADES, size=len(points))
    for group in generator.permutation(SHADES):
        chosen = list(points[groups == group])
        if chosen:
            level = int(20 + 215 * group / (SHADES - 1))
            cv2.polylines(shade, chosen, False, level, thickness, cv2.LINE_AA, SHIFT)
    cv2.polylines(cover, list(points), False, 255, thickness, cv2.LINE_AA, SHIFT)
    scale = np.float32(1.0 / 255.0)
    return cover.astype(np.float32) * scale, shade.astype(np.float32) * scale
