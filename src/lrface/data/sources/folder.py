"""The source ``folder``: one folder per subject with its images in it.

Example::

    faces/
      alice/1.jpg
      alice/2.jpg
      bob/portrait.png
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lrface.base.spelling import check_spelling
from lrface.data.files.reader import FileReader, ImageFile, check_root
from lrface.data.files.tree import Walker, is_image, split_entries, suffixes, told
from lrface.data.settings import ReadSettings
from lrface.data.source import Problem, Report, SourceFace
from lrface.errors import DataError

SPLIT_NAMES: Final = frozenset({"train", "training", "val", "valid", "validation", "dev", "eval", "test", "testing"})
"""What folders of splits are called, in lower case. Where a source has no others, they are no people."""


@dataclass(frozen=True)
class Listing:
    """What is in a folder of subjects.

    Attributes:
        root: The folder.
        images: For each subject, its images, both in natural order.
        loose: Images beside the subjects' folders.
        left_out: Files that are no images by their suffix.
        again: Links to folders that were read already.
    """

    root: Path
    images: dict[str, tuple[Path, ...]]
    loose: tuple[Path, ...] = ()
    left_out: tuple[Path, ...] = ()
    again: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.images.values())) + len(self.loose)

    def notes(self) -> list[str]:
        """Says what was left out, by suffix, count and person."""
        return told(self.left_out, self.again, self.root, self._person)

    def check_loose(self, settings: ReadSettings) -> None:
        """Refuses images that are nobody's, unless bad images are to be skipped.

        Raises:
            DataError: There are some.
        """
        if self.loose and settings.on_bad_image == "raise":
            raise DataError(
                f"source folder {self.root}",
                got=f"{len(self.loose)} images without a person's folder, the first {self.loose[0].name}",
                expected="SOURCE/PERSON/PICTURE",
                remedy="put them into a folder of the person's name, or set on_bad_image=skip to leave them out",
            )

    def skipped(self, root: Path) -> list[Problem]:
        """The images that are nobody's, as what was skipped; named from a root."""
        names = [path.relative_to(root).as_posix() for path in self.loose]
        return [Problem(name, "", "no_person", f"{name}: an image without a person's folder") for name in names]

    def _person(self, path: Path) -> str:
        parts = path.relative_to(self.root).parts
        return parts[0] if len(parts) > 1 else ""


class FolderSource:
    """Faces from ``root/subject/image``, at any depth below the subject.

    Args:
        root: The folder of subjects.
        settings: How images are read and aligned.
        keep_small: Leave square images of 8 to 32 pixels as they are, as ``FileReader`` says.

    Raises:
        DataError: The folder is missing, holds no subjects, a subject twice, a subject without images, or images
            without a subject.
    """

    def __init__(self, root: Path | str, settings: ReadSettings, *, keep_small: bool = False) -> None:
        self.root = check_root(Path(root), "source folder")
        self._reader = FileReader(settings, keep_small=keep_small)
        self.listing = list_subjects(self.root)
        self.listing.check_loose(settings)

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
        for line in self.listing.notes():
            report.note(line)
        for problem in self.listing.skipped(self.root):
            report.skip(problem)
        files = (
            ImageFile(path.relative_to(self.root).as_posix(), subject, path)
            for subject, paths in self.listing.images.items()
            for path in paths
        )
        yield from self._reader.read(files, report)


def list_subjects(root: Path) -> Listing:
    """Lists a folder of subjects: the top folders are the subjects, at any depth below lie their images.

    Hidden entries and what systems leave behind are passed over; links are followed, each real folder once.

    Args:
        root: The folder.

    Returns:
        What is in it.

    Raises:
        DataError: No subjects, splits in their place, a subject twice in different spelling, a subject without images,
            or a folder that is two subjects' by a link.
    """
    folders, others = split_entries(root)
    if not folders:
        raise DataError(
            f"source folder {root}",
            got=f"{len(others)} files and no folders ({suffixes(others)})" if others else "an empty folder",
            expected="one folder per subject with its images in it, SOURCE/PERSON/PICTURE",
            remedy="sort the images into folders; where their names say who it is, use the source `flat` of `prepare`",
        )
    names = [folder.name for folder in folders]
    check_spelling(names, f"source folder {root}")
    if len(names) > 1 and {name.strip().casefold() for name in names} <= SPLIT_NAMES:
        raise DataError(
            f"source folder {root}",
            got=f"the folders {', '.join(names)}, which are names of splits",
            expected="one folder per subject with its images in it, SOURCE/PERSON/PICTURE",
            remedy="use the source `split_folders` of `prepare`, or give one of them as the source",
        )
    walker = Walker(root)
    images: dict[str, tuple[Path, ...]] = {}
    left_out = [path for path in others if not is_image(path)]
    again: list[Path] = []
    for folder in folders:
        tree = walker.tree(folder, folder.name)
        left_out += tree.left_out
        again += tree.again
        if folder in tree.again:  # a link to the root, or above it: nobody's folder
            continue
        if not tree.images:
            raise _nobody(root, folder, tree.left_out)
        images[folder.name.strip() or folder.name] = tree.images  # as the gallery calls this person
    return Listing(root, images, tuple(path for path in others if is_image(path)), tuple(left_out), tuple(again))


def _nobody(root: Path, folder: Path, files: tuple[Path, ...]) -> DataError:
    if files:
        got = f"a folder with {len(files)} files and no images ({suffixes(files)})"
    else:
        got = "a folder with nothing but hidden files" if any(folder.iterdir()) else "an empty folder"
    return DataError(
        f"subject {folder.name} in {root}",
        got=got,
        expected="one or more images",
        remedy="add images or remove the folder",
    )
