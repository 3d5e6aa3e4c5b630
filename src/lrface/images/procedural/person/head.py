"""The bare head as a radius over angle and height: skull, jaw, neck, nose, sockets, ears, folds."""

from dataclasses import dataclass

import cv2
import numpy as np

from lrface.images.procedural.person.grid import (
    ANGLES,
    COLUMNS,
    HEIGHTS,
    ROWS,
    ROWS_PER_PIXEL,
    TOP,
    Map,
    blur,
    bump,
    smoothstep,
    waves,
)
from lrface.images.procedural.person.identity import LONG_HAIR, EyeShape, HeadShape, Identity, NoseShape

# y, half width, depth in front of the axis: a plain skull seen from the front and from the side.
PROFILE = np.array(
    [
        (-18, 3, 3), (-15, 15, 15), (-9, 24, 26), (0, 31, 34.5), (10, 35.5, 40.5), (20, 37.8, 43.8),
        (32, 39.2, 45.6), (42, 39.8, 46.3), (50, 39.8, 45.2), (60, 39.9, 45.0), (68, 39.5, 45.3),
        (76, 38.4, 46.0), (84, 36.6, 46.6), (92, 34.2, 46.7), (99, 31.2, 46.0), (105, 27.2, 45.2),
        (110, 22.5, 44.2), (113.5, 17.5, 41.5), (116.5, 11, 34), (119, 5, 22), (123, 3, 10),
    ],
    dtype=np.float64,
)  # fmt: skip
NECK_WIDTH = 27.0
NECK_DEPTH = 17.0


@dataclass(frozen=True)
class Head:
    """The bare head on the map, `ROWS` x `COLUMNS`.

    Attributes:
        radius: Distance of the skin from the head's axis, pixels.
        x: Where the skin is seen from straight ahead, pixels right of the middle of the face.
        y: Height, pixels down; one column, as it is the same all around.
    """

    radius: Map
    x: Map
    y: Map


def _profile(head: HeadShape) -> tuple[Map, Map]:
    """Half width and depth of the head at each row."""
    heights, widths, depths = PROFILE.T.copy()
    below = np.clip((heights - 92.0) / 20.0, 0.0, 1.0)
    heights = heights + head.chin_length * below
    spots = np.array([-18.0, 12.0, 32.0, 62.0, 94.0, 112.0, 123.0])
    factors = [
        head.forehead_width, head.forehead_width, (head.forehead_width + head.cheekbone_width) / 2,
        head.cheekbone_width, head.jaw_width, head.jaw_width * head.chin_width, head.chin_width,
    ]  # fmt: skip
    widths = widths * np.interp(PROFILE[:, 0], spots, factors)
    depths = depths - head.forehead_slope * np.clip((40.0 - heights) / 30.0, 0.0, 1.0) * (depths > 20)
    rows = HEIGHTS.astype(np.float64)
    half = np.interp(rows, heights, widths).astype(np.float32)
    front = np.interp(rows, heights, depths).astype(np.float32)
    kernel = (1, 19)
    half = np.asarray(cv2.GaussianBlur(half[:, None], kernel[::1], 2.6), dtype=np.float32)
    front = np.asarray(cv2.GaussianBlur(front[:, None], kernel[::1], 2.2), dtype=np.float32)
    return half.reshape(-1, 1), front.reshape(-1, 1)


def _skull(head: HeadShape) -> Map:
    half, front = _profile(head)
    power = np.float32(head.squareness)
    side = np.abs(np.sin(ANGLES))[None] / half
    ahead = np.abs(np.cos(ANGLES))[None] / front
    face = (side**power + ahead**power) ** (-1.0 / power)
    neck_side = np.abs(np.sin(ANGLES)) / np.float32(NECK_WIDTH * (0.7 + 0.3 * head.jaw_width))
    neck_ahead = np.abs(np.cos(ANGLES)) / np.float32(NECK_DEPTH)
    neck = ((neck_side**2 + neck_ahead**2) ** -0.5)[None] * smoothstep(84.0, 104.0, HEIGHTS)[:, None]
    shoulders = smoothstep(124.0, 146.0, HEIGHTS)[:, None] * 60.0 * np.abs(np.sin(ANGLES))[None]
    return np.asarray(np.maximum(face, neck + shoulders), dtype=np.float32)


def _sockets(eyes: EyeShape, ridge: float, side: Map, y: Map) -> Map:
    """Brow ridge, eye sockets, the ball under the lids and the inner corner; `side` is |x|."""
    relief = ridge * 2.1 * bump(side, 13.5, 13.0) * bump(y, eyes.height - 8.5, 4.6)
    relief -= (2.4 + eyes.depth) * bump(side, eyes.half_distance - 1.5, 9.5) * bump(y, eyes.height - 0.8, 5.6)
    relief -= 2.2 * bump(side, eyes.half_distance - eyes.half_width - 0.6, 3.4) * bump(y, eyes.height + 0.5, 4.2)
    relief += 2.3 * bump(side, eyes.half_distance, 7.6) * bump(y, eyes.height, 4.1)
    fold = eyes.height + 5.8 + 0.03 * (side - eyes.half_distance) ** 2
    relief += 0.75 * eyes.bags * bump(y - fold + 1.6, 0.0, 1.5) * bump(side, eyes.half_distance, 6.2)
    relief -= 0.55 * (0.35 + eyes.bags) * bump(y - fold - 0.6, 0.0, 1.2) * bump(side, eyes.half_distance - 1.0, 6.5)
    return np.asarray(relief, dtype=np.float32)


