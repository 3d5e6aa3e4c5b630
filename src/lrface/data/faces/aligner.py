"""Brings a decoded image to the aligned 112x112 face, in the way that the settings name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float, UInt8

from lrface.data.faces.detector import Detector
from lrface.data.faces.fit import Fit, fit_of
from lrface.data.settings import AlignSettings
from lrface.errors import DataError
from lrface.images import alignment
from lrface.images.alignment import FACE_SIZE
from lrface.images.reading.reader import BadImageError

_SQUARE_WITHIN = 0.02


@dataclass(frozen=True, eq=False)
class Aligned:
    """An aligned face and how it came to be.

    Attributes:
        pixels: The face, RGB.
        method: ``as_is``, ``resized``, ``yunet``, ``landmarks`` or ``centre``.
        fit: Figures of how it came to be.
        yaw: Estimated turn of the head, degrees, where faces are filtered by it.
    """

    pixels: UInt8[np.ndarray, "112 112 3"]
    method: str
    fit: Fit
    yaw: float | None = None


class Aligner:
    """Aligns images one by one. May be shared between threads.

    Args:
        settings: How.

    Raises:
        DataError: The detector's weights are missing, or not the expected ones.
        ConfigError: YuNet is asked for without weights.
    """

    def __init__(self, settings: AlignSettings) -> None:
        self.settings = settings
        wanted = settings.mode == "yunet" or (settings.mode == "auto" and bool(settings.detector.weights))
        self._detector = Detector(settings.detector) if wanted else None

    def align(
        self, image: UInt8[np.ndarray, "h w 3"], name: str, points: Float[np.ndarray, "5 2"] | None = None
    ) -> Aligned:
        """Aligns one image.

        Args:
            image: The image, RGB.
            name: What to call it in messages.
            points: Its landmarks where a file gives them, pixels (x, y), left of the picture first.

        Returns:
            The face.

        Raises:
            BadImageError: There is no face, or there are several and that is refused, the head is turned too far,
                landmarks are none, or the image is not what the mode expects.
        """
        mode = self.settings.mode
        if mode == "none":
            return _resized(image, name)
        if mode == "centre":
            return _centred(image)
        if mode == "auto" and image.shape[:2] == (FACE_SIZE, FACE_SIZE) and points is None:
            return _as_it_is(image)
        if mode == "landmarks" or (mode == "auto" and points is not None):
            if points is None:
                raise _refuse("no_landmarks", name, "no landmarks for this file", "five landmarks", "add them")
            return self._by_landmarks(image, points, name, partial(fit_of, "landmarks"))
        if self._detector is None:
            return _centred(image, "middle")
        return self._by_detector(image, name, self._detector)

    def _by_detector(self, image: np.ndarray, name: str, detector: Detector) -> Aligned:
        enlarged = detector.enlarge(image)
        found = detector.find(enlarged.pixels, enlarged=enlarged.factor > 1)
        if found is not None:
            if found.faces > 1 and self.settings.detector.choose == "refuse":
                remedy = "leave it out, crop it, or set detector.choose to say which"
                raise _refuse("several_faces", name, f"{found.faces} faces", "one face", remedy)
            measure = partial(fit_of, "yunet", enlarged=enlarged.factor, faces=found.faces, rival=found.rival)
            return self._by_landmarks(enlarged.pixels, found.landmarks, name, measure)
        if self.settings.on_no_face == "centre":
            return _centred(image)
        remedy = "leave it out, lower detector.score, or set align.on_no_face=centre"
        raise _refuse("no_face", name, "no face that YuNet finds", "one face", remedy)

    def _by_landmarks(
        self, image: np.ndarray, points: np.ndarray, name: str, measure: Callable[[np.ndarray, tuple[int, ...]], Fit]
    ) -> Aligned:
        limit = self.settings.max_yaw
        yaw = None if limit is None else alignment.yaw(points)
        if limit is not None and yaw is not None and abs(yaw) > limit:
            raise _refuse(
                "not_frontal",
                name,
                f"a head turned by about {yaw:.0f} degrees",
                f"at most {limit:.0f}",
                "leave it out",
            )
        similarity = alignment.robust_similarity if self.settings.robust else alignment.similarity
        try:
            matrix, fit = similarity(points), measure(points, image.shape)
        except DataError as error:
            raise _refuse("bad_landmarks", name, f"landmarks {error.got}", error.expected, error.remedy) from error
        return Aligned(alignment.warp(image, matrix), fit.method, fit, yaw)


def _resized(image: np.ndarray, name: str) -> Aligned:
    height, width = image.shape[:2]
    if (height, width) == (FACE_SIZE, FACE_SIZE):
        return _as_it_is(image)
    if abs(height - width) > _SQUARE_WITHIN * max(height, width):
        remedy = "set align=centre or align=yunet"
        raise _refuse("not_square", name, f"{width}x{height} pixels", "a square image with align=none", remedy)
    return Aligned(alignment.resize(image), "resized", Fit("resized", min(height, width)))


def _as_it_is(image: np.ndarray) -> Aligned:
    return Aligned(image, "as_is", Fit("as_is", FACE_SIZE))


def _centred(image: np.ndarray, why: str = "centre") -> Aligned:
    face = alignment.resize(alignment.centre_square(image))
    return Aligned(face, "centre", Fit(why, min(image.shape[:2])))


def _refuse(kind: str, name: str, got: str, expected: str, remedy: str) -> BadImageError:
    return BadImageError(kind, name, got=got, expected=expected, remedy=remedy)
