"""The source ``folder``: one folder per subject with its images in it.

Example::

    faces/
      alice/1.jpg
      alice/2.jpg
      bob/portrait.png
"""

import unicodedata
from collections import defaultdict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrface.data.files import FileReader, ImageFile, check_root
from lrface.data.naming import natural_key
from lrface.data.settings import ReadSettings
from lrface.data.source import Report, SourceFace
from lrface.errors import DataError
from lrface.images.reading import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Listing:
    """What is in a folder of subjects.

    Attributes:
        images: For each subject, its images, both in natural order.
        ignored: How many files are no images by their suffix.
    """

    images: dict[str, tuple[Path, ...]]
    ignored: int

    def __len__(self) -> int:
        return sum(map(len, self.images.values()))


class FolderSource:
    """Faces from ``root/subject/image``, at any depth below the subject.

    Args:
        root: The folder of subjects.
        settings: How images are read and aligned.

    Raises:
        DataError: The folder is missing, holds no subjects, a subject twice, or a subject without images.
    """

    def __init__(self, root: Path | str, settings: ReadSettings) -> None:
        self.root = check_root(Path(root), "source folder")
        self._reader = FileReader(settings)
        self.listing = list_subjects(self.root)

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name and what decides about the pixels."""
        return {"kind": "folder", "name": self.root.name, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def files(self) -> Iterator[Path]:
        """Names the images."""
        return (path for paths in self.listing.images.values() for path in paths)

    def count(self) -> int:
        """Counts the image files."""
        return len(self.listing)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces subject by subject, both in natural order."""
        if self.listing.ignored:
            report.note(f"{self.listing.ignored} files are no images by their suffix and were not read")
        files = (
            ImageFile(path.relative_to(self.root).as_posix(), subject, path)
            for subject, paths in self.listing.images.items()
            for path in paths
        )
        return self._reader.read(files, report)


def list_subjects(root: Path) -> Listing:
    """Lists a folder of subjects. Hidden files and folders are passed over.

    Args:
        root: The folder.

    Returns:
        What is in it.

    Raises:
        DataError: No subjects, a subject twice in different case, or a subject without images.
    """
    folders = sorted((path for path in visible(root) if path.is_dir()), key=lambda path: natural_key(path.name))
    loose = sum(path.is_file() for path in visible(root))
    if not folders:
        raise DataError(
            f"source folder {root}",
            got=f"{loose} files and no folders" if loose else "an empty folder",
            expected="one folder per subject with its images in it",
            remedy="sort the images into folders, or use the source `flat` with a pattern",
        )
    check_spelling([folder.name for folder in folders], f"source folder {root}")
    images: dict[str, tuple[Path, ...]] = {}
    for folder in folders:
        chosen, ignored = image_files(folder)
        loose += ignored
        if not chosen:
            raise DataError(
                f"subject {folder.name} in {root}",
                got=f"a folder with {ignored} files and no images" if ignored else "an empty folder",
                expected="one or more images",
                remedy="add images or remove the folder",
            )
        images[folder.name] = tuple(chosen)
    return Listing(images, loose)


def image_files(folder: Path) -> tuple[list[Path], int]:
    """Lists the images below a folder, hidden ones passed over.

    Args:
        folder: The folder.

    Returns:
        The images in natural order, and how many files are none by their suffix.
    """
    files = [path for path in _walk(folder) if path.is_file()]
    images = [path for path in files if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(images, key=lambda path: natural_key(path.as_posix())), len(files) - len(images)


def check_spelling(subjects: list[str], what: str) -> None:
    """Refuses a subject that is named twice in different case or spelling of accents.

    Raises:
        DataError: Two names are one.
    """
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    for subject in subjects:
        spellings[_folded(subject)].add(subject)
    double = [sorted(names) for names in spellings.values() if len(names) > 1]
    if double:
        raise DataError(
            what,
            got="; ".join(" and ".join(names) for names in sorted(double)[:5]),
            expected="each subject under one name",
            remedy="join or rename them",
        )


def visible(folder: Path) -> Iterator[Path]:
    """Lists a folder without its hidden entries."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def _walk(folder: Path) -> Iterator[Path]:
    for path in visible(folder):
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()
