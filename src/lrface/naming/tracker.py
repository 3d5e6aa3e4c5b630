"""Faces linked from frame to frame by the overlap of their boxes.

Each track says where its face should be next, as it moved before; faces and tracks are then assigned to each other so
that the overlap is largest in all (Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016, with a constant
velocity in the place of the Kalman filter: boxes of 10 pixels are too coarse to weigh their noise).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from scipy.optimize import linear_sum_assignment

from lrface.data.faces.crowd import Seen

Box = tuple[float, float, float, float]

_GROWN: Final = 2.0
"""Boxes are taken this much larger: small faces move by more than their own width between frames."""
_MEMORY: Final = 0.5
"""Share of the new movement in the velocity."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What is kept of a face of a track.

    Attributes:
        frame: Number of the frame, from 0.
        side: Side of the face, pixels.
        sure: How sure the detector was, 0 to 1.
        pixels: The aligned face, RGB.
    """

    frame: int
    side: float
    sure: float
    pixels: UInt8[np.ndarray, "s s 3"]


@dataclass(eq=False)
class Track:
    """One face through a film.

    Attributes:
        number: From 1, in the order of appearance.
        frames: Numbers of the frames in which it was seen, rising.
        boxes: Where, pixels.
        sides: How large, pixels.
        pictures: The pictures that it is named by: spread over the track, the larger one of neighbours.
    """

    number: int
    frames: list[int] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    sides: list[float] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    _landmarks: Float[np.ndarray, "5 2"] = field(default_factory=lambda: np.zeros((5, 2)))
    _velocity: Float[np.ndarray, " 2"] = field(default_factory=lambda: np.zeros(2))

    def add(self, frame: int, face: Seen, most: int) -> None:
        """Take in where the face is in a frame; of `most` pictures twice as many are held at the most."""
        centre = _centre(face.box)
        if self.frames:
            moved = (centre - _centre(self.boxes[-1])) / (frame - self.frames[-1])
            share = _MEMORY if len(self.frames) > 1 else 1.0
            self._velocity = share * moved + (1 - share) * self._velocity
        self._landmarks = face.landmarks
        self.frames.append(frame)
        self.boxes.append(face.box)
        self.sides.append(face.side)
        self.pictures.append(Picture(frame, face.side, face.sure, face.pixels))
        if len(self.pictures) >= 2 * most:
            self.pictures = thinned(self.pictures)

    def where(self, frame: int) -> tuple[Box, Float[np.ndarray, "5 2"]]:
        """Where its box and landmarks should be in a later frame."""
        shift = self._velocity * (frame - self.frames[-1])
        left, top, width, height = self.boxes[-1]
        return (left + float(shift[0]), top + float(shift[1]), width, height), self._landmarks + shift


class Tracker:
    """Links the faces of one frame after the other.

    Args:
        overlap: Overlap (IoU of boxes twice as large) from which on a face belongs to a track.
        gap: Frames that a face may be away.
        most: Pictures that are kept of a track, at the most.
    """

    def __init__(self, overlap: float, gap: int, most: int) -> None:
        self._overlap, self._gap, self._most = overlap, gap, most
        self._live: list[Track] = []
        self._begun = 0

    @property
    def live(self) -> Sequence[Track]:
        """The tracks whose faces may still come back."""
        return self._live

    def step(self, frame: int, faces: Sequence[Seen], *, begins: bool = True) -> list[Track]:
        """Link the faces of a frame.

        Args:
            frame: Its number, larger than that of the last one.
            faces: What was found in it.
            begins: Whether a face that belongs to no track begins one.

        Returns:
            The tracks that have ended.
        """
        ended = [track for track in self._live if frame - track.frames[-1] > self._gap]
        self._live = [track for track in self._live if frame - track.frames[-1] <= self._gap]
        alike = overlaps([track.where(frame)[0] for track in self._live], [face.box for face in faces], _GROWN)
        rows, columns = linear_sum_assignment(-alike)
        linked = set()
        for row, column in zip(rows, columns, strict=True):
            if alike[row, column] >= self._overlap:
                self._live[row].add(frame, faces[column], self._most)
                linked.add(column)
        for column, face in enumerate(faces):
            if begins and column not in linked:
                self._begun += 1
                track = Track(self._begun)
                track.add(frame, face, self._most)
                self._live.append(track)
        return ended

    def end(self) -> list[Track]:
        """End all tracks."""
        ended, self._live = self._live, []
        return ended


def thinned(pictures: Sequence[Picture]) -> list[Picture]:
    """Halves pictures: of each two neighbours the larger face is kept, of equal ones the surer."""
    pairs = [pictures[start : start + 2] for start in range(0, len(pictures), 2)]
    return [max(pair, key=lambda picture: (min(round(picture.side), 112), picture.sure)) for pair in pairs]


def overlaps(one: Sequence[Box], other: Sequence[Box], grown: float = 1.0) -> Float[np.ndarray, "n m"]:
    """Gives the intersection over union of each box with each.

    Args:
        one: Left, top, width and height, pixels.
        other: Likewise.
        grown: How much larger each is taken, about its middle.
    """
    if not one or not other:
        return np.zeros((len(one), len(other)))
    first, second = (_corners(boxes, grown) for boxes in (one, other))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(corners[:, 2:] - corners[:, :2]).prod(axis=1) for corners in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


def _corners(boxes: Sequence[Box], grown: float) -> np.ndarray:
    given = np.asarray(boxes, dtype=np.float64)
    centre, half = given[:, :2] + given[:, 2:] / 2, given[:, 2:] * grown / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _centre(box: Box) -> np.ndarray:
    return np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
