"""Brows, beard and the hair of the head: where it grows, how far it stands off, and its strands."""

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
    grain,
    smoothstep,
    waves,
)
from lrface.images.procedural.person.head import Head
from lrface.images.procedural.person.identity import LONG_HAIR, Hair, Identity
from lrface.images.procedural.person.strokes import draw_hairs

FALLS_FROM = 76.0


def _angles_of(head: Head, x: Map, y: Map) -> Map:
    """The angles at which the skin at height y is seen straight ahead at x."""
    rows = np.clip(np.round((y - TOP) * ROWS_PER_PIXEL), 0, ROWS - 1).astype(np.int64)
    angles = np.arcsin(np.clip(x / 44.0, -0.98, 0.98))
    for _ in range(3):
        columns = np.clip((angles - ANGLES[0]) / (ANGLES[1] - ANGLES[0]), 0, COLUMNS - 1).astype(np.int64)
        angles = np.arcsin(np.clip(x / head.radius[rows, columns], -0.98, 0.98))
    return np.asarray(angles, dtype=np.float32)


def paint_brows(identity: Identity, head: Head) -> tuple[Map, Map]:
    """Paints both brows hair by hair.

    Returns:
        How much brow covers the skin (0 to 1), and the shade of its hairs (0 dark, 1 light).
    """
    brows, eyes = identity.brows, identity.eyes
    generator = np.random.default_rng((identity.detail_seed, 6))
    count = int(90 + 110 * brows.density)
    all_angles: list[Map] = []
    all_heights: list[Map] = []
    soft = np.zeros_like(head.x)
    for sign in (-1.0, 1.0):
        along = generator.beta(0.95, 1.15, count)
        taper = np.minimum(1.0, 0.6 + 2.0 * along) * (1.0 - 0.78 * along**1.8)
        across = generator.uniform(-1.0, 1.0, count) * taper * brows.thickness
        x = brows.inner + along * brows.length
        lift = brows.arch * np.sin(np.pi * np.clip(along * 0.93, 0, 1) ** 1.35) + brows.tilt * (x - 17.0)
        y = eyes.height - brows.height - lift + across + 0.25 * generator.standard_normal(count)
        lean = 1.35 - 1.75 * along**0.6 + 0.28 * generator.standard_normal(count) - 0.25 * across / brows.thickness
        reach = (2.0 + 0.7 * generator.standard_normal(count)) * (0.7 + 0.13 * brows.thickness)
        steps = np.linspace(-0.35, 0.65, 3)[None]
        hair_x = x[:, None] + steps * (reach * np.cos(lean))[:, None]
        hair_y = y[:, None] - steps * (reach * np.sin(lean))[:, None]
        all_angles.append(_angles_of(head, (sign * hair_x).astype(np.float32), hair_y.astype(np.float32)))
        all_heights.append(hair_y.astype(np.float32))
        place = np.clip((sign * head.x - brows.inner) / brows.length, 0.0, 1.0)
        lift_map = brows.arch * np.sin(np.pi * (place * 0.93) ** 1.35) + brows.tilt * (sign * head.x - 17.0)
        taper_map = np.minimum(1.0, 0.6 + 2.0 * place) * (1.0 - 0.78 * place**1.8)
        off = (head.y - (eyes.height - brows.height - lift_map)) / (brows.thickness * taper_map)
        ends = smoothstep(brows.inner - 2.5, brows.inner + 5.0, sign * head.x)
        ends = ends * smoothstep(brows.inner + brows.length + 1.2, brows.inner + brows.length - 1.5, sign * head.x)
        soft = soft + np.exp(-0.8 * (off * off)) * ends
    cover, shade = draw_hairs(np.concatenate(all_angles), np.concatenate(all_heights), generator)
    cover = np.clip(0.62 * blur(cover, 0.6) + 0.68 * soft * brows.density, 0.0, 1.0) * min(
        1.0, 0.35 + 0.72 * brows.density
    )
    return np.asarray(cover, dtype=np.float32), shade


