"""Two layouts that people have on disk already.

``splits``, folders of subjects under the names of splits::

    frontal_only/
      train/alice/1.png
      val/alice/2.png       the same people: a split for recognition
      test/bob/1.png        other people: a split for super-resolution

``pairs``, real low-resolution images beside their high-resolution ones, alike in name::

    lab_processed/
      vlr_images/001_01_01_051_06.png
      hr_images/001_01_01_051_06.png
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from lrface.data.files import FileReader, ImageFile, ReadSettings, check_root
from lrface.data.flat import MULTI_PIE, compile_pattern, pairs_by_name, subject_of
from lrface.data.folder import Listing, check_spelling, list_subjects
from lrface.data.manifest import SUPERRES_SPLITS
from lrface.data.source import Problem, Report, SourceFace
from lrface.errors import DataError

_HR, _VLR = "hr_images", "vlr_images"


class SplitsSource:
    """Faces from ``root/{train,val,test}/subject/image``.

    People who are in train and val prescribe the recognition split; people who are in one of the three alone
    prescribe the super-resolution split. Whoever is in test and elsewhere makes the splits unsound, which is
    refused unless the split settings say not to keep them.

    Args:
        root: The folder with ``train``, and ``val`` or ``test`` or both.
        settings: How images are read and aligned.

    Raises:
        DataError: The folder or ``train`` is missing, or a folder of subjects is no such.
    """

    def __init__(self, root: Path | str, settings: ReadSettings) -> None:
        self.root = check_root(Path(root), "source folder")
        self._reader = FileReader(settings)
        parts = [name for name in SUPERRES_SPLITS if (self.root / name).is_dir()]
        if "train" not in parts or len(parts) < 2:
            raise DataError(
                f"source folder {self.root}",
                got=f"the splits {', '.join(parts)}" if parts else "no folder train, val or test",
                expected="train, and val or test or both, with a folder per subject in each",
                remedy="correct the path, or use the source `folder`",
            )
        self.listings: dict[str, Listing] = {name: list_subjects(self.root / name) for name in parts}
        names = {subject for listing in self.listings.values() for subject in listing.images}
        check_spelling(sorted(names), f"source folder {self.root}")

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name and what decides about the pixels."""
        return {"kind": "splits", "name": self.root.name, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def count(self) -> int:
        """Counts the image files."""
        return sum(map(len, self.listings.values()))

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces of train, then of val, then of test."""
        ignored = sum(listing.ignored for listing in self.listings.values())
        if ignored:
            report.note(f"{ignored} files are no images by their suffix and were not read")
        both = set(self.listings["train"].images) & set(self._people("val"))
        files = (
            ImageFile(
                path.relative_to(self.root).as_posix(),
                subject,
                path,
                # Images of one person in train and val can only be meant for recognition.
                superres=None if subject in both and part != "test" else part,
                recognition=part if subject in both and part != "test" else None,
            )
            for part, listing in self.listings.items()
            for subject, paths in listing.images.items()
            for path in paths
        )
        return self._reader.read(files, report)

    def _people(self, part: str) -> dict[str, tuple[Path, ...]]:
        return self.listings[part].images if part in self.listings else {}


class PairsSource:
    """Pairs from ``root/hr_images`` and ``root/vlr_images``; the pack gets a ``vlr.npy``.

    The subject is the first folder below ``hr_images`` where there are such folders, else found in the name.

    Args:
        root: The folder with both.
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
        high = dict(pairs_by_name(check_root(self.root / _HR, "folder of HR images")))
        low = dict(pairs_by_name(check_root(self.root / _VLR, "folder of VLR images")))
        self._alone = sorted(set(high) ^ set(low))
        self._files = [self._file(name, path, low[name]) for name, path in high.items() if name in low]
        if not self._files:
            raise DataError(
                f"source folder {self.root}",
                got=f"{len(high)} HR and {len(low)} VLR images, of which none have the same name",
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
        check_spelling(sorted({file.subject for file in self._files}), f"source folder {self.root}")

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name, the pattern and what decides about the pixels."""
        return {"kind": "pairs", "name": self.root.name, "pattern": self.pattern, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def count(self) -> int:
        """Counts the pairs, and the images without one."""
        return len(self._files) + len(self._alone)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the natural order of their paths, each with its VLR image."""
        for name in self._alone:
            report.skip(Problem(name, "", "no_pair", f"{name}: an image without its pair"))
        yield from self._reader.read(self._files, report)

    def _file(self, name: str, high: Path, low: Path) -> ImageFile:
        folder, slash, _ = name.partition("/")
        subject = folder if slash else subject_of(self._finder, high.name)
        if not subject:
            raise DataError(
                f"source folder {self.root}",
                got=f"the name {high.name}, in which the pattern finds no subject",
                expected=f"a folder per subject, or names with {self.pattern}",
                remedy="correct the pattern",
            )
        return ImageFile(high.relative_to(self.root).as_posix(), subject, high, vlr=low)
