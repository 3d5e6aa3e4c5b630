"""Films: read frame by frame, and written so that they are there whole or not at all."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from jaxtyping import UInt8

from lrface.errors import ConfigError, DataError

SUFFIXES: Final = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts", ".3gp"})
"""Suffixes by which a file is taken for a film."""
CODECS: Final = {"mp4v": ".mp4", "avc1": ".mp4", "MJPG": ".avi", "XVID": ".avi", "VP80": ".webm", "VP90": ".webm"}
"""Codecs of annotated films, with the suffix of the file."""
_DEFAULT_RATE: Final = 25.0
_FASTEST: Final = 1000.0
_TRIED: Final = (64, 48)
_NEARLY_ALL: Final = 0.95
# Libraries of OpenCV that would write to standard error about damage that is told here.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Film:
    """A film in a file.

    Args:
        path: The file.
        max_pixels: Most pixels of a frame.

    Attributes:
        path: The file.
        width: Of a frame, upright, pixels.
        height: Of a frame, pixels.
        rate: Frames a second.
        claimed: How many frames its header says that it has; 0 where it does not say.

    Raises:
        DataError: It cannot be opened or decoded, has no frame, or frames that are too large.
    """

    def __init__(self, path: Path, max_pixels: int) -> None:
        self.path = path
        if not path.is_file():
            raise self._refused("no such file", "a film", "correct source")
        if not path.stat().st_size:
            raise self._refused("an empty file", "a film", "copy it again")
        with self._opened() as capture:
            self.width, self.height = (
                int(capture.get(which)) for which in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
            )
            rate, claimed = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            self.rate = float(rate) if 0 < rate <= _FASTEST else _DEFAULT_RATE
            self.claimed = int(claimed) if 0 < claimed < 2**31 else 0
            if self.width * self.height > max_pixels:
                raise self._refused(
                    f"frames of {self.width}x{self.height} pixels", f"{max_pixels} pixels or fewer", "shrink the film"
                )
            taken, frame = capture.read()
            if not taken:
                codec = _codec(capture.get(cv2.CAP_PROP_FOURCC))
                raise self._refused(
                    f"no frame that can be decoded (codec {codec})" if self.claimed else "no frame in it",
                    "a film with frames, of a codec that OpenCV has",
                    "convert it: ffmpeg -i FILM -c:v libx264 film.mp4",
                )
            self.height, self.width = frame.shape[:2]

    def frames(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Yields the frames, RGB, as far as they can be decoded."""
        with self._opened() as capture:
            while True:
                taken, frame = capture.read()
                if not taken or frame.shape[:2] != (self.height, self.width):
                    return
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    def cut(self, seen: int) -> str:
        """Says in words that a film ended before its header says; empty where it did not."""
        if seen >= _NEARLY_ALL * self.claimed - 2:
            return ""
        return f"the film ends after {seen} of {self.claimed} frames that it claims: it was cut short, or is damaged"

    @contextmanager
    def _opened(self) -> Iterator[cv2.VideoCapture]:
        with quiet_opencv():
            capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
            try:
                if not capture.isOpened():
                    raise self._refused(
                        "a file that OpenCV cannot open: no film, cut short, or of a codec that is not there",
                        "a film, as MP4, MKV, WebM or AVI",
                        "look whether it plays, and convert it: ffmpeg -i FILM -c:v libx264 film.mp4",
                    )
                yield capture
            finally:
                capture.release()

    def _refused(self, got: str, expected: str, remedy: str) -> DataError:
        return DataError(f"film {self.path}", got=got, expected=expected, remedy=remedy)


@contextmanager
def written(path: Path, codec: str, rate: float, size: tuple[int, int]) -> Iterator[cv2.VideoWriter]:
    """A film to write frames (BGR) to, which appears at its place when it is whole.

    Args:
        path: Where it is to be.
        codec: Its four letters.
        rate: Frames a second.
        size: Width and height, pixels.

    Raises:
        ConfigError: OpenCV cannot write that codec.
        DataError: Nothing was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        with quiet_opencv(), _no_errors_printed():
            writer = cv2.VideoWriter(str(partial), cv2.VideoWriter.fourcc(*codec), rate, size)
        try:
            if not writer.isOpened():
                raise ConfigError(
                    "codec of the annotated film",
                    got=f"{codec}, which this OpenCV cannot write",
                    expected=f"one of {', '.join(CODECS)} that it can; MJPG always",
                    remedy="set film.codec to another",
                )
            yield writer
        finally:
            writer.release()
        if not partial.is_file() or not partial.stat().st_size:
            raise DataError(
                f"film {path}", got="nothing written", expected="frames", remedy="see whether the disk is full"
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_codec(codec: str) -> None:
    """Refuse a codec of annotated films before a film is looked through.

    Raises:
        ConfigError: OpenCV cannot write it.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        written(Path(scratch) / f"film{CODECS[codec]}", codec, _DEFAULT_RATE, _TRIED) as writer,
    ):
        writer.write(np.zeros((_TRIED[1], _TRIED[0], 3), np.uint8))


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV says nothing itself; what is wrong with a film is told here, in one line."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


@contextmanager
def _no_errors_printed() -> Iterator[None]:
    """FFmpeg's part of OpenCV prints what it thinks of a codec on standard error, whatever the level of the log."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _codec(number: float) -> str:
    letters = int(number).to_bytes(4, "little", signed=False) if 0 < number < 2**32 else b""
    return letters.decode("latin-1") if letters.isalnum() else "unknown"
