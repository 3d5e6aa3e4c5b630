"""The mouth under this picture's expression: lips, the line between them, teeth and the dark behind."""

import numpy as np

from lrface.images.procedural.person.grid import Map, bump, smoothstep
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.person.skin import skin_tone
from lrface.images.procedural.view.layers import Layers, window_around
from lrface.images.procedural.view.nuisance import Nuisance
from lrface.images.procedural.view.pose import mouth_corner
from lrface.images.procedural.view.surface import Surface, jaw_drop

EDGE = 0.4


def _lip_colour(identity: Identity) -> Map:
    """Reflectance of the lips: the skin's, with more blood, or with lipstick."""
    skin = skin_tone(identity.skin.melanin, identity.skin.undertone)
    redness = identity.mouth.redness
    blood = skin * np.array([0.80, 0.44, 0.46], dtype=np.float32) * (1.0 - 0.25 * identity.skin.melanin)
    natural = skin + (blood - skin) * np.float32(min(1.0, 0.45 + redness))
    paint = np.array([0.42, 0.035, 0.06], dtype=np.float32) * np.float32(0.55 + 0.45 * (1.0 - identity.skin.melanin))
    return np.asarray(natural + (paint - natural) * np.float32(max(0.0, redness - 0.7)), dtype=np.float32)


def _teeth(x: Map, depth: Map) -> Map:
    """Colour of the upper teeth, h x w x 3: white tiles that darken to the sides."""
    wide = np.float32(3.1)
    bend = np.abs(x) - 0.008 * x * x * np.abs(x) * 0.3
    gap = np.abs(bend / wide - np.round(bend / wide))
    tile = 0.86 + 0.14 * smoothstep(0.0, 0.16, gap)
    shade = tile * (1.0 - 0.00185 * x * x) * (0.72 + 0.28 * smoothstep(0.0, 1.4, depth))
    return np.asarray(
        np.clip(shade, 0.05, 1.0)[..., None] * np.array([0.72, 0.67, 0.58], dtype=np.float32),
        dtype=np.float32,
    )


def draw_mouth(layers: Layers, surface: Surface, identity: Identity, nuisance: Nuisance) -> None:
    """Draws the mouth."""
    mouth, expression = identity.mouth, nuisance.expression
    corner_x, corner_y = mouth_corner(identity, expression)
    drop = jaw_drop(expression.opening)
    window = window_around(surface.x, surface.y, (-corner_x - 7, corner_y - 14, corner_x + 7, corner_y + 20 + drop))
    if window is None:
        return
    front = smoothstep(5.0, 16.0, surface.z[window]) * (1.0 - layers.hair[window])
    x, y = surface.x[window], surface.y[window]
    place = x / corner_x
    side = np.minimum(np.abs(place), 1.2)
    arch = 1.0 - side**2.2
    rest = mouth.height + 0.35 * expression.smile
    # The line where the lips meet sags between corners that a smile lifts, and dips under the bow.
    line = corner_y + (rest - corner_y) * (1.0 - side**2.0) + 0.45 * mouth.bow * bump(x, 0.0, 3.6) * arch
    lift = (0.22 * drop + 2.4 * max(0.0, expression.smile) * min(1.0, 2.5 * expression.opening)) * arch
    lower_drop = (0.86 * drop + 1.2 * max(0.0, expression.smile) * min(1.0, 2.5 * expression.opening)) * (
        1.0 - side**2.6
    )
    upper_edge, lower_edge = line - lift, line + lower_drop

    stretch = 1.0 - 0.26 * max(0.0, expression.smile)
    bow = 1.0 + 0.16 * mouth.bow * (bump(np.abs(x), 3.8, 2.6) - 0.95 * bump(x, 0.0, 2.0))
    top = upper_edge - mouth.upper_lip * stretch * bow * (1.0 - side**1.65)
    bottom = lower_edge + mouth.lower_lip * stretch * (1.0 - side**2.5) * (1.0 - 0.04 * bump(x, 0.0, 3.0))
    within = smoothstep(1.03, 0.95, side) * front

    upper = smoothstep(-EDGE * 1.4, EDGE, y - top) * smoothstep(EDGE, -EDGE, y - upper_edge) * within
    lower = smoothstep(-EDGE, EDGE, y - lower_edge) * smoothstep(EDGE * 1.8, -EDGE * 1.4, y - bottom) * within
    gap = smoothstep(-EDGE, EDGE, y - upper_edge) * smoothstep(EDGE, -EDGE, y - lower_edge) * within
    gap = gap * np.clip((lower_edge - upper_edge) / 0.9, 0.0, 1.0)

    generator = np.random.default_rng((identity.detail_seed, 12))
    phase = generator.uniform(0.0, 6.28, 3).astype(np.float32)
    lines = np.sin(x * 2.4 + phase[0]) + 0.7 * np.sin(x * 3.7 + phase[1]) + 0.5 * np.sin(x * 5.3 + phase[2])
    colour = _lip_colour(identity)
    skin = np.asarray((1.0 + 0.045 * lines)[..., None] * colour, dtype=np.float32)
    layers.paint(window, skin * np.float32(0.82), np.asarray(0.93 * upper, dtype=np.float32))
    layers.paint(window, skin, np.asarray(0.93 * lower, dtype=np.float32))

    height_up = np.maximum(upper_edge - top, 0.5)
    height_low = np.maximum(bottom - lower_edge, 0.5)
    roll_up = np.clip((y - top) / height_up, 0.0, 1.0)
    roll_low = np.clip((y - lower_edge) / height_low, 0.0, 1.0)
    layers.down[window] += upper * (0.42 - 1.25 * roll_up) + lower * (0.75 - 1.6 * roll_low)
    layers.around[window] += 0.10 * lines * (upper + lower)
    layers.shine[window] += lower * mouth.gloss * 1.1 + upper * mouth.gloss * 0.5
    layers.polish[window] = np.maximum(layers.polish[window], (lower + upper) * 0.5)
    layers.darken(window, 0.24 * bump(y - bottom, 1.6, 1.7) * smoothstep(0.85, 0.3, side) * front)

    dark = np.array([0.022, 0.008, 0.007], dtype=np.float32)
    inner = np.broadcast_to(dark, (*x.shape, 3)).copy()
    tongue = smoothstep(2.2, 5.5, y - upper_edge) * smoothstep(0.8, 0.2, side)
    inner += tongue[..., None] * np.array([0.11, 0.03, 0.03], dtype=np.float32)
    teeth_height = 2.2 + 2.3 * max(0.0, expression.smile)
    shown = smoothstep(0.35, -0.35, y - upper_edge - teeth_height * (1.0 - 0.5 * side**2)) * smoothstep(
        0.93, 0.78, side
    )
    inner += (_teeth(x, y - upper_edge) - inner) * np.asarray(shown, dtype=np.float32)[..., None]
    layers.paint(window, inner, gap)
    layers.shine[window] *= 1.0 - 0.7 * gap
    layers.open[window] *= 1.0 - 0.25 * gap
    seam = bump(y - line, 0.0, 0.62) * within * (1.0 - np.clip((lower_edge - upper_edge) / 1.2, 0.0, 1.0))
    layers.darken(window, np.asarray(0.78 * seam, dtype=np.float32))
    corner = np.exp(-(((np.abs(x) - corner_x) / 1.4) ** 2 + ((y - corner_y) / 1.2) ** 2)) * front
    layers.darken(window, np.asarray(0.5 * corner, dtype=np.float32))
