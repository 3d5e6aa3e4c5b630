r"""The source ``flat``: images whose names say whose face they show.

Example, Multi-PIE::

    001_01_01_051_06.png    subject 001, session 01, recording 01, camera 051, light 06
    001_02_01_051_06.png
    002_01_01_051_06.png

with the pattern ``(?P<subject>\d{3})_\d{2}_\d{2}_\d{3}_\d{2}``, which is the default.
"""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from lrface.base.spelling import check_spelling
from lrface.data.files.reader import FileReader, ImageFile, check_root
from lrface.data.files.tree import Tree, Walker, suffixes, told
from lrface.data.settings import MULTI_PIE, ReadSettings
from lrface.data.source import Problem, Report, SourceFace
from lrface.errors import ConfigError, DataError


class FlatSource:
    """Faces from images at any depth below one folder, the subject in the path.

    Args:
        root: The folder.
        pattern: Regular expression which finds the group ``subject`` in the path below ``root`` without its
            suffix, with forward slashes. It is searched for, so anchor it where that matters.
        settings: How images are read and aligned.

    Raises:
        ConfigError: The pattern is no regular expression or has no group ``subject``.
        DataError: The folder is missing, holds no images, or the pattern fits none of them.
    """

    def __init__(self, root: Path | str, settings: ReadSettings, pattern: str = MULTI_PIE) -> None:
        self.root = check_root(Path(root), "source folder")
        self.pattern = pattern
        self._finder = compile_pattern(pattern)
        self._settings = settings
        self._reader = FileReader(settings)
        self._tree = Walker(self.root).tree(self.root)
        self._found, self._strange = self._list()

    def describe(self) -> dict[str, Any]:
        """Names the kind, the folder's own name, the pattern and what decides about the pixels."""
        return {"kind": "flat", "name": self.root.name, "pattern": self.pattern, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names the one folder that is read."""
        return (self.root,)

    def files(self) -> Iterator[Path]:
        """Names the images in whose names there is a subject."""
        return (path for _, _, path in self._found)

    def count(self) -> int:
        """Counts the image files."""
        return len(self._found) + len(self._strange)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the natural order of their paths."""
        for line in told(self._tree.left_out, self._tree.again, self.root, self._subject):
            report.note(line)
        for name in self._strange:
            report.skip(Problem(name, "", "unnamed", f"{name}: the pattern finds no subject in this name"))
        files = (ImageFile(name, subject, path) for name, subject, path in self._found)
        yield from self._reader.read(files, report)

    def _subject(self, path: Path) -> str:
        return subject_of(self._finder, path.relative_to(self.root).as_posix()) or ""

    def _list(self) -> tuple[list[tuple[str, str, Path]], list[str]]:
        found, strange = [], []
        images = self._tree.images
        for path in images:
            name = path.relative_to(self.root).as_posix()
            subject = subject_of(self._finder, name)
            if subject is None:
                strange.append(name)
            else:
                found.append((name, subject, path))
        what = f"source folder {self.root}"
        if not images:
            got = f"no images ({suffixes(self._tree.left_out)})" if self._tree.left_out else "no images"
            raise DataError(what, got=got, expected="one or more", remedy="correct the path")
        if strange and (not found or self._settings.on_bad_image == "raise"):
            raise DataError(
                what,
                got=f"{len(strange)} names in which the pattern finds no subject, the first {strange[0]}",
                expected=f"names with {self.pattern}",
                remedy="correct the pattern, or set on_bad_image=skip to leave such files out",
            )
        check_spelling(sorted({subject for _, subject, _ in found}), what)
        return found, strange


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles a pattern that must have a group ``subject``.

    Raises:
        ConfigError: It is no regular expression, or has no such group.
    """
    remedy = f"write it as {MULTI_PIE}"
    try:
        finder = re.compile(pattern)
    except re.error as error:
        got = f"{pattern!r} ({error})"
        raise ConfigError("pattern of names", got=got, expected="a regular expression", remedy=remedy) from error
    if "subject" not in finder.groupindex:
        raise ConfigError("pattern of names", got=repr(pattern), expected="a group (?P<subject>...)", remedy=remedy)
    return finder


def subject_of(finder: re.Pattern[str], name: str) -> str | None:
    """Finds the subject in a path, without its suffix; None where there is none."""
    match = finder.search(name.rpartition(".")[0])
    return match["subject"] or None if match else None


def by_stem(tree: Tree, folder: Path) -> Iterator[tuple[str, Path]]:
    """Gives the images below a folder by their path without suffix, in natural order.

    Raises:
        DataError: Two of them differ in nothing but their suffix.
    """
    before: dict[str, Path] = {}
    for path in tree.images:
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in before:
            raise DataError(
                f"source folder {folder}",
                got=f"{before[stem].name} and {path.name}, which are one name without their suffix",
                expected="each name once",
                remedy="remove or rename one",
            )
        before[stem] = path
        yield stem, path
