"""Two layouts that people have on disk already.

``splits``, folders of subjects under the names of splits, or images with the subject in their names::

    frontal_only/
      train/alice/1.png     or train/001_01_01_051_06.png
      val/alice/2.png       the same people: a split for recognition
      test/bob/1.png        other people: a split for super-resolution

``pairs``, real low-resolution images beside their high-resolution ones, alike in name; one such folder, or
several beside each other, named after splits or not::

    train_processed/
      vlr_images/001_01_01_051_06.png
      hr_images/001_01_01_051_06.png
    test_processed/
      ...
"""

import re
from collections import defaultdict
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrface.base.spelling import check_spelling
from lrface.data.files.reader import FileReader, ImageFile, check_root, paths_of
from lrface.data.files.tree import Walker, split_entries, told
from lrface.data.pack.manifest import SUPERRES_SPLITS
from lrface.data.settings import MULTI_PIE, ReadSettings
from lrface.data.source import Problem, Report, SourceFace
from lrface.data.sources.flat import by_stem, compile_pattern, subject_of
from lrface.data.sources.folder import Listing, list_subjects
from lrface.errors import DataError

_HR, _VLR = "hr_images", "vlr_images"
_PROCESSED = "_processed"


class SplitsSource:
    """Faces from ``root/{train,val,test}``, each with a folder per subject or with images.

    People who are in train and val prescribe the recognition split; people who are in one of the three alone
    prescribe the super-resolution split. Whoever is in test and elsewhere makes the splits unsound, which is
    refused unless the split settings say not to keep them.

    Args:
        root: The folder with ``train``, and ``val`` or ``test`` or both.
        settings: How images are read and aligned.
        pattern: Regular expression with a group ``subject``, for splits that hold images and no folders.

    Raises:
        DataError: The folder or ``train`` is missing, or there is a folder without images or a name without a
            subject.
        ConfigError: The pattern is no regular expression with a group ``subject``.
    """

    def __init__(self, root: Path | str, settings: ReadSettings, pattern: str = MULTI_PIE) -> None:
        self.root = check_root(Path(root), "source folder")
        self.pattern = pattern
        self._reader = FileReader(settings)
        parts = [name for name in SUPERRES_SPLITS if (self.root / name).is_dir()]
        if "train" not in parts or len(parts) < 2:
            raise DataError(
                f"source folder {self.root}",
                got=f"the splits {', '.join(parts)}" if parts else "no folder train, val or test",
                expected="train, and val or test or both, with images in each",
                remedy="correct the path, or use the source `folder`",
            )
        finder = compile_pattern(pattern)
        self.listings: dict[str, Listing] = {name: _list_part(self.root / name, finder) for name in parts}
        names = {subject for listing in self.listings.values() for subject in listing.images}
        check_spelling(sorted(names), f"source folder {self.root}")
        for listing in self.listings.values():
            listing.check_loose(settings)

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name, the pattern and what decides about the pixels."""
        return {"kind": "splits", "name": self.root.name, "pattern": self.pattern, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def files(self) -> Iterator[Path]:
        """Names the images of all splits."""
        return (path for part in self.listings.values() for paths in part.images.values() for path in paths)

    def count(self) -> int:
        """Counts the image files."""
        return sum(map(len, self.listings.values()))

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces of train, then of val, then of test."""
        for part, listing in self.listings.items():
            for line in listing.notes():
                report.note(f"{part}: {line}")
            for problem in listing.skipped(self.root):
                report.skip(problem)
        files = [
            ImageFile(path.relative_to(self.root).as_posix(), subject, path, superres=part)
            for part, listing in self.listings.items()
            for subject, paths in listing.images.items()
            for path in paths
        ]
        yield from self._reader.read(_prescribed(files), report)


