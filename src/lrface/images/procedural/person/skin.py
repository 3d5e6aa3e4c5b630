"""The colour of bare skin over the map: pigment, blood, freckles, moles, rings, pores."""

import numpy as np

from lrface.images.procedural.person.grid import COLUMNS, ROWS, Map, blur, bump, grain, smoothstep, waves
from lrface.images.procedural.person.head import Head, nasolabial
from lrface.images.procedural.person.identity import Identity

# Skin from the palest to the darkest, as sRGB colours in soft daylight.
TONES = np.array(
    [
        (247, 216, 200),
        (236, 194, 168),
        (219, 168, 135),
        (190, 134, 99),
        (149, 99, 69),
        (107, 68, 47),
        (70, 45, 34),
    ],
    dtype=np.float64,
)


def skin_tone(melanin: float, undertone: float) -> Map:
    """The linear RGB reflectance of skin with this much pigment."""
    spots = np.linspace(0.0, 1.0, len(TONES))
    colour = np.array([np.interp(melanin, spots, TONES[:, channel]) for channel in range(3)])
    linear = (colour / 255.0) ** 2.2
    # Tanned skin is less orange than the blood above it will make it.
    linear = linear + (linear.mean() - linear) * 0.2 * min(1.0, melanin / 0.4)
    linear *= np.array([1.0 + 0.02 * undertone, 1.0 - 0.03 * undertone, 1.0 - 0.14 * undertone])
    return np.asarray(linear, dtype=np.float32)


def _blood(identity: Identity, head: Head, generator: np.random.Generator) -> Map:
    """Where skin is redder: cheeks, nose, ears, chin, eyelids, and blotches."""
    side, y = np.abs(head.x), head.y
    tip = identity.nose.tip_height
    red = 0.9 * bump(side, 22.0, 10.5) * bump(y, 71.0, 10.0) + 0.95 * bump(head.x, 0.0, 7.5) * bump(y, tip, 6.5)
    red += 0.3 * bump(head.x, 0.0, 8.0) * bump(y, 108.0, 5.0) + 0.7 * smoothstep(35.0, 42.0, side) * bump(y, 62.0, 13.0)
    red += 0.35 * bump(side, identity.eyes.half_distance, 10.0) * bump(y, identity.eyes.height + 1.0, 5.5)
    red += 0.25 + identity.skin.mottling * 0.22 * waves(generator, 22, 24) + 0.05 * waves(generator, 60, 66)
    return np.asarray(red * (0.25 + 1.15 * identity.skin.blood), dtype=np.float32)


def _stamps(xs: Map, ys: Map, weights: Map, head: Head, width: float) -> Map:
    """Small round marks at the places that are seen straight ahead at (x, y)."""
    marks = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    rows = np.clip(np.searchsorted(head.y[:, 0], ys), 0, ROWS - 1)
    middle = slice(COLUMNS // 6, COLUMNS - COLUMNS // 6)
    for x, row, weight in zip(xs, rows, weights, strict=True):
        column = COLUMNS // 6 + int(np.argmin(np.abs(head.x[row, middle] - x)))
        marks[row, column] += weight
    return blur(marks, width) * np.float32(2.0 * np.pi * width * width)


def _marks(identity: Identity, head: Head) -> Map:
    """Freckles and moles, as extra pigment (0 is none, 1 is a black mole)."""
    generator = np.random.default_rng((identity.detail_seed, 5))
    pigment = np.zeros((ROWS, COLUMNS), dtype=np.float32)
    freckles = int(260 * identity.skin.freckles)
    if freckles:
        xs = generator.normal(0.0, 17.0, freckles).astype(np.float32)
        ys = (generator.normal(66.0, 8.5, freckles) - 0.006 * xs**2).astype(np.float32)
        weights = generator.uniform(0.08, 0.42, freckles).astype(np.float32)
        half = freckles // 2
        pigment += _stamps(xs[:half], ys[:half], weights[:half], head, 0.9)
        pigment += _stamps(xs[half:], ys[half:], weights[half:] * 0.8, head, 1.5)
    for _ in range(identity.skin.moles):
        x = np.array([generator.uniform(-31.0, 31.0)], dtype=np.float32)
        y = np.array([generator.uniform(22.0, 108.0)], dtype=np.float32)
        weight = np.array([generator.uniform(0.45, 1.0)], dtype=np.float32)
        mark = _stamps(x, y, weight, head, float(generator.uniform(1.1, 2.6)))
        pigment += np.clip(mark * 1.6, 0.0, weight[0])
    return np.minimum(pigment, 1.0)


def paint_skin(identity: Identity, head: Head) -> tuple[Map, Map, Map]:
    """Paints bare skin.

    Returns:
        The linear RGB reflectance (`ROWS` x `COLUMNS` x 3), the relief of the pores in pixels, and how
        much the skin shines (0 to 1).
    """
    generator = np.random.default_rng((identity.detail_seed, 4))
    side, y = np.abs(head.x), head.y
    skin, eyes = identity.skin, identity.eyes
    tone = skin_tone(skin.melanin, skin.undertone)
    pores = 0.6 * grain(generator, 0.8, 0.8) + 0.5 * grain(generator, 1.7, 1.7)
    light = 1.0 + 0.022 * pores + 0.045 * waves(generator, 9, 10) + 0.03 * waves(generator, 30, 33)
    rings = bump(side, eyes.half_distance - 1.0, 8.0) * bump(y, eyes.height + 5.0, 3.6)
    lids = bump(side, eyes.half_distance, 8.5) * bump(y, eyes.height - 3.6, 3.6)
    light -= skin.eye_rings * (0.34 * rings + 0.16 * lids) + 0.06 * rings
    across, runs = nasolabial(identity, head.x, y)
    light -= (0.02 + 0.1 * skin.wrinkles) * bump(across, -0.3, 1.2) * runs
    nostril_y = identity.nose.tip_height + 4.9 - 0.35 * identity.nose.upturn
    nostril = ((side - 0.52 * identity.nose.wings) / 1.75) ** 2 + ((y - nostril_y - 0.1 * side) / 0.95) ** 2
    light *= 1.0 - 0.78 * np.exp(-(nostril**1.5))
    light *= 1.0 - 0.16 * smoothstep(108.0, 122.0, y)
    blood = _blood(identity, head, generator)[..., None]
    pigment = _marks(identity, head)[..., None]
    # Blood takes green and blue away, less visibly so under much pigment.
    share = np.float32(0.30 * (1.0 - 0.6 * skin.melanin))
    colour = tone * (1.0 - blood * share * np.array([0.08, 0.62, 0.55], dtype=np.float32))
    colour *= 1.0 - pigment * np.array([0.62, 0.78, 0.88], dtype=np.float32)
    colour *= np.clip(light, 0.05, 1.3)[..., None]
    shine = (
        0.35 + 0.5 * bump(head.x, 0.0, 9.0) * bump(y, 66.0, 16.0) + 0.45 * bump(head.x, 0.0, 19.0) * bump(y, 28.0, 11.0)
    )
    shine += 0.35 * bump(side, 22.0, 8.0) * bump(y, 63.0, 7.0) + 0.25 * bump(head.x, 0.0, 7.0) * bump(y, 108.0, 4.0)
    shine *= (0.35 + 0.9 * skin.oil) * (1.0 + 0.12 * pores)
    return (
        np.asarray(np.clip(colour, 0.004, 0.95), dtype=np.float32),
        np.asarray(0.035 * pores, dtype=np.float32),
        np.asarray(np.clip(shine, 0.0, 1.5), dtype=np.float32),
    )