def _nose(nose: NoseShape, x: Map, y: Map) -> Map:
    side = np.abs(x)
    tip = nose.tip_height
    start = 45.5
    along = np.clip((y - start) / (tip - start), 0.0, 1.0)
    ridge = nose.bridge_depth + (nose.tip_depth - 2.2 - nose.bridge_depth) * along**1.25
    ridge += nose.hump * bump(along, 0.45, 0.25) - 1.1 * bump(along, 0.05, 0.16)
    # The base of the nose is lowest in the middle.
    base = np.asarray(y + 0.17 * side, dtype=np.float32)
    ridge = ridge * smoothstep(34.0, 51.0, y) * smoothstep(tip + 8.8 - nose.upturn, tip + 0.4, base)
    width = nose.bridge_width + (nose.tip_width - nose.bridge_width) * along**1.5
    relief = ridge * np.exp(-((side / width) ** 2.3))
    relief += 0.8 * np.exp(-((side / (width * 2.1)) ** 2)) * smoothstep(46.0, 60.0, y) * smoothstep(tip + 7, tip, y)
    ball = (x / (nose.tip_width * 0.86)) ** 2 + ((y - tip + 0.4 + 0.5 * nose.upturn) / 4.3) ** 2
    relief += 3.3 * np.exp(-ball)
    wing = ((side - nose.wings) / 2.7) ** 2 + ((y - tip - 2.1) / 3.5) ** 2
    relief += 4.9 * np.exp(-wing)
    groove = ((side - nose.wings - 3.0) / 1.5) ** 2 + ((y - tip - 1.8) / 3.6) ** 2
    relief -= 1.1 * np.exp(-groove)
    return np.asarray(relief, dtype=np.float32)


def _lower_face(identity: Identity, x: Map, y: Map) -> Map:
    head, mouth = identity.head, identity.mouth
    side = np.abs(x)
    relief = 2.0 * head.cheek_fullness * bump(side, 22.0, 9.5) * bump(y, 74.0, 12.5)
    relief += 1.6 * bump(side, 24.5, 8.0) * bump(y, 62.5, 6.5)
    relief -= (1.5 - 0.9 * head.cheek_fullness) * bump(side, 28.0, 7.0) * bump(y, 83.0, 9.0)
    relief += 1.7 * bump(x, 0.0, 15.5) * bump(y, mouth.height - 3.5, 11.0)
    relief -= 0.7 * bump(x, 0.0, 1.7) * bump(y, (identity.nose.tip_height + 7.5 + mouth.height - 4.5) / 2, 4.0)
    relief += 0.45 * bump(side, 3.0, 1.3) * bump(y, (identity.nose.tip_height + 7.5 + mouth.height - 4.5) / 2, 4.5)
    chin = 107.5 + head.chin_length
    relief += (1.8 + head.chin_forward) * bump(x, 0.0, 8.5 * head.chin_width) * bump(y, chin, 5.0)
    relief -= 1.7 * bump(x, 0.0, 10.0) * bump(y, (mouth.height + mouth.lower_lip + chin - 3.5) / 2 + 0.6, 2.7)
    relief -= 0.8 * bump(side, mouth.half_width + 2.2, 2.2) * bump(y, mouth.height + 0.6, 2.6)
    relief -= 0.55 * bump(side, 31.0, 6.0) * bump(y, 30.0, 9.0)
    return np.asarray(relief, dtype=np.float32)


def nasolabial(identity: Identity, x: Map, y: Map) -> tuple[Map, Map]:
    """The fold from nose wing to mouth: distance across it (outwards, pixels), where it runs (0 to 1)."""
    top = identity.nose.tip_height + 0.5
    along = np.clip((y - top) / (identity.mouth.height + 1.0 - top), -0.3, 1.3)
    inner = identity.nose.wings + 2.6
    line = inner + (identity.mouth.half_width + 4.6 - inner) * np.maximum(along, 0.0) ** 1.25
    runs = smoothstep(-0.15, 0.15, along) * smoothstep(1.25, 0.8, along)
    return np.asarray(np.abs(x) - line, dtype=np.float32), runs


