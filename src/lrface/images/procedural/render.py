"""One picture of one person."""

import numpy as np
from jaxtyping import Float, UInt8

from lrface.images.procedural.person.bust import Bust, build_bust
from lrface.images.procedural.person.grid import sample, to_cells
from lrface.images.procedural.person.head import surface_point
from lrface.images.procedural.person.identity import Identity
from lrface.images.procedural.view.camera import background, photograph
from lrface.images.procedural.view.eyes import draw_eyes
from lrface.images.procedural.view.layers import Layers
from lrface.images.procedural.view.lighting import shade
from lrface.images.procedural.view.mouth import draw_mouth
from lrface.images.procedural.view.nuisance import Nuisance
from lrface.images.procedural.view.pose import look, points_in_crop
from lrface.images.procedural.view.spectacles import draw_glasses
from lrface.images.procedural.view.surface import Surface, see


def _layers(bust: Bust, surface: Surface, nuisance: Nuisance) -> Layers:
    columns, rows = to_cells(surface.rest_x, surface.rest_y, surface.z)
    colour = sample(bust.colour, columns, rows)
    relief = sample(bust.relief, columns, rows)
    around, down, openness, shine = (np.ascontiguousarray(relief[..., channel]) for channel in range(4))
    smile = np.float32(nuisance.expression.smile)
    added = sample(bust.smile, columns, rows)
    hair = np.ascontiguousarray(colour[..., 3])
    skin = 1.0 - hair
    return Layers(
        colour=np.ascontiguousarray(colour[..., :3]),
        around=around + smile * added[..., 0] * skin,
        down=down + smile * added[..., 1] * skin,
        open=np.clip(openness - max(float(smile), 0.0) * added[..., 2] * skin, 0.2, 1.2),
        shine=shine,
        polish=np.zeros_like(hair),
        hair=hair,
        glow=np.zeros_like(hair),
    )


def render(identity: Identity, nuisance: Nuisance) -> UInt8[np.ndarray, "112 112 3"]:
    """Draws a person under the given circumstances, as an aligned crop.

    The head is drawn at twice the size and shrunk by area, so that hairs and lashes are finer than a pixel.
    """
    bust = build_bust(identity)
    view = look(identity, nuisance, bust.head)
    surface = see(bust.radius, view, identity, nuisance.expression)
    layers = _layers(bust, surface, nuisance)
    draw_mouth(layers, surface, identity, nuisance)
    draw_eyes(layers, surface, identity, nuisance)
    _, _, bridge = surface_point(bust.head, 0.0, identity.eyes.height + 2.0)
    draw_glasses(layers, surface, identity, nuisance, bridge)
    lit = shade(layers, surface, bust.radius, nuisance.light, view.rotation)
    generator = np.random.default_rng((nuisance.scene_seed, 41))
    behind = background(generator)
    scene = behind + (lit - behind) * surface.cover[..., None]
    return photograph(scene, surface.cover * (1.0 - layers.hair), nuisance.camera, generator)


def landmarks(identity: Identity, nuisance: Nuisance) -> Float[np.ndarray, "5 2"]:
    """Where eyes, nose tip and mouth corners of a picture are, pixels (x, y), left of the picture first."""
    return points_in_crop(identity, nuisance, build_bust(identity).head)