class PairsSource:
    """Pairs of ``hr_images`` and ``vlr_images``; the pack gets a ``vlr.npy``.

    The subject is the first folder below ``hr_images`` where there are such folders, else found in the name.

    Args:
        root: The folder with both, or one with such folders in it. Folders named ``train``, ``val``, ``test``,
            with or without ``_processed`` after it, prescribe splits as in ``SplitsSource``.
        settings: How images are read and aligned. VLR images are taken as they are.
        pattern: Regular expression with a group ``subject``.

    Raises:
        DataError: A folder is missing, or holds no pairs, or a name holds no subject.
        ConfigError: The pattern is no regular expression with a group ``subject``.
    """

    def __init__(self, root: Path | str, settings: ReadSettings, pattern: str = MULTI_PIE) -> None:
        self.root = check_root(Path(root), "source folder")
        self.pattern = pattern
        self._finder = compile_pattern(pattern)
        self._reader = FileReader(settings)
        files: list[ImageFile] = []
        self._alone: list[str] = []
        self._notes: list[str] = []
        for folder in _pair_folders(self.root):
            high, low = (self._images(folder / name) for name in (_HR, _VLR))
            below = folder.relative_to(self.root)
            self._alone += sorted((below / name).as_posix() for name in set(high) ^ set(low))
            files += [self._file(name, path, low[name], folder) for name, path in high.items() if name in low]
        self._files = _prescribed(files)
        if not files:
            raise DataError(
                f"source folder {self.root}",
                got=f"{len(self._alone)} images, of which none have the same name in both folders",
                expected="pairs that are alike in name",
                remedy="rename them",
            )
        if self._alone and settings.on_bad_image == "raise":
            raise DataError(
                f"source folder {self.root}",
                got=f"{len(self._alone)} images without their pair, the first {self._alone[0]}",
                expected="pairs that are alike in name",
                remedy="add the others, or set on_bad_image=skip to leave these out",
            )
        check_spelling(sorted({file.subject for file in files}), f"source folder {self.root}")

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name, the pattern and what decides about the pixels."""
        return {"kind": "pairs", "name": self.root.name, "pattern": self.pattern, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def files(self) -> Iterator[Path]:
        """Names the images of all pairs."""
        return paths_of(self._files)

    def count(self) -> int:
        """Counts the pairs, and the images without one."""
        return len(self._files) + len(self._alone)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the natural order of their paths, each with its VLR image."""
        for line in self._notes:
            report.note(line)
        for name in self._alone:
            report.skip(Problem(name, "", "no_pair", f"{name}: an image without its pair"))
        yield from self._reader.read(self._files, report)

    def _images(self, folder: Path) -> dict[str, Path]:
        tree = Walker(folder).tree(folder)
        name = folder.relative_to(self.root).as_posix()
        lines = told(tree.left_out, tree.again, folder, lambda path: _top(path.relative_to(folder)))
        self._notes += [f"{name}: {line}" for line in lines]
        return dict(by_stem(tree, folder))

    def _file(self, name: str, high: Path, low: Path, folder: Path) -> ImageFile:
        person, slash, _ = name.partition("/")
        subject = person if slash else subject_of(self._finder, high.name)
        if not subject:
            raise _no_subject(self.root, high, self.pattern)
        part = folder.name.removesuffix(_PROCESSED) if folder != self.root else ""
        superres = part if part in SUPERRES_SPLITS else None
        return ImageFile(high.relative_to(self.root).as_posix(), subject, high, superres=superres, vlr=low)


def _top(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else ""


def _list_part(folder: Path, finder: re.Pattern[str]) -> Listing:
    if split_entries(folder)[0]:
        return list_subjects(folder)
    tree = Walker(folder).tree(folder)
    people: defaultdict[str, list[Path]] = defaultdict(list)
    for path in tree.images:
        subject = subject_of(finder, path.name)
        if subject is None:
            raise _no_subject(folder, path, finder.pattern)
        people[subject].append(path)
    if not people:
        raise DataError(
            f"source folder {folder}", got="no images", expected="one or more", remedy="add some or remove the folder"
        )
    images = {subject: tuple(paths) for subject, paths in people.items()}
    return Listing(folder, images, left_out=tree.left_out, again=tree.again)


def _pair_folders(root: Path) -> list[Path]:
    if not (root / _HR).is_dir():
        below = [path for path in split_entries(root)[0] if (path / _HR).is_dir()]
        if below:
            return [pair for folder in below for pair in _pair_folders(folder)]
    for name in (_HR, _VLR):
        check_root(root / name, "folder of images")
    return [root]


def _prescribed(files: list[ImageFile]) -> list[ImageFile]:
    """Reads a recognition split out of people who are in train and in val."""
    people: defaultdict[str | None, set[str]] = defaultdict(set)
    for file in files:
        people[file.superres].add(file.subject)
    both = people["train"] & people["val"]
    return [
        replace(file, superres=None, recognition=file.superres)
        if file.subject in both and file.superres in ("train", "val")
        else file
        for file in files
    ]


def _no_subject(folder: Path, path: Path, pattern: str) -> DataError:
    return DataError(
        f"source folder {folder}",
        got=f"the name {path.name}, in which the pattern finds no subject",
        expected=f"a folder per subject, or names with {pattern}",
        remedy="correct the pattern",
    )
