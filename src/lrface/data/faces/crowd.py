"""Every face of a photograph, also those of 10 to 30 pixels, each aligned at the size that it has.

YuNet (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023) misses most
faces under 20 pixels. So a photograph is enlarged and searched in tiles for whatever might be a face, and each of these
is looked at again alone, upright and larger still, where the network is exact.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lrface.data.faces.detector import Detector
from lrface.data.faces.looks import distinct, enlarged_back
from lrface.data.settings import CrowdSettings, DetectorSettings
from lrface.errors import DataError
from lrface.images.alignment import FACE_SIZE, TEMPLATE, robust_similarity, similarity, similarity_error, warp
from lrface.images.sizes import VLR_MAX, VLR_MIN

_SEEN: Final = 30.0
"""Side that the smallest faces are enlarged to, pixels: .92 of those of 10 pixels are hinted at there, all of 12."""
_LARGEST_SCALE: Final = 8.0
_STEP: Final = 3.0
_COARSEST: Final = 320
_TILE: Final = 1024
_SHARED: Final = 192
_CANDIDATES: Final = 6
# Of the second look, as in `Detector`: its side, and where the landmarks should be.
_LOOK: Final = 128
_LOOK_TEMPLATE: Final = (TEMPLATE - (FACE_SIZE - 1) / 2) * 0.6 + (_LOOK - 1) / 2
_AGREE: Final = 0.3 * 0.6 * FACE_SIZE


@dataclass(frozen=True, eq=False)
class Seen:
    """A face in a photograph.

    Attributes:
        box: Left, top, width and height of what the detector boxes, pixels of the photograph; it may reach beyond.
        landmarks: Eyes, nose tip, mouth corners, pixels (x, y), left of the picture first.
        side: Side of the square in the photograph that is the aligned face, pixels.
        sure: How sure the detector is, 0 to 1.
        pixels: The aligned face, RGB: of its own side where that is 8 to 32 pixels, else 112.
    """

    box: tuple[float, float, float, float]
    landmarks: Float[np.ndarray, "5 2"]
    side: float
    sure: float
    pixels: UInt8[np.ndarray, "s s 3"]


@dataclass(frozen=True, eq=False)
class Found:
    """The faces of a photograph.

    Attributes:
        faces: The largest first.
        beyond: How many more there are than are taken.
        tiny: How many are smaller than the 8 pixels that a pair takes.
        smallest: Side from which on faces were looked for, pixels.
        asked: Side from which on they should have been.
    """

    faces: tuple[Seen, ...]
    beyond: int
    tiny: int
    smallest: float
    asked: float

    @property
    def notes(self) -> list[str]:
        """What is to be known of the search, a sentence each."""
        told = []
        if self.beyond:
            told.append(f"{len(self.faces) + self.beyond} faces, of which the {len(self.faces)} largest were taken")
        if self.tiny:
            told.append(f"{self.tiny} faces smaller than {VLR_MIN} pixels were left out")
        if self.smallest > self.asked + 0.5:
            told.append(f"the picture is so large that faces under {self.smallest:.0f} pixels were not looked for")
        return told


class Crowd:
    """Finds every face of a photograph. May be shared between threads.

    Args:
        detector: Where the weights are, and from which score on a face is one.
        settings: How to look.

    Raises:
        ConfigError: No weights are named.
        DataError: They are missing, not the expected ones, or no YuNet.
    """

    def __init__(self, detector: DetectorSettings, settings: CrowdSettings | None = None) -> None:
        self.settings = settings or CrowdSettings()
        self._detector = Detector(detector)

    def find(self, image: UInt8[np.ndarray, "h w 3"]) -> Found:
        """Finds the faces.

        Args:
            image: The photograph, RGB.
        """
        height, width = image.shape[:2]
        scale = min(_SEEN / self.settings.smallest, _LARGEST_SCALE)
        scale = min(scale, math.sqrt(self.settings.megapixels * 1e6 / (height * width)))
        hints = np.concatenate([self._search(image, each) for each in _scales(scale, max(height, width))])
        hints = hints[distinct(hints, self._detector.settings.overlap)][: _CANDIDATES * self.settings.most]
        looked = [row for hint in hints if (row := self._look(image, hint)) is not None]
        rows = np.stack(looked) if looked else np.empty((0, 15))
        faces = [
            face
            for row in rows[distinct(rows, self._detector.settings.overlap)]
            if (face := _seen(image, row)) is not None
        ]
        large = sorted((face for face in faces if round(face.side) >= VLR_MIN), key=lambda face: -face.side)
        taken = tuple(large[: self.settings.most])
        return Found(taken, len(large) - len(taken), len(faces) - len(large), _SEEN / scale, self.settings.smallest)

    def again(self, image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "5 2"]) -> Seen | None:
        """Finds a face near to where one was before, as in the next frame of a film; None where there is none.

        Args:
            image: The photograph, RGB.
            landmarks: Where its landmarks may be, pixels.
        """
        row = self._looked(image, landmarks)
        return None if row is None else _seen(image, row)

    def _search(self, image: np.ndarray, scale: float) -> np.ndarray:
        """Whatever might be a face at one scale, n x 15, in pixels of the photograph."""
        height, width = image.shape[:2]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        seen = image if size == (width, height) else cv2.resize(image, size, interpolation=_kernel(scale))
        margin = self._detector.settings.margin
        framed = cv2.copyMakeBorder(seen, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        found = [np.empty((0, 15))]
        for top, left in _tiles(framed.shape):
            rows = self._detector.detect(framed[top : top + _TILE, left : left + _TILE], self.settings.hint)
            rows[:, [0, *range(4, 14, 2)]] += left - margin
            rows[:, [1, *range(5, 14, 2)]] += top - margin
            found.append(rows)
        rows = np.concatenate(found)
        back = np.array([width / size[0], height / size[1]])
        points = enlarged_back(rows[:, [0, 1, *range(4, 14)]].reshape(len(rows), 6, 2), back)
        rows[:, :2], rows[:, 4:14] = points[:, 0], points[:, 1:].reshape(len(rows), 10)
        rows[:, 2:4] *= back
        return rows

    def _look(self, image: np.ndarray, hint: np.ndarray) -> np.ndarray | None:
        """The face that a hint means; the hint itself where the second look misses it though it is very clear."""
        row = self._looked(image, hint[4:14].reshape(5, 2))
        return hint if row is None and hint[14] >= self._detector.settings.first_score else row

    def _looked(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
        """Looks where landmarks should be, upright and enlarged; a face elsewhere in that square is not meant."""
        try:
            fit = similarity(landmarks, _LOOK_TEMPLATE)
        except DataError:
            return None
        rows = self._detector.detect(warp(image, fit, _LOOK), self._detector.settings.score)
        if not len(rows):
            return None
        points = rows[:, 4:14].reshape(len(rows), 5, 2)
        apart = np.abs(points.mean(axis=1) - _LOOK_TEMPLATE.mean(axis=0)).max(axis=1)
        nearest = int(np.argmin(apart))
        if apart[nearest] > _AGREE:
            return None
        row: np.ndarray = rows[nearest].copy()
        back = cv2.invertAffineTransform(fit)
        grown = math.sqrt(abs(float(np.linalg.det(back[:, :2]))))
        centre = (row[:2] + row[2:4] / 2) @ back[:, :2].T + back[:, 2]
        row[2:4] *= grown
        row[:2] = centre - row[2:4] / 2
        row[4:14] = (points[nearest] @ back[:, :2].T + back[:, 2]).reshape(-1)
        return row


def _seen(image: np.ndarray, row: np.ndarray) -> Seen | None:
    """The aligned face of a detection; None where its landmarks are none of a face."""
    landmarks = row[4:14].reshape(5, 2)
    try:
        side = FACE_SIZE / similarity_error(landmarks)[2]
        fit = robust_similarity(landmarks)
    except (DataError, ZeroDivisionError):
        return None
    left, top, width, height = (float(value) for value in row[:4])
    return Seen((left, top, width, height), landmarks, side, float(row[14]), _aligned(image, fit, side))


def _aligned(image: np.ndarray, fit: np.ndarray, side: float) -> np.ndarray:
    """The face at its own side where that is small, so that a super-resolver gets the pixels that there are."""
    small = max(VLR_MIN, round(side))
    if small > VLR_MAX:
        return warp(image, fit)
    # Pixel centres are whole numbers, so a frame begins at -0.5.
    own = fit * (small / FACE_SIZE)
    own[:, 2] += (small / FACE_SIZE - 1) / 2
    return warp(image, own, small)


def _scales(finest: float, longest: int) -> Iterator[float]:
    """The finest scale, and coarser ones for larger faces."""
    scale = finest
    yield scale
    while longest * scale > _COARSEST:
        scale /= _STEP
        yield scale


def _tiles(shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """Corners of tiles that cover a picture and share a strip in which a face of the smallest kinds is whole."""
    tops, lefts = (
        [0] if length <= _TILE else [*range(0, length - _TILE, _TILE - _SHARED), length - _TILE] for length in shape[:2]
    )
    return [(top, left) for top in tops for left in lefts]


def _kernel(scale: float) -> int:
    return int(cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