def paint_beard(identity: Identity, head: Head) -> tuple[Map, Map]:
    """Paints stubble or beard.

    Returns:
        How much it covers the skin (0 to 1, by density), and how far it stands off the skin, pixels.
    """
    beard, mouth = identity.beard, identity.mouth
    nothing = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    if max(beard.moustache, beard.chin, beard.cheeks) == 0.0:
        return nothing, nothing
    generator = np.random.default_rng((identity.detail_seed, 7))
    x, y = head.x, head.y
    side = np.abs(x)
    ragged = y + 1.0 * grain(generator, 3.0, 0.8) + 1.3 * waves(generator, 24, 20)
    nose_end = identity.nose.tip_height + 6.8
    lip_top = mouth.height - mouth.upper_lip
    upper = smoothstep(nose_end - 0.4, nose_end + 1.8, ragged - 0.02 * side * side * 0.6)
    upper = upper * smoothstep(lip_top + 4.5 + 0.4 * side, lip_top + 0.5 + 0.4 * side, y)
    upper = upper * smoothstep(mouth.half_width + 5.5, mouth.half_width + 2.0, side)
    chin = smoothstep(mouth.height - 1.0, mouth.height + 2.0, ragged) * smoothstep(mouth.half_width + 5.0, 12.0, side)
    chin = chin * (1.0 - 0.8 * bump(side, 8.5, 3.2) * bump(y, mouth.height + 7.0, 3.4))
    cheek_line = 60.0 + 30.0 * smoothstep(40.5, 20.0, side)
    cheeks = smoothstep(cheek_line, cheek_line + 5.0, ragged)
    cheeks = cheeks * smoothstep(mouth.half_width + 1.0, mouth.half_width + 5.0, side)
    cheeks = np.maximum(cheeks, smoothstep(mouth.height + 9.0, mouth.height + 13.0, ragged))
    end = smoothstep(126.0, 118.0, ragged)
    grown = np.maximum(beard.moustache * upper, np.maximum(beard.chin * chin, beard.cheeks * cheeks)) * end
    grown = grown * smoothstep(1.62, 1.45, np.broadcast_to(np.abs(ANGLES)[None], grown.shape).astype(np.float32))
    return np.asarray(grown, dtype=np.float32), np.asarray(blur(grown, 2.2) * beard.length, dtype=np.float32)


def _hang_edge(hair: Hair) -> float:
    """The angle beyond which long hair hangs down."""
    return 1.3 - 0.42 * hair.face_cover


def _hairline(identity: Identity) -> Map:
    """The lowest height of hair at each angle (smaller is higher up)."""
    hair = identity.hair
    turn = np.abs(ANGLES)
    if hair.bald:
        return np.interp(turn, [0.0, 1.25, 1.4, 1.7, 1.9], [-40.0, -40.0, 38.0, 66.0, 80.0]).astype(np.float32)
    front = hair.line + hair.peak * np.exp(-((turn / 0.16) ** 2))
    front = front - 15.0 * hair.recession * np.exp(-(((turn - 0.5) / 0.24) ** 2))
    temple = 0.84 - 0.05 * hair.recession
    knots = [0.0, temple, temple + 0.2, temple + 0.32, 1.3, 1.42, 1.52, 1.66, 1.95]
    side_end = hair.length if hair.length < LONG_HAIR else 66.0
    drop = np.interp(turn, knots, [0.0, 0.0, 12.0, 24.0, 40.0, side_end - 13.0, 40.0, 54.0, 72.0])
    line = front + drop
    if hair.fringe > 0.0:
        swing = 1.0 + 0.22 * hair.parting * ANGLES / 0.8
        depth = (17.0 + 9.5 * hair.fringe) * swing * smoothstep(1.02, 0.7, np.asarray(turn, dtype=np.float32))
        line = np.maximum(line, hair.line + depth)
    if hair.length >= LONG_HAIR:
        edge = _hang_edge(hair)
        hang = smoothstep(edge - 0.05, edge + 0.13, np.asarray(turn, dtype=np.float32))
        line = line * (1.0 - hang) + hang * hair.length
    line = line + 1.8 * hair.parting * np.tanh(2.0 * ANGLES)
    return np.asarray(cv2.GaussianBlur(line[None].astype(np.float32), (0, 0), 2.0)[0], dtype=np.float32)


