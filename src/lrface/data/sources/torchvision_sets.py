"""The sources ``lfw`` and ``celeba``, through torchvision's classes, where their files are present."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torchvision.datasets import CelebA, LFWPeople

from lrface.data.files.reader import FileReader, ImageFile, check_root, paths_of
from lrface.data.settings import ReadSettings
from lrface.data.source import Report, SourceFace
from lrface.errors import DataError

_CELEBA_TABLES = ("identity_CelebA.txt", "list_eval_partition.txt", "list_landmarks_align_celeba.txt")
_CELEBA_SPLITS = {"train": "train", "valid": "val", "test": "test"}


class LfwSource:
    """Labeled Faces in the Wild, the ``10fold`` list of people.

    Args:
        root: The folder with ``lfw-py``.
        settings: How images are read and aligned.
        image_set: ``original``, ``funneled`` or ``deepfunneled``.

    Raises:
        DataError: The files are not there.
    """

    def __init__(self, root: Path | str, settings: ReadSettings, image_set: str = "funneled") -> None:
        self.root = check_root(Path(root), "folder of LFW")
        self.image_set = image_set
        self._reader = FileReader(settings)
        try:
            people = LFWPeople(str(self.root), split="10fold", image_set=image_set, download=False)
        except (RuntimeError, OSError, ValueError) as error:
            raise _absent("LFW", self.root, error) from error
        self._files = [
            ImageFile(path.relative_to(self.root).as_posix(), path.parent.name, path) for path in map(Path, people.data)
        ]

    def describe(self) -> dict[str, Any]:
        """Names the kind, the set of images and what decides about the pixels."""
        return {"kind": "lfw", "name": self.image_set, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the folder of the images."""
        return (self.root / "lfw-py",)

    def files(self) -> Iterator[Path]:
        """Names the list of people, and the images that it names."""
        yield self.root / "lfw-py" / "people.txt"
        yield from paths_of(self._files)

    def count(self) -> int:
        """Counts the images."""
        return len(self._files)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the order of torchvision."""
        return self._reader.read(self._files, report)


class CelebaSource:
    """CelebA's aligned and cropped images, with its landmarks, people and partition.

    The partition shares no people, so it prescribes the super-resolution split.

    Args:
        root: The folder with ``celeba``.
        settings: How images are read and aligned; with ``auto`` or ``landmarks`` by CelebA's own landmarks.

    Raises:
        DataError: The files are not there.
    """

    def __init__(self, root: Path | str, settings: ReadSettings) -> None:
        self.root = check_root(Path(root), "folder of CelebA")
        self._reader = FileReader(settings)
        try:
            self._parts = {
                ours: CelebA(str(self.root), split=theirs, target_type=["identity", "landmarks"], download=False)
                for theirs, ours in _CELEBA_SPLITS.items()
            }
        except (RuntimeError, OSError, ValueError) as error:
            raise _absent("CelebA", self.root, error) from error

    def describe(self) -> dict[str, Any]:
        """Names the kind and what decides about the pixels."""
        return {"kind": "celeba", "name": "img_align_celeba", **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the folder of the images."""
        return (self.root / "celeba",)

    def files(self) -> Iterator[Path]:
        """Names the tables, and the images that they name."""
        yield from (self.root / "celeba" / name for name in _CELEBA_TABLES)
        yield from paths_of(self._files())

    def count(self) -> int:
        """Counts the images."""
        return sum(len(part.filename) for part in self._parts.values())

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces of train, then of val, then of test."""
        return self._reader.read(self._files(), report)

    def _files(self) -> Iterator[ImageFile]:
        for split, part in self._parts.items():
            for row, name in enumerate(part.filename):
                yield ImageFile(
                    name,
                    str(int(part.identity[row, 0])),
                    self.root / "celeba" / "img_align_celeba" / name,
                    superres=split,
                    landmarks=np.asarray(part.landmarks_align[row], dtype=np.float64).reshape(5, 2),
                )


def _absent(name: str, root: Path, error: Exception) -> DataError:
    return DataError(
        f"{name} in {root}",
        got=" ".join(str(error).split()) or type(error).__name__,
        expected="the files as torchvision.datasets lays them out",
        remedy="take them from their owners, whose terms apply, and unpack them there",
    )
