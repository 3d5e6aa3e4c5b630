"""A painted head: all about one person that neither expression nor camera changes."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lrface.images.procedural.person.grid import COLUMNS_PER_RADIAN, ROWS_PER_PIXEL, Map, blur, bump, smoothstep
from lrface.images.procedural.person.hair import paint_beard, paint_brows, paint_hair
from lrface.images.procedural.person.head import Head, build_head, hollows, nasolabial
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.person.skin import paint_skin

KEPT = 4


@dataclass(frozen=True)
class Bust:
    """One person's head as maps of angle and height.

    Attributes:
        head: The bare head, for finding places on it.
        radius: Distance of what is seen (skin or hair) from the axis, pixels.
        colour: Linear RGB reflectance, and as a fourth channel how much hair of the head covers.
        relief: Slope of the surface around and down (both without unit), openness to light, and shine.
        smile: The same two slopes, as a full smile adds them, and how it closes the folds to light.
    """

    head: Head
    radius: Map
    colour: Map
    relief: Map
    smile: Map


def _slopes(radius: Map, over: Map) -> tuple[Map, Map]:
    around = np.empty_like(radius)
    around[:, 1:-1] = (radius[:, 2:] - radius[:, :-2]) * np.float32(0.5 * COLUMNS_PER_RADIAN)
    around[:, 0], around[:, -1] = around[:, 1], around[:, -2]
    down = np.empty_like(radius)
    down[1:-1] = (radius[2:] - radius[:-2]) * np.float32(0.5 * ROWS_PER_PIXEL)
    down[0], down[-1] = down[1], down[-2]
    return np.asarray(around / np.maximum(over, 1.0), dtype=np.float32), down


def _smile(identity: Identity, head: Head) -> tuple[Map, Map]:
    """What a full smile adds to the radius, and how it darkens the folds."""
    across, runs = nasolabial(identity, head.x, head.y)
    side = np.abs(head.x)
    added = 1.7 * bump(across, 5.0, 4.5) * bump(head.y, identity.nose.tip_height + 3.5, 9.0)
    added += 1.3 * bump(side, 23.0, 7.0) * bump(head.y, 66.0, 6.5)
    added -= 1.15 * bump(across, 0.0, 1.6) * runs
    dark = 0.26 * bump(across, -0.2, 1.4) * runs
    corner = identity.mouth.half_width + 5.6
    added -= 0.8 * bump(side, corner, 1.8) * bump(head.y, identity.mouth.height - 2.5, 3.6)
    dark += 0.2 * bump(side, corner, 1.4) * bump(head.y, identity.mouth.height - 2.5, 3.0)
    return np.asarray(added, dtype=np.float32), np.asarray(dark, dtype=np.float32)


@lru_cache(maxsize=KEPT)
def build_bust(identity: Identity) -> Bust:
    """Builds and paints the head of one person; the last few are kept, as pictures come person by person."""
    head = build_head(identity)
    colour, pores, shine = paint_skin(identity, head)
    brow, brow_shade = paint_brows(identity, head)
    beard, beard_off = paint_beard(identity, head)
    cover, hair_off, strands = paint_hair(identity, head)
    generator = np.random.default_rng((identity.detail_seed, 9))

    hair_colour = np.asarray(identity.hair.colour, dtype=np.float32)
    brow_colour = hair_colour * np.float32(0.75)
    colour += (brow_colour * (0.35 + 1.3 * brow_shade[..., None]) - colour) * (0.94 * brow[..., None])

    strokes = generator.standard_normal(beard.shape, dtype=np.float32)
    strokes = blur(strokes, 1.7, 0.6)
    strokes *= np.float32(1.0 / strokes.std())
    # Short hair leaves skin between its stubs; a long beard covers all of it.
    closed = np.clip(beard * (0.62 + 0.16 * identity.beard.length) + 0.2 * beard * strokes, 0.0, 0.97)[..., None]
    beard_colour = np.asarray(identity.beard.colour, dtype=np.float32) * (1.0 + 0.32 * strokes[..., None])
    colour += (np.maximum(beard_colour, 0.004) - colour) * closed

    fair = float(hair_colour.max())
    depth = 1.75 - 1.2 * min(1.0, 2.0 * fair)
    tone = 1.0 + depth * (strands - 0.46) + 0.5 * (blur(strands, 7.0, 3.0) - 0.46)
    colour += (hair_colour * tone[..., None] - colour) * cover[..., None]

    bulk = np.maximum(hair_off * cover, beard_off)
    # The crown closes: above it there is nothing, not even hair.
    crown = smoothstep(-27.0, -15.0, head.y)
    radius = np.asarray((head.radius + bulk) * crown - 2.0 * (1.0 - crown), dtype=np.float32)
    rough = (
        pores * (1.0 - cover) * (1.0 - beard)
        + 0.5 * (strands - 0.5) * cover
        + 0.1 * strokes * beard * min(1.0, identity.beard.length)
        + 0.25 * brow * (0.6 + 0.6 * brow_shade)
    )
    around, down = _slopes(np.asarray(radius + rough, dtype=np.float32), radius)
    openness = hollows(radius) * (1.0 - 0.3 * cover * (1.0 - strands) ** 2)
    shine = shine * (1.0 - cover) * (1.0 - 0.8 * beard) * (1.0 - 0.6 * brow)
    added, dark = _smile(identity, head)
    smile_around, smile_down = _slopes(added, radius)
    return Bust(
        head=head,
        radius=radius,
        colour=np.ascontiguousarray(np.dstack([np.clip(colour, 0.003, 0.95), cover]).astype(np.float32)),
        relief=np.ascontiguousarray(np.dstack([around, down, openness, shine]).astype(np.float32)),
        smile=np.ascontiguousarray(np.dstack([smile_around, smile_down, dark]).astype(np.float32)),
    )
