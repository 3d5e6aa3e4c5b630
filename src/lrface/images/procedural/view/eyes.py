"""Eyes: lids as they are open in this picture, eyeball, iris, pupil, lashes, and the light they mirror."""

import numpy as np

from lrface.images.procedural.person.grid import Map, bump, smoothstep
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.view.layers import Layers, window_around
from lrface.images.procedural.view.nuisance import Nuisance
from lrface.images.procedural.view.surface import Surface

EDGE = 0.32


def draw_eyes(layers: Layers, surface: Surface, identity: Identity, nuisance: Nuisance) -> None:
    """Draws both eyes."""
    for sign in (-1.0, 1.0):
        _draw_eye(layers, surface, identity, nuisance, sign)


def _iris(identity: Identity, across: Map, down: Map, far: Map) -> Map:
    """Colour of the iris and pupil at places relative to their middle, h x w x 3."""
    eyes = identity.eyes
    generator = np.random.default_rng((identity.detail_seed, 10))
    turn = np.arctan2(down, across)
    spokes = sum(
        (np.sin(turn * frequency + generator.uniform(0, 6.28)) for frequency in (7.0, 11.0, 17.0)),
        start=np.zeros_like(far),
    )
    share = far / eyes.iris_radius
    light = (0.72 + 0.16 * spokes) * (1.0 + 0.35 * bump(share, 0.5, 0.22)) * (1.0 - 0.72 * smoothstep(0.74, 1.0, share))
    colour = np.asarray(eyes.iris_colour, dtype=np.float32) * light[..., None]
    warm = bump(share, 0.42, 0.16)[..., None] * np.array([0.05, 0.02, -0.02], dtype=np.float32)
    colour = np.clip(colour + warm * 0.5, 0.004, 1.0)
    pupil = smoothstep(0.45, 0.34, share)[..., None]
    return np.asarray(colour * (1.0 - pupil) + 0.003 * pupil, dtype=np.float32)


def _draw_eye(layers: Layers, surface: Surface, identity: Identity, nuisance: Nuisance, sign: float) -> None:
    eyes, expression = identity.eyes, nuisance.expression
    middle = sign * eyes.half_distance
    box = (middle - 14.0, eyes.height - 11.0, middle + 14.0, eyes.height + 9.0)
    window = window_around(surface.x, surface.y, box)
    if window is None:
        return
    front = smoothstep(0.0, 12.0, surface.z[window]) * (1.0 - layers.hair[window])
    across = sign * surface.x[window] - eyes.half_distance
    down = surface.y[window] - eyes.height
    tilted = down + eyes.tilt * across
    place = across / eyes.half_width
    bent = np.clip(place + 0.16 * (1.0 - place * place), -1.3, 1.3)

    open_share = np.clip(1.0 - 0.92 * expression.blink + 0.12 * expression.brow_raise, 0.06, 1.25)
    upper_height = eyes.upper_lid * open_share * (1.0 - 0.18 * expression.squint)
    lower_height = eyes.lower_lid * (1.0 - 0.5 * expression.squint) * (1.0 - 0.3 * expression.blink)
    upper = -upper_height * (1.0 - np.abs(bent) ** 2.3) + 0.25 * place
    lower = lower_height * (1.0 - np.abs(place) ** 2.4) + 0.25 * place
    inside_x = smoothstep(1.02, 0.94, np.abs(place))
    opening = smoothstep(-EDGE, EDGE, tilted - upper) * smoothstep(-EDGE, EDGE, lower - tilted) * inside_x * front

    # The lid's crease, its fold above it, and what hangs over it.
    near = smoothstep(1.35, 0.8, np.abs(place)) * front
    crease = upper - eyes.crease * (0.75 + 0.25 * open_share) * (1.0 - 0.3 * np.abs(place))
    layers.darken(window, 0.42 * bump(tilted - crease, 0.0, 0.62) * near * (0.5 + 0.5 * min(1.0, eyes.crease / 2.0)))
    layers.down[window] -= 0.42 * bump(tilted - crease, -1.0, 1.1) * near * (0.4 + eyes.hooding)
    layers.down[window] += 0.34 * bump(tilted - crease, 1.1, 1.0) * near
    layers.darken(window, 0.24 * bump(tilted - upper, -1.1, 1.5) * near)
    layers.darken(window, 0.13 * bump(tilted - lower, 0.9, 1.1) * near)

    ball = np.clip(1.0 - 0.42 * np.abs(place) ** 2.5, 0.2, 1.0)
    lid_shadow = 1.0 - 0.5 * smoothstep(2.3, 0.0, tilted - upper)
    # Lids and lashes keep light from the white; in a dark face the camera would show it glaring.
    dim = 1.0 - 0.35 * identity.skin.melanin
    white = dim * np.array([0.45, 0.42, 0.40], dtype=np.float32) * (ball * lid_shadow)[..., None]
    pink = (smoothstep(-0.72, -0.98, place) * 0.75)[..., None]
    white += (np.array([0.42, 0.17, 0.15], dtype=np.float32) - white) * pink
    iris_x = across - (sign * expression.gaze_x - 0.25)
    iris_y = tilted - (expression.gaze_y - 0.55 + 0.3 * expression.blink)
    far = np.sqrt(iris_x * iris_x + iris_y * iris_y)
    iris = _iris(identity, iris_x, iris_y, far) * lid_shadow[..., None]
    white += (iris - white) * smoothstep(eyes.iris_radius + EDGE, eyes.iris_radius - EDGE, far)[..., None]
    layers.paint(window, white, opening)
    layers.shine[window] *= 1.0 - opening
    slope = (1.0 - opening) * 1.0
    layers.around[window] = layers.around[window] * slope + opening * (-0.10 * sign * across)
    layers.down[window] = layers.down[window] * slope + opening * (-0.10 * tilted)
    layers.open[window] = layers.open[window] * slope + opening * 0.8

    # Catchlight: where the key light stands, and a faint window below it.
    light = nuisance.light.direction
    spot_x = iris_x - sign * np.clip(2.4 * light[0], -1.7, 1.7)
    spot_y = iris_y - np.clip(1.1 + 2.2 * light[1], -1.5, 0.4)
    spot = np.exp(-((spot_x / 0.62) ** 2 + (spot_y / 0.62) ** 2)) * opening
    layers.glow[window] += (
        (0.08 + 0.34 * float(np.mean(nuisance.light.key))) * (1.0 - 0.6 * identity.skin.melanin) * spot
    )

    # Lashes: thicker outwards, a little past the outer corner.
    outer = smoothstep(-1.0, 0.9, place)
    lash_line = bump(tilted - upper, -0.15, 0.42 + 0.5 * eyes.lashes * (0.35 + 0.65 * outer))
    reach = smoothstep(1.18 + 0.1 * eyes.lashes, 0.98, place) * smoothstep(-1.04, -0.9, place) * front
    dark = (0.012, 0.009, 0.008)
    layers.paint(window, dark, np.clip((0.55 + 0.45 * eyes.lashes) * lash_line * reach, 0.0, 0.97))
    under = bump(tilted - lower, 0.1, 0.42) * inside_x * front
    layers.paint(
        window,
        dark,
        np.asarray((0.12 + 0.22 * eyes.lashes) * under * (0.35 + 0.65 * outer), dtype=np.float32),
    )
