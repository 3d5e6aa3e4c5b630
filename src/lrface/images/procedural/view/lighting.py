"""Light on the drawing: a key light with cast shadows, light from all around, and shine."""

import cv2
import numpy as np
import numpy.typing as npt

from lrface.images.procedural.person.grid import Map, sample, smoothstep, to_cells
from lrface.images.procedural.view.layers import Layers
from lrface.images.procedural.view.nuisance import Light
from lrface.images.procedural.view.surface import DRAWN, SIZE, Surface

SHADOW_STEPS = (1.6, 3.5, 6.5, 11.0, 17.0, 25.0)
# Red light travels furthest inside skin, so it reaches past the edge of the shade.
SCATTER = np.array([0.30, 0.13, 0.09], dtype=np.float32)


def _normals(layers: Layers, surface: Surface) -> tuple[Map, Map, Map]:
    """Unit normals in the head's frame, from the slopes around and down."""
    length = np.sqrt(surface.x * surface.x + surface.z * surface.z) + 1e-6
    sine, cosine = surface.x / length, surface.z / length
    normal_x = sine - layers.around * cosine
    normal_z = cosine + layers.around * sine
    normal_y = -layers.down
    scale = 1.0 / np.sqrt(normal_x * normal_x + normal_y * normal_y + normal_z * normal_z)
    return normal_x * scale, normal_y * scale, normal_z * scale


def _squared(values: Map, times: int) -> Map:
    """The power 2 ** times, by squaring: much quicker than a general power."""
    for _ in range(times):
        values = values * values
    return values


def _shadow(radius: Map, surface: Surface, towards: npt.NDArray[np.float64], softness: float) -> Map:
    """How much of the key light arrives (0 to 1): points on the way to it are tested against the head."""
    small = (SIZE, SIZE)
    x, y, z = (
        np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), dtype=np.float32)
        for part in (surface.x, surface.rest_y, surface.z)
    )
    arrives = np.ones_like(x)
    for far in SHADOW_STEPS:
        there_x, there_y, there_z = (
            np.asarray(start + np.float32(far * part), dtype=np.float32)
            for start, part in zip((x, y, z), towards, strict=True)
        )
        columns, rows = to_cells(there_x, there_y, there_z)
        above = np.sqrt(there_x * there_x + there_z * there_z) - sample(radius, columns, rows)
        blur_width = 0.5 + far * (0.06 + 0.3 * softness)
        arrives = np.minimum(arrives, smoothstep(-blur_width, 0.35 * blur_width, above + 0.35))
    arrives = cv2.GaussianBlur(arrives, (0, 0), 0.6 + 0.8 * softness)
    return np.asarray(cv2.resize(arrives, (DRAWN, DRAWN), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def shade(layers: Layers, surface: Surface, radius: Map, light: Light, rotation: npt.NDArray[np.float64]) -> Map:
    """Lights the drawing.

    Returns:
        Linear RGB radiance, `DRAWN` x `DRAWN` x 3.
    """
    towards = rotation.T @ np.asarray(light.direction)
    view = rotation.T @ np.array([0.0, 0.0, 1.0])
    up = rotation.T @ np.array([0.0, -1.0, 0.0])
    right = rotation.T @ np.array([1.0, 0.0, 0.0])
    normal = _normals(layers, surface)

    def against(vector: npt.NDArray[np.float64]) -> Map:
        parts = [part * np.float32(weight) for part, weight in zip(normal, vector, strict=True)]
        return np.asarray(parts[0] + parts[1] + parts[2], dtype=np.float32)

    facing, upward, rightward, seen = against(towards), against(up), against(right), against(view)
    arrives = _shadow(radius, surface, towards, light.softness)
    wrap = SCATTER + np.float32(0.25 * light.softness)
    lit = np.maximum((facing[..., None] + wrap) / (1.0 + wrap), 0.0)
    # The edge of a cast shadow is red too: red keeps more of a half shadow than blue.
    half_shade = arrives * (1.0 - arrives)
    through = np.stack([arrives + 0.16 * half_shade, arrives, arrives - 0.03 * half_shade], axis=-1)
    key = np.asarray(light.key, dtype=np.float32)
    sky, ground = np.asarray(light.sky, dtype=np.float32), np.asarray(light.ground, dtype=np.float32)
    around: Map = ground + (sky - ground) * (0.5 + 0.5 * upward)[..., None]
    around = around + np.asarray(light.side, dtype=np.float32) * rightward[..., None]
    around = np.maximum(around, 0.02) * (layers.open * np.sqrt(layers.open))[..., None]
    total = key * lit * through * (0.35 + 0.65 * layers.open)[..., None] + around
    colour = layers.colour * total

    between = towards + view
    half = between / np.linalg.norm(between)
    glint = np.clip(against(half), 0.0, 1.0)
    glint_16 = _squared(glint, 4)
    glint_32 = glint_16 * glint_16
    broad = glint_16 * 0.09 + glint_32 * 0.12
    sharp = _squared(glint_32, 2) * 0.9 + 0.4 * broad
    rim = _squared(1.0 - np.clip(seen, 0.0, 1.0), 2) * 0.06
    skin_shine = layers.shine * ((broad + (sharp - broad) * layers.polish) * arrives)
    along = _strand_shine(towards, view, layers)
    hair_shine = layers.hair * (along * (0.25 + 0.75 * arrives)) * np.clip(0.3 + facing, 0.0, 1.0)
    tint = 0.35 + 1.2 * layers.colour
    colour = colour + (skin_shine[..., None] + hair_shine[..., None] * tint) * key
    colour = colour + (rim * (1.0 - layers.hair))[..., None] * (sky * 0.6)
    return np.asarray(colour + layers.glow[..., None], dtype=np.float32)


def _strand_shine(towards: npt.NDArray[np.float64], view: npt.NDArray[np.float64], layers: Layers) -> Map:
    """The band of light across hair: strongest where strands cross the half way from light to eye."""
    half = towards + view
    half = half / np.linalg.norm(half)
    tangent_y = np.float32(1.0) / np.sqrt(1.0 + layers.down * layers.down)
    along = np.float32(half[1]) * tangent_y + np.float32(half[2]) * layers.down * tangent_y
    across = np.clip(1.0 - along * along, 0.0, 1.0)
    return np.asarray(0.16 * _squared(across, 3) * _squared(across, 2), dtype=np.float32)
