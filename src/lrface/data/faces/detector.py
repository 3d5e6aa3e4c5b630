"""Where the faces of an image are, with five landmarks each, by YuNet."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lrface.data.faces.looks import alone, distinct, enlarged_back, shrunk
from lrface.data.faces.yunet import YUNET_URL, read_weights
from lrface.data.faces.yunet_network import NoYuNetError, YuNet
from lrface.data.settings import DetectorSettings
from lrface.errors import DataError
from lrface.images.alignment import FACE_SIZE, TEMPLATE, similarity, warp

# Of the first look: its longer side as a share of the image's, with bounds, and what the network's input is a multiple
# of; the least face that is taken, pixels; and the score from which on something may be a face, so that all sizes are
# searched.
_FIRST_SHARE, _FIRST_SIDES, _STRIDE = 0.4, (192, 384), 32
_LARGE = 20
_HINT = 0.3
# Of the second look: its side, pixels; where the landmarks should be (the face has 65 pixels there: from 80 on the
# network takes it for one of its next larger kind, and the scale wavers); how far from there they may be, in sides of
# an aligned face.
_SECOND_SIDE = 128
_SECOND_TEMPLATE = (TEMPLATE - (FACE_SIZE - 1) / 2) * 0.85 + (_SECOND_SIDE - 1) / 2
_AGREE = 0.2


@dataclass(frozen=True)
class Detection:
    """One face in an image.

    Attributes:
        landmarks: Eyes, nose tip, mouth corners, pixels (x, y), left of the picture first.
        score: How sure the detector is, 0 to 1.
        faces: How many faces there were to choose from. A first look that is enough sees none that are smaller than
            a seventeenth of the image's longer side.
        rival: How large the largest other one is, as a share of the area of this one.
    """

    landmarks: Float[np.ndarray, "5 2"]
    score: float
    faces: int
    rival: float = 0.0


@dataclass(frozen=True)
class Enlarged:
    """An image as the detector saw it when it was too small.

    Attributes:
        pixels: The image, enlarged by a whole factor; the same as given where none was needed.
        factor: How often each pixel was repeated across and down.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    factor: int


class Detector:
    """Finds the one face of an image that is meant. May be shared between threads.

    Args:
        settings: How to look.

    Raises:
        DataError: The weights are missing, not the expected ones, or no YuNet.
    """

    def __init__(self, settings: DetectorSettings) -> None:
        self.settings = settings
        try:
            self._network = YuNet(read_weights(settings))
        except NoYuNetError as error:
            raise DataError(
                f"face detector {settings.weights}",
                got="a file that cannot be run as YuNet",
                expected="face_detection_yunet_2023mar.onnx",
                remedy=f"take it from {YUNET_URL}",
            ) from error

    def enlarge(self, image: UInt8[np.ndarray, "h w 3"]) -> Enlarged:
        """Enlarges an image that is too small to find a face in, bicubic."""
        factor = -(-self.settings.enlarge_below // max(1, min(image.shape[:2])))
        if factor <= 1:
            return Enlarged(image, 1)
        bigger = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        return Enlarged(bigger, factor)

    def find(self, image: UInt8[np.ndarray, "h w 3"], *, enlarged: bool = False) -> Detection | None:
        """Finds the face.

        Args:
            image: The image, RGB, enlarged where it was too small.
            enlarged: Whether it was: all sizes are searched then, for what a small copy shows of it is no detail.

        Returns:
            The face, or None where there is none.
        """
        if self.settings.first_look and not enlarged and self.settings.choose == "largest":
            clear = self._first_look(image)
            if clear is not None:
                return clear
        longest = max(image.shape[:2])
        found = np.concatenate([self._search(image, min(longest, side)) for side in self._sides(longest)])
        if not len(found):
            return None
        kept = found[distinct(found, self.settings.overlap)]
        chosen = self._choice(kept, image.shape)
        best, areas = kept[chosen], kept[:, 2] * kept[:, 3]
        rival = float(np.delete(areas, chosen).max(initial=0.0) / areas[chosen])
        return Detection(best[4:14].reshape(5, 2), float(best[14]), len(kept), rival)

    def _first_look(self, image: np.ndarray) -> Detection | None:
        """Finds a face that is alone, large and clear, for a fraction of what the whole search costs."""
        wanted = int(np.clip(_FIRST_SHARE * max(image.shape[:2]), *_FIRST_SIDES))
        seen, scale = shrunk(image, wanted // _STRIDE * _STRIDE, quick=True)
        face = alone(self.detect(seen, _HINT), self.settings.score)
        if face is None or np.sqrt(face[2] * face[3]) < _LARGE:
            return None
        return self._second_look(image, enlarged_back(face[4:14].reshape(5, 2), scale))

    def _second_look(self, image: np.ndarray, first: np.ndarray) -> Detection | None:
        """Finds a face again where it is upright and of the size at which landmarks are exact."""
        fit = similarity(first, _SECOND_TEMPLATE)
        faces = self.detect(warp(image, fit, _SECOND_SIDE), self.settings.first_score)
        if len(faces) != 1:
            return None
        seen = faces[0, 4:14].reshape(5, 2)
        if np.abs(seen - _SECOND_TEMPLATE).max() > _AGREE * FACE_SIZE:
            return None
        back = cv2.invertAffineTransform(fit)
        return Detection(seen @ back[:, :2].T + back[:, 2], float(faces[0, 14]), 1, 0.0)

    def detect(self, seen: np.ndarray, score: float) -> np.ndarray:
        """Gives box, landmarks and score of each face, n x 15, in pixels of what the network sees.

        Args:
            seen: What it is shown, RGB.
            score: Least score of a face.
        """
        return self._network.detect(seen, score, self.settings.overlap)

    def _sides(self, longest: int) -> list[int]:
        smaller = [side for side in self.settings.sides if side < longest]
        return smaller if len(smaller) == len(self.settings.sides) else [longest, *smaller]

    def _search(self, image: np.ndarray, side: int) -> np.ndarray:
        """Gives box, landmarks and score of each face, n x 15, in pixels of the image."""
        seen, scale = shrunk(image, side)
        margin = self.settings.margin
        framed = cv2.copyMakeBorder(seen, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        found = self.detect(framed, self.settings.score)
        points = found[:, [0, 1, *range(4, 14)]].reshape(len(found), 6, 2) - margin
        points = enlarged_back(points, scale)
        found[:, :2], found[:, 4:14] = points[:, 0], points[:, 1:].reshape(len(found), 10)
        found[:, 2:4] *= scale
        return found

    def _choice(self, faces: np.ndarray, shape: tuple[int, ...]) -> int:
        if self.settings.choose == "score":
            return int(np.argmax(faces[:, 14]))
        if self.settings.choose == "largest":
            return int(np.argmax(faces[:, 2] * faces[:, 3]))
        centres = faces[:, :2] + faces[:, 2:4] / 2
        return int(np.argmin(((centres - np.array([shape[1] / 2, shape[0] / 2])) ** 2).sum(axis=1)))