def _strands(identity: Identity, generator: np.random.Generator) -> Map:
    """How light each strand is (0 to 1), flowing from the parting down."""
    hair = identity.hair
    count, points = 1900, 6
    start = generator.uniform(-1.95, 1.95, count)
    top = generator.uniform(TOP, 100.0 if hair.length >= LONG_HAIR or hair.curl > 0.5 else 70.0, count)
    steps = np.linspace(0.0, 1.0, points)[None]
    reach = generator.uniform(14.0, 34.0, count)[:, None] * (1.0 - 0.72 * hair.curl)
    above = smoothstep(40.0, 0.0, top.astype(np.float32))[:, None]
    away = np.sign(start - 0.5 * hair.parting)[:, None] * (0.25 + 0.5 * above) + 0.18 * generator.standard_normal(
        (count, 1)
    )
    if hair.fringe > 0.0:
        away = away * 0.4
    phase = generator.uniform(0.0, 6.28, (count, 1))
    wiggle = hair.curl * (0.06 + 0.10 * hair.curl)
    angles = start[:, None] + steps * reach * away / 44.0 + wiggle * np.sin(phase + steps * (4.0 + 9.0 * hair.curl))
    heights = top[:, None] + steps * reach * np.sqrt(np.clip(1.0 - 0.7 * away**2, 0.15, 1.0))
    heights = heights + 44.0 * wiggle * np.cos(phase + steps * (4.0 + 9.0 * hair.curl)) * hair.curl
    _, shade = draw_hairs(angles.astype(np.float32), heights.astype(np.float32), generator)
    return shade


def _bulk(hair: Hair, head: Head, inside: Map, cover: Map) -> Map:
    """How far hair stands off the skin, before its locks; `inside` is how far above its edge a place is."""
    bulk = smoothstep(0.0, 10.0 + hair.volume, inside) * hair.volume
    turn = np.abs(ANGLES)[None]
    if hair.bald:
        return np.asarray(0.3 * bulk, dtype=np.float32)
    if hair.length < LONG_HAIR:
        sides = smoothstep(0.75, 1.2, turn) * smoothstep(2.0, 34.0, HEIGHTS)[:, None]
        return np.asarray(bulk * (1.0 - 0.62 * sides), dtype=np.float32)
    # Beside the face long hair starts thin: a steep wall of it would smear its strands.
    edge = _hang_edge(hair)
    away = smoothstep(edge - 0.05, edge + 0.4, turn)
    low = smoothstep(24.0, 50.0, HEIGHTS)[:, None]
    bulk = bulk * (1.0 - 0.85 * (1.0 - away) * low) + 5.0 * away * low
    # It falls straight, and a little outwards, where the jaw and the neck draw back.
    jaw = round((FALLS_FROM - TOP) * ROWS_PER_PIXEL)
    drawn_back = np.maximum(head.radius[jaw] - head.radius, 0.0) * (np.arange(ROWS) > jaw)[:, None]
    fall = drawn_back + 3.0 * smoothstep(FALLS_FROM, 125.0, HEIGHTS)[:, None]
    return np.asarray(bulk + fall * smoothstep(edge - 0.08, edge + 0.14, turn) * cover, dtype=np.float32)


def paint_hair(identity: Identity, head: Head) -> tuple[Map, Map, Map]:
    """Paints the hair of the head.

    Returns:
        How much it covers (0 to 1), how far it stands off the skin (pixels), and how light its strands are
        (0 to 1).
    """
    hair = identity.hair
    generator = np.random.default_rng((identity.detail_seed, 8))
    inside = np.asarray(_hairline(identity)[None] - HEIGHTS[:, None], dtype=np.float32)
    # Ends of hair fray at the hairline; cut ends further down do not show theirs.
    fray = (0.9 + 0.4 * hair.fringe) * grain(generator, 5.0, 0.9)
    fray += (0.7 + 0.9 * hair.curl) * waves(generator, 46, 40)
    ragged = inside + fray * smoothstep(90.0, 40.0, HEIGHTS)[:, None]
    soft = 5.5 - 3.0 * min(1.0, hair.fringe * 2.0)
    cover = smoothstep(-soft, 0.75 * soft, ragged)
    lock = (
        1.0
        + 0.09 * waves(generator, 30, 5)
        + hair.curl * (0.06 * waves(generator, 34, 36) + 0.025 * waves(generator, 80, 90))
    )
    bulk = _bulk(hair, head, inside, cover)
    if hair.bald:
        cover = cover * smoothstep(26.0, 40.0, HEIGHTS)[:, None]
    return cover, np.asarray(bulk * lock, dtype=np.float32), _strands(identity, generator)
