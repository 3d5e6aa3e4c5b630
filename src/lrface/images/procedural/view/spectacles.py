"""Spectacles: rims, bridge and arms in a curved plane before the face, tint and mirrored light."""

import numpy as np

from lrface.images.procedural.person.grid import Map, smoothstep
from lrface.images.procedural.person.identity import Glasses, Identity
from lrface.images.procedural.view.layers import Layers
from lrface.images.procedural.view.nuisance import Nuisance
from lrface.images.procedural.view.surface import Surface

EDGE = 0.3


def _lens(x: Map, y: Map, glasses: Glasses) -> Map:
    """Signed distance to the edge of a lens, pixels (negative inside), from places relative to its middle."""
    power = glasses.roundness
    across = np.abs(x) / (glasses.half_width * (1.0 - 0.012 * np.clip(y, -12.0, 12.0)))
    down = np.abs(y) / glasses.half_height
    norm = (across**power + down**power + 1e-6) ** (1.0 / power)
    return np.asarray((norm - 1.0) * 0.5 * (glasses.half_width + glasses.half_height), dtype=np.float32)


def _plane(surface: Surface, depth: float, bend: float) -> tuple[Map, Map, Map]:
    """Where each ray meets the curved plane of the lenses: (x, y, how far before the face)."""
    height = np.float32(depth)
    x = surface.x
    for _ in range(2):
        along = (height - bend * x * x - surface.origin[2]) / surface.direction[2]
        x = surface.origin[0] + along * surface.direction[0]
    y = surface.origin[1] + along * surface.direction[1]
    return x, y, np.asarray(height - bend * x * x - surface.z, dtype=np.float32)


def draw_glasses(layers: Layers, surface: Surface, identity: Identity, nuisance: Nuisance, nose_z: float) -> None:
    """Draws the spectacles, if the person wears any; `nose_z` is how far the bridge of the nose is out."""
    glasses = identity.glasses
    if glasses is None:
        return
    x, y, before = _plane(surface, nose_z + 2.6, 0.0075)
    middle_y = identity.eyes.height + glasses.drop
    middle_x = max(identity.eyes.half_distance + 0.6, glasses.half_width + 2.6)
    ahead = smoothstep(-3.0, -0.5, before)
    side = np.abs(x)
    edge = _lens(side - middle_x, y - middle_y, glasses)
    hang = 1.0 + (glasses.lower_rim - 1.0) * smoothstep(-1.0, 3.0, y - middle_y)
    half_rim = 0.5 * glasses.rim * hang + 0.12
    rim = smoothstep(EDGE, -EDGE, np.abs(edge) - half_rim)
    gap = middle_x - glasses.half_width
    bridge_y = middle_y - 0.32 * glasses.half_height - 1.2 * (1.0 - (x / max(gap, 0.5)) ** 2)
    bridge = smoothstep(EDGE, -EDGE, np.abs(y - bridge_y) - 0.5 * max(glasses.rim, 0.8)) * smoothstep(
        0.8, 0.0, side - gap
    )
    outer = middle_x + glasses.half_width
    arm_y = middle_y - 0.4 * glasses.half_height
    on_side = smoothstep(outer - 0.5, outer + 0.5, np.abs(surface.x)) * smoothstep(2.0, 8.0, surface.z + 20.0)
    arm = smoothstep(EDGE, -EDGE, np.abs(surface.y - arm_y) - 0.35 * max(glasses.rim, 1.0) - 0.2) * on_side
    arm = arm * (1.0 - 0.95 * layers.hair)
    frame = np.maximum(np.maximum(rim, bridge) * ahead, arm) * surface.cover
    whole = (slice(None), slice(None))
    lens = smoothstep(EDGE, -EDGE, edge) * ahead * surface.cover
    # The rim's own shadow falls on the cheek a little below it.
    shadow = smoothstep(1.6, 0.0, np.abs(edge + 0.0) - half_rim) * 0.24 * (1.0 - frame) * ahead
    layers.darken(whole, np.asarray(shadow + lens * (0.05 + 0.45 * glasses.tint**2), dtype=np.float32))
    layers.paint(whole, glasses.colour, np.asarray(0.97 * frame, dtype=np.float32))
    layers.shine += 0.7 * frame - layers.shine * frame
    layers.polish = np.maximum(layers.polish, frame)
    layers.around = layers.around * (1.0 - 0.7 * frame) - 0.7 * frame * np.clip(edge / half_rim, -1, 1) * np.sign(x)
    layers.open = layers.open + (1.0 - layers.open) * frame
    generator = np.random.default_rng((nuisance.scene_seed, 31))
    slant = generator.uniform(-0.6, 0.6)
    where = generator.uniform(-9.0, 9.0)
    strength = float(generator.beta(1.0, 5.0)) * 0.35
    streak = smoothstep(3.2, 0.6, np.abs((side - middle_x) + slant * (y - middle_y) - where))
    layers.glow += np.asarray(lens * (1.0 - frame) * (strength * streak + 0.008), dtype=np.float32)
