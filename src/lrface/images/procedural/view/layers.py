"""The drawing while it is worked on: colour, slopes and shine per pixel, which the features change."""

from dataclasses import dataclass

import numpy as np

from lrface.images.procedural.person.grid import Map


@dataclass
class Layers:
    """Mutable maps of one drawing; `colour` is h x w x 3 linear RGB, the others h x w.

    Attributes:
        colour: Linear RGB reflectance.
        around: Slope of the surface to the right of the face.
        down: Slope of the surface downwards.
        open: How open to light from all around.
        shine: How much it shines.
        polish: 0 for the broad shine of skin, 1 for the sharp one of an eye or a wet lip.
        hair: How much of it is hair of the head.
        glow: Light added on top whatever falls on it (reflections), h x w.
    """

    colour: Map
    around: Map
    down: Map
    open: Map
    shine: Map
    polish: Map
    hair: Map
    glow: Map

    def paint(self, window: tuple[slice, slice], colour: Map | tuple[float, float, float], share: Map) -> None:
        """Lays a colour over a window, `share` (0 to 1) saying how much of it."""
        target = self.colour[window]
        target += (np.asarray(colour, dtype=np.float32) - target) * share[..., None]

    def darken(self, window: tuple[slice, slice], amount: Map) -> None:
        """Takes a share of the light away in a window (0 none, 1 all), red a little less than blue."""
        tinted = amount[..., None] * np.array([0.9, 1.0, 1.0], dtype=np.float32)
        self.colour[window] *= 1.0 - tinted


def window_around(x: Map, y: Map, box: tuple[float, float, float, float]) -> tuple[slice, slice] | None:
    """The smallest window that holds all within (left, top, right, bottom) of the head's frame."""
    left, top, right, bottom = box
    inside = (x > left) & (x < right) & (y > top) & (y < bottom)
    rows = np.flatnonzero(inside.any(axis=1))
    columns = np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
