"""YuNet through OpenCV: where the faces of an image are, with five landmarks each."""

import hashlib
import os
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from lrface.data.settings import DetectorSettings
from lrface.errors import ConfigError, DataError

YUNET_URL = (
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx"
)
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
DOWNLOAD = "download"
_LOG_LEVEL = threading.Lock()
_DOWNLOAD_SECONDS = 60
_DOWNLOAD_LIMIT = 16 << 20


@dataclass(frozen=True)
class Detection:
    """One face in an image.

    Attributes:
        landmarks: Eyes, nose tip, mouth corners, pixels (x, y), left of the picture first.
        score: How sure the detector is, 0 to 1.
        faces: How many faces there were to choose from.
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
        self._weights = read_weights(settings)
        self._local = threading.local()
        self._network((64, 64))

    def enlarge(self, image: UInt8[np.ndarray, "h w 3"]) -> Enlarged:
        """Enlarges an image that is too small to find a face in, bicubic."""
        factor = -(-self.settings.enlarge_below // max(1, min(image.shape[:2])))
        if factor <= 1:
            return Enlarged(image, 1)
        bigger = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        return Enlarged(bigger, factor)

    def find(self, image: UInt8[np.ndarray, "h w 3"]) -> Detection | None:
        """Finds the face.

        Args:
            image: The image, RGB, enlarged where it was too small.

        Returns:
            The face, or None where there is none.
        """
        longest = max(image.shape[:2])
        found = np.concatenate([self._search(image, min(longest, side)) for side in self._sides(longest)])
        if not len(found):
            return None
        kept = found[_distinct(found, self.settings.overlap)]
        chosen = self._choice(kept, image.shape)
        best, areas = kept[chosen], kept[:, 2] * kept[:, 3]
        rival = float(np.delete(areas, chosen).max(initial=0.0) / areas[chosen])
        return Detection(best[4:14].reshape(5, 2), float(best[14]), len(kept), rival)

    def _sides(self, longest: int) -> list[int]:
        smaller = [side for side in self.settings.sides if side < longest]
        return smaller if len(smaller) == len(self.settings.sides) else [longest, *smaller]

    def _search(self, image: np.ndarray, side: int) -> np.ndarray:
        """Gives box, landmarks and score of each face, n x 15, in pixels of the image."""
        seen, scale = image, np.ones(2)
        shrink = side / max(image.shape[:2])
        if shrink < 1:
            height, width = (max(1, round(length * shrink)) for length in image.shape[:2])
            seen = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            scale = np.array([image.shape[1] / width, image.shape[0] / height])
        margin = self.settings.margin
        framed = cv2.copyMakeBorder(
            cv2.cvtColor(seen, cv2.COLOR_RGB2BGR), margin, margin, margin, margin, cv2.BORDER_REPLICATE
        )
        _, faces = self._network((framed.shape[1], framed.shape[0])).detect(framed)
        if faces is None:
            return np.empty((0, 15))
        found: np.ndarray = faces.astype(np.float64)
        points = found[:, [0, 1, *range(4, 14)]].reshape(len(found), 6, 2) - margin
        # Pixel centres lie at whole numbers, so the picture begins at -0.5.
        points = (points + 0.5) * scale - 0.5
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

    def _network(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        # The network keeps its activations: each thread has one of its own.
        network = getattr(self._local, "network", None)
        if network is None:
            network = self._local.network = self._load()
        network.setInputSize(size)
        return network

    def _load(self) -> cv2.FaceDetectorYN:
        model, none = np.frombuffer(self._weights, dtype=np.uint8), np.empty(0, dtype=np.uint8)
        score, overlap = self.settings.score, self.settings.overlap
        try:
            with _quiet_opencv():
                return cv2.FaceDetectorYN.create("onnx", model, none, (64, 64), score, overlap, 1000)
        except cv2.error as error:
            raise DataError(
                f"face detector {self.settings.weights}",
                got="a file that OpenCV cannot load as YuNet",
                expected="face_detection_yunet_2023mar.onnx",
                remedy=f"take it from {YUNET_URL}",
            ) from error


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """Silences OpenCV, which warns about a target that nobody asked for, once per network."""
    with _LOG_LEVEL:  # the level is one for all threads
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(level)


def _distinct(faces: np.ndarray, overlap: float) -> list[int]:
    """Keeps the best of faces that were found in several sizes, best first."""
    corner, far = faces[:, :2], faces[:, :2] + faces[:, 2:4]
    area = faces[:, 2] * faces[:, 3]
    kept: list[int] = []
    for face in np.argsort(-faces[:, 14], kind="stable"):
        width, height = np.clip(np.minimum(far[kept], far[face]) - np.maximum(corner[kept], corner[face]), 0, None).T
        shared = width * height
        if (shared <= overlap * (area[kept] + area[face] - shared)).all():
            kept.append(int(face))
    return kept


def read_weights(settings: DetectorSettings) -> bytes:
    """Reads the detector's weights and checks their hash.

    Raises:
        ConfigError: No path is set.
        DataError: The file is missing or not the expected one.
    """
    if not settings.weights:
        raise ConfigError(
            "face detector",
            got="no weights",
            expected="the path of face_detection_yunet_2023mar.onnx",
            remedy=f"set detector.weights to it, or to {DOWNLOAD} where there is a network; or set align=none",
        )
    path = download_yunet(yunet_cache()) if settings.weights == DOWNLOAD else Path(settings.weights)
    if not path.is_file():
        raise DataError(
            f"face detector {path}",
            got="no such file",
            expected="face_detection_yunet_2023mar.onnx",
            remedy=f"take it from {YUNET_URL}, or set detector.weights={DOWNLOAD} where there is a network",
        )
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if settings.sha256 and found != settings.sha256:
        raise DataError(
            f"face detector {path}",
            got=f"sha256 {found[:12]}",
            expected=f"sha256 {settings.sha256[:12]}",
            remedy="take the file again, or correct detector.sha256",
        )
    return content


def yunet_cache() -> Path:
    """Where downloaded weights are kept: `lrface/` in XDG_CACHE_HOME, or else in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "lrface" / YUNET_URL.rpartition("/")[2]


def download_yunet(target: Path, url: str = YUNET_URL, sha256: str = YUNET_SHA256) -> Path:
    """Takes the released weights from their address, checked against a pinned hash.

    Args:
        target: Where to keep them; a file with the right hash is not taken again.
        url: The address.
        sha256: What they must hash to.

    Returns:
        The target.

    Raises:
        DataError: There is no network, or something else was sent. Nothing is kept then.
    """
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
        return target
    remedy = f"take {url} by hand, put it at {target} and set detector.weights to it"
    if not url.startswith(("https://", "http://")):
        raise ConfigError("face detector", got=url, expected="an http(s) address", remedy=remedy)
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_SECONDS) as answer:  # noqa: S310 - scheme checked above
            content = answer.read(_DOWNLOAD_LIMIT)
    except (URLError, OSError) as error:
        raise DataError("face detector", got=f"no answer ({error})", expected=url, remedy=remedy) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError("face detector", got=f"sha256 {found[:12]}", expected=f"sha256 {sha256[:12]}", remedy=remedy)
    partial = target.with_suffix(target.suffix + ".partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.write_bytes(content)
    partial.replace(target)
    return target
