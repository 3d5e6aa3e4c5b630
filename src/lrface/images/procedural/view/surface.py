"""Finds what each pixel sees: rays walked towards the head until they meet its surface."""

from dataclasses import dataclass

import cv2
import numpy as np

from lrface.images.procedural.person.grid import Map, bump, sample, smoothstep, to_cells
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.view.nuisance import Expression
from lrface.images.procedural.view.pose import TURNS_AT, View

SIZE = 112
OVERSAMPLING = 2
DRAWN = SIZE * OVERSAMPLING
NEAR = 66.0
FAR = -34.0
COARSE_STEPS = 18
SHORTEST_STEP = 2.4
FINE_STEPS = 2
STRIDE = 0.72


@dataclass(frozen=True)
class Surface:
    """What the pixels of the drawing see, each `DRAWN` x `DRAWN`.

    Attributes:
        x: Place in the head's frame, pixels.
        y: Place in the head's frame, pixels, with the face as it is in this picture.
        z: Place in the head's frame, pixels.
        rest_x: Where that bit of skin is when the face is at rest.
        rest_y: Likewise, its height.
        cover: How much of the pixel the head covers (0 to 1).
        origin: Rays at depth 0, 3 x `DRAWN` x `DRAWN`, the head's frame.
        direction: How rays move per pixel of depth, likewise.
    """

    x: Map
    y: Map
    z: Map
    rest_x: Map
    rest_y: Map
    cover: Map
    origin: Map
    direction: Map


def _rays(view: View, size: int) -> tuple[Map, Map]:
    step = SIZE / size
    ticks = (np.arange(size, dtype=np.float64) + 0.5) * step - 0.5
    across, down = np.meshgrid(ticks, ticks)
    fit = view.to_screen
    screen_x = fit[0, 0] * across + fit[0, 1] * down + fit[0, 2]
    screen_y = fit[1, 0] * across + fit[1, 1] * down + fit[1, 2]
    back = view.rotation.T
    origin = np.stack([back[row, 0] * screen_x + back[row, 1] * screen_y for row in range(3)])
    origin[1] += TURNS_AT
    slope = -1.0 / view.distance
    direction = np.stack(
        [(back[row, 0] * screen_x + back[row, 1] * screen_y) * slope + back[row, 2] for row in range(3)]
    )
    return origin.astype(np.float32), direction.astype(np.float32)


def jaw_drop(opening: float) -> float:
    """How far the chin moves down when the mouth opens, pixels."""
    return 6.5 * opening


def _relaxed_y(y: Map, identity: Identity, expression: Expression) -> Map:
    """Undoes the opening of the mouth: where skin below the lips was at rest."""
    if expression.opening == 0.0:
        return y
    mouth = identity.mouth.height
    dropped = smoothstep(mouth - 3.0, mouth + 12.0, y)
    return np.asarray(y - jaw_drop(expression.opening) * dropped, dtype=np.float32)


def _relaxed(x: Map, y: Map, identity: Identity, expression: Expression) -> tuple[Map, Map]:
    """Where skin that is seen at (x, y) of the head is when the face is at rest."""
    side = np.abs(x)
    sign = np.sign(x)
    eyes = identity.eyes
    rest_y = _relaxed_y(y, identity, expression)
    near_corner = bump(side, identity.mouth.half_width + 5.0, 8.5) * bump(y, identity.mouth.height - 3.0, 9.5)
    cheek = bump(side, 22.0, 8.0) * bump(y, 70.0, 8.0)
    rest_x = x - sign * (2.5 * expression.smile * near_corner)
    brow_zone = bump(y, eyes.height - identity.brows.height, 8.0)
    rest_y = rest_y + expression.smile * (2.3 * near_corner + 1.2 * cheek) + 1.9 * expression.brow_raise * brow_zone
    inner = bump(side, identity.brows.inner, 7.0) * brow_zone * expression.frown
    rest_x = rest_x + sign * 1.5 * inner
    rest_y = rest_y - 1.6 * inner
    return np.asarray(rest_x, dtype=np.float32), np.asarray(rest_y, dtype=np.float32)


def see(radius: Map, view: View, identity: Identity, expression: Expression) -> Surface:
    """Walks a ray per pixel to the head, first on a coarse grid and then on the drawing's."""
    origin, direction = _rays(view, SIZE)
    depth = np.full((SIZE, SIZE), NEAR, dtype=np.float32)
    outside = depth
    inside = np.full((SIZE, SIZE), FAR - 1.0, dtype=np.float32)
    closest = np.full((SIZE, SIZE), 1e3, dtype=np.float32)
    for _ in range(COARSE_STEPS):
        x, y, z = (origin[axis] + depth * direction[axis] for axis in range(3))
        columns, rows = to_cells(x, _relaxed_y(y, identity, expression), z)
        gap = np.sqrt(x * x + z * z) - sample(radius, columns, rows)
        closest = np.minimum(closest, gap)
        # Rays that graze a cheek must get past it, to the hair behind; once one is inside, it is halved back.
        free = gap > 0.0
        outside = np.where(free, depth, outside)
        inside = np.where(free, inside, depth)
        walked = np.maximum(depth - np.maximum(np.float32(STRIDE) * gap, np.float32(SHORTEST_STEP)), FAR)
        depth = np.where(inside >= FAR, 0.5 * (outside + inside), walked).astype(np.float32)
    big = (DRAWN, DRAWN)
    depth = np.asarray(cv2.resize(depth, big, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    gap_now = np.asarray(cv2.resize(closest, big, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    cover = smoothstep(1.1, 0.25, gap_now)
    origin, direction = _rays(view, DRAWN)
    for _ in range(FINE_STEPS):
        x, y, z = (origin[axis] + depth * direction[axis] for axis in range(3))
        columns, rows = to_cells(x, _relaxed_y(y, identity, expression), z)
        gap = np.sqrt(x * x + z * z) - sample(radius, columns, rows)
        depth = depth - np.float32(0.5) * np.clip(gap, -1.5, 1.5)
    x, y, z = (np.asarray(origin[axis] + depth * direction[axis], dtype=np.float32) for axis in range(3))
    rest_x, rest_y = _relaxed(x, y, identity, expression)
    return Surface(x, y, z, rest_x, rest_y, cover, origin, direction)
