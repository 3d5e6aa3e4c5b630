"""What all sources made of files share: read, align, and write down what gave no face."""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from lrface.data.faces.aligner import Aligned, Aligner
from lrface.data.faces.fit import Fit
from lrface.data.files.parallel import ordered_map
from lrface.data.files.spread import read_spread
from lrface.data.measure import measure
from lrface.data.settings import ReadSettings
from lrface.data.source import Problem, Report, SourceFace
from lrface.engines.settings import ClusterSettings
from lrface.errors import DataError
from lrface.images.alignment import is_small_face
from lrface.images.reading.reader import BadImageError, decode_image, read_image

_PIXELS_IN_FLIGHT = 48_000_000


@dataclass(frozen=True, eq=False)
class ImageFile:
    """One image that is to become a face.

    Attributes:
        name: Path relative to the source's root, posix; names the image in messages and in the manifest.
        subject: Whose face it is.
        load: Where the image is: a file, or a function that gives its encoded bytes.
        superres: Prescribed super-resolution split.
        recognition: Prescribed recognition split.
        landmarks: Five landmarks (x, y) where a file gives them.
        vlr: The file with the real VLR image of the same face.
    """

    name: str
    subject: str
    load: Path | Callable[[], bytes]
    superres: str | None = None
    recognition: str | None = None
    landmarks: np.ndarray | None = None
    vlr: Path | None = None


def paths_of(files: Iterable[ImageFile]) -> Iterator[Path]:
    """Names the files that are read for some images: each one's own, and its VLR image."""
    for file in files:
        if isinstance(file.load, Path):
            yield file.load
        if file.vlr is not None:
            yield file.vlr


class FileReader:
    """Turns image files into faces, on all cores and in order, within bounded memory.

    Args:
        settings: How.
        keep_small: Leave square images of 8 to 32 pixels as they are: they are faces already, for a super-resolver.

    Raises:
        DataError: The detector cannot be loaded.
        ConfigError: A detector is asked for without weights.
    """

    def __init__(self, settings: ReadSettings, *, keep_small: bool = False) -> None:
        self.settings = settings
        self._keep_small = keep_small
        self._aligner = Aligner(settings.align)
        self._budget = _Budget(_PIXELS_IN_FLIGHT)

    def read(self, files: Iterable[ImageFile], report: Report) -> Generator[SourceFace, None, None]:
        """Reads files and yields their faces in the same order.

        Args:
            files: The files.
            report: Gets what was skipped and why.

        Yields:
            The faces.

        Raises:
            BadImageError: A file gave no face and the settings say to stop.
        """
        if self.settings.cluster.engine == "none":
            results = ordered_map(self.attempt, files, self.settings.workers)
        else:
            settings = self.settings.model_copy(update={"cluster": ClusterSettings(), "workers": 1})
            read = partial(read_files, settings, self._keep_small)
            results = read_spread(files, read, self.settings.cluster)
        with closing(results):
            for file, result in results:
                if isinstance(result, SourceFace):
                    report.took(result)
                    yield result
                elif self._skips(result):
                    report.skip(Problem(file.name, file.subject, result.kind, str(result)))
                else:
                    raise result

    def describe(self) -> dict[str, Any]:
        """Says in plain JSON values what decides about the pixels."""
        align = self.settings.align.model_dump(mode="json")
        align["detector"].pop("weights")
        return {
            "align": align,
            "min_side": self.settings.min_side,
            "on_bad_image": self.settings.on_bad_image,
        }

    def _skips(self, error: BadImageError) -> bool:
        if error.kind == "not_frontal":
            return True  # a filter that was asked for is no fault of the file
        if error.kind == "no_face":
            return self.settings.align.on_no_face == "skip"
        return self.settings.on_bad_image == "skip"

    def attempt(self, file: ImageFile) -> tuple[ImageFile, SourceFace | BadImageError]:
        """Read one file, and give its face or why there is none."""
        try:
            return file, self._face(file)
        except BadImageError as error:
            return file, error

    def _face(self, file: ImageFile) -> SourceFace:
        limit = self.settings.max_pixels
        # A decoder may hold the image three times over; the budget keeps few large ones in memory at once.
        with self._budget.share() as hold:
            if isinstance(file.load, Path):
                image = read_image(file.load, file.name, limit, hold)
            else:
                image = decode_image(file.load(), file.name, limit, hold)
            height, width = image.shape[:2]
            if min(height, width) < self.settings.min_side:
                raise BadImageError(
                    "tiny",
                    file.name,
                    got=f"{width}x{height} pixels",
                    expected=f"{self.settings.min_side} or more on each side",
                    remedy="leave it out, or lower min_side",
                )
            if self._keep_small and is_small_face(image):
                aligned = Aligned(image, "small", Fit("small", len(image)))
            else:
                aligned = self._aligner.align(image, file.name, file.landmarks)
        pixels = np.ascontiguousarray(aligned.pixels)
        return SourceFace(
            source=file.name,
            subject=file.subject,
            pixels=pixels,
            width=width,
            height=height,
            superres=file.superres,
            recognition=file.recognition,
            vlr=None if file.vlr is None else _read_vlr(file.vlr, file.name, limit),
            alignment=aligned.method,
            measured=measure(pixels),
            fit=aligned.fit,
        )


def read_files(
    settings: ReadSettings, keep_small: bool, files: Sequence[ImageFile]
) -> list[SourceFace | BadImageError]:
    """Read some files in a worker of a cluster, which keeps its reader, and so its detector."""
    reader = _reader(settings, keep_small)
    return [reader.attempt(file)[1] for file in files]


@lru_cache(maxsize=1)
def _reader(settings: ReadSettings, keep_small: bool) -> FileReader:
    return FileReader(settings, keep_small=keep_small)


def _read_vlr(path: Path, name: str, max_pixels: int) -> np.ndarray:
    image = read_image(path, f"VLR image of {name}", max_pixels)
    if image.shape[0] != image.shape[1]:
        raise BadImageError(
            "vlr_not_square",
            f"VLR image of {name}",
            got=f"{image.shape[1]}x{image.shape[0]} pixels",
            expected="a square",
            remedy="crop it, or leave the pair out",
        )
    return np.ascontiguousarray(image)


class _Budget:
    """Lets work through as long as its sizes add up to no more than a limit; one piece always passes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Gives what waits for a share of a size, which is given back at the end of the block."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            with self._changed:
                self._changed.wait_for(lambda: self._held == 0 or self._held + size <= self._limit)
                self._held += size
            held = size

        try:
            yield hold
        finally:
            with self._changed:
                self._held -= held
                self._changed.notify_all()


def check_root(root: Path, what: str) -> Path:
    """Resolves the folder that a source reads.

    Raises:
        DataError: There is no such folder.
    """
    if root.is_dir():
        return root.resolve()
    got = "a file" if root.exists() else "no such folder"
    raise DataError(f"{what} {root}", got=got, expected="a folder with images", remedy="correct the path")