def _wrinkles(identity: Identity, x: Map, y: Map) -> Map:
    """Lines of age: across the forehead, between the brows, beside the eyes and from nose to mouth."""
    age = identity.skin.wrinkles
    deep = age * min(1.0, 0.25 + age)
    generator = np.random.default_rng((identity.detail_seed, 3))
    side = np.abs(x)
    relief = np.zeros_like(x)
    across, runs = nasolabial(identity, x, y)
    relief -= (0.06 + 0.62 * age) * bump(across, 0.0, 1.7) * runs
    relief += (0.12 + 0.45 * age) * bump(across, 3.2, 3.0) * runs
    if age < 0.15:
        return relief
    brow = identity.eyes.height - identity.brows.height
    for index in range(int(generator.integers(2, 5))):
        phase, bend, reach = generator.uniform(0, 6), generator.uniform(-0.6, 1.2), generator.uniform(10, 20)
        line = brow - 5.5 - 4.3 * index + bend * np.cos(x * 0.14 + phase) - 0.003 * x * x
        relief -= 0.42 * deep * bump(y - line, 0.0, 0.65) * bump(x, float(generator.normal(0, 3)), reach)
    for spread in (-1.0, 1.0):
        line = spread * (2.2 + 0.5 * float(generator.random()))
        relief -= 0.4 * deep * bump(x - 0.1 * (y - brow), line, 0.6) * bump(y, brow + 1.0, 4.0)
    corner_x = identity.eyes.half_distance + identity.eyes.half_width
    for slope in (-0.55, -0.2, 0.15, 0.5):
        away = side - corner_x
        line = identity.eyes.height + slope * away + 0.4 * float(generator.normal())
        relief -= 0.4 * age * bump(y - line, 0.0, 0.55) * smoothstep(0.8, 2.4, away) * smoothstep(7.5, 4.0, away)
    return np.asarray(relief, dtype=np.float32)


def build_head(identity: Identity) -> Head:
    """Builds the bare head of one person."""
    radius = _skull(identity.head)
    y = HEIGHTS[:, None]
    sine = np.sin(ANGLES)[None]
    x = np.asarray(radius * sine, dtype=np.float32)
    front = smoothstep(-0.05, 0.5, np.cos(ANGLES))[None]
    side = np.abs(x)
    # No face is the same on both sides: the whole relief leans a little.
    lean = np.asarray(x + identity.head.asymmetry * bump(y, 76.0, 24.0), dtype=np.float32)
    relief = _sockets(identity.eyes, identity.head.brow_ridge, side, y) + _nose(identity.nose, lean, y)
    relief += _lower_face(identity, x, y) + _wrinkles(identity, x, y)
    # Flesh is no formula: everybody has unevenness of their own.
    generator = np.random.default_rng((identity.detail_seed, 2))
    relief += 0.7 * waves(generator, 9, 9) + 0.35 * waves(generator, 17, 17)
    radius = radius + relief * front
    ear_y = 0.14 * (np.abs(ANGLES) - 1.5)[None] * 40.0 + y
    ear = np.exp(-(((np.abs(ANGLES) - 1.56) / 0.125) ** 4))[None] * smoothstep(47.0, 52.0, ear_y)
    ear = ear * smoothstep(76.0 + 4.0 * identity.head.ear_size, 68.0, ear_y)
    hollow = np.exp(-(((np.abs(ANGLES) - 1.5) / 0.07) ** 2))[None] * bump(y, 62.0, 6.0)
    # Long hair lies over the ears and keeps them flat.
    free = 1.0 if identity.hair.length < LONG_HAIR else 0.1
    radius = radius + free * identity.head.ear_size * (5.2 * ear - 2.4 * hollow)
    radius = np.asarray(radius, dtype=np.float32)
    return Head(radius=radius, x=np.asarray(radius * sine, dtype=np.float32), y=y)


def surface_point(head: Head, x: float, y: float) -> tuple[float, float, float]:
    """The point of the skin that is seen straight ahead at (x, y), in the head's frame."""
    row = round((y - TOP) * ROWS_PER_PIXEL)
    middle = slice(COLUMNS // 6, COLUMNS - COLUMNS // 6)
    across = np.maximum.accumulate(head.x[row, middle])
    angle = float(np.interp(x, across, ANGLES[middle]))
    radius = float(np.interp(angle, ANGLES, head.radius[row]))
    return x, y, radius * float(np.cos(angle))


def hollows(radius: Map) -> Map:
    """How open each place is to light from all around: about 1 on hills, less in folds (an ambient term)."""
    near = blur(radius, 2.4) - radius
    small = cv2.resize(radius, (COLUMNS // 4, ROWS // 4), interpolation=cv2.INTER_AREA)
    wide_small = cv2.GaussianBlur(small, (0, 0), 3.2, borderType=cv2.BORDER_REPLICATE)
    wide = cv2.resize(wide_small, (COLUMNS, ROWS), interpolation=cv2.INTER_LINEAR) - radius
    open_share = 1.0 - 0.55 * np.clip(near, -0.15, 1.2) - 0.105 * np.clip(wide, -1.5, 6.0)
    return np.asarray(np.clip(open_share, 0.25, 1.12), dtype=np.float32)
