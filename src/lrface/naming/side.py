"""How large a face really is, and the picture of it that the pair is to see.

A small face that was enlarged before it came is not a large one: it is brought back to its own side, where the
super-resolver takes it, and is held against the threshold for that side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import UInt8

from lrface.errors import DataError
from lrface.images.degradation.enlargement import effective_sides
from lrface.images.degradation.resample import brought_back
from lrface.images.ranges import to_float, to_uint8
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN

ESTIMATES: Final = True
"""Whether the side is estimated where nobody says otherwise."""
SLACK: Final = 1.25
"""How much larger than its side a face is brought back. Too small a picture costs names, too large a one hardly: of
faces of 12 pixels that Lanczos enlarged the pair names 9.6 points fewer with 1, and 3.7 points more with 1.25."""


@dataclass(frozen=True, eq=False)
class Sized:
    """A face as the pair is to see it.

    Attributes:
        pixels: RGB, square: of 8 to 32 pixels where the face is so small, else as it was.
        side: How large the face really is, pixels: never more than it came as, nor than 112.
        came_as: Side of the picture, or of the face in a photograph, pixels.
    """

    pixels: UInt8[np.ndarray, "s s 3"]
    side: float
    came_as: float

    @property
    def note(self) -> str:
        """Says in words that the picture was enlarged before it came; empty where nothing shows that."""
        small = self.side < min(self.came_as, FACE_SIZE) - 0.5
        return f"came as {self.came_as:.0f} px and shows a face of about {self.side:.0f} px" if small else ""


def sized(
    pictures: Sequence[UInt8[np.ndarray, "s s 3"]],
    came_as: Sequence[float] | None = None,
    *,
    estimate: bool = ESTIMATES,
) -> list[Sized]:
    """Find out how large faces really are, and bring those that were enlarged back to their own side.

    Only pictures of 112 pixels are looked at: a smaller one is taken for what it is.

    Args:
        pictures: Aligned faces, RGB, square.
        came_as: How large each was before it was aligned or resized, pixels; None: as its picture.
        estimate: Whether to look; without it every face is as large as it came, and no picture is changed.

    Raises:
        DataError: There is not a side for each picture.
    """
    sides = [float(picture.shape[0]) for picture in pictures] if came_as is None else [float(side) for side in came_as]
    if len(sides) != len(pictures):
        raise DataError("faces", got=f"{len(sides)} sides", expected=f"{len(pictures)}", remedy="give one for each")
    found = [min(side, float(picture.shape[0])) for side, picture in zip(sides, pictures, strict=True)]
    shown = list(pictures)
    if estimate:
        whole = [row for row, picture in enumerate(pictures) if picture.shape == (FACE_SIZE, FACE_SIZE, 3)]
        estimated = effective_sides(np.stack([pictures[row] for row in whole])) if whole else ()
        for row, side in zip(whole, estimated, strict=True):
            found[row] = min(found[row], float(side))
            if found[row] < VLR_MAX + 0.5:
                shown[row] = _brought_back(pictures[row], min(VLR_MAX, SLACK * found[row]))
    return [Sized(*parts) for parts in zip(shown, found, sides, strict=True)]


def _brought_back(picture: UInt8[np.ndarray, "112 112 3"], side: float) -> UInt8[np.ndarray, "s s 3"]:
    small: np.ndarray = to_uint8(brought_back(to_float(picture[None]), max(VLR_MIN, round(side))))[0]
    return small
