"""The one reader of folders: which files are pictures, what was left out, and where links lead.

``prepare``, the gallery and ``verify`` list folders through here. Hidden entries and what systems leave behind are
passed over; links are followed, and each real folder is read once, so that loops end.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lrface.data.naming import natural_key
from lrface.errors import DataError
from lrface.images.reading.reader import IMAGE_SUFFIXES

LEFTOVERS: Final = frozenset(
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini", "icon\r"),
        *("__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@tmp"),
    }
)
"""What Windows, macOS, Linux and network disks leave in folders without a dot before it, in lower case."""

_UNREAD: Final = frozenset({".heic", ".heif", ".hif", ".avif", ".jxl", ".psd", ".cr2", ".cr3", ".nef", ".arw", ".dng"})
_NAMED: Final = 5
_LONGEST: Final = 300
Identity = tuple[int, int]


@dataclass(frozen=True)
class Tree:
    """What lies below a folder.

    Attributes:
        images: The pictures, by their suffix, in natural order.
        left_out: Other files, in natural order; what is neither folder nor file is among them.
        again: Links to folders that were read already, or that lie above.
    """

    images: tuple[Path, ...]
    left_out: tuple[Path, ...]
    again: tuple[Path, ...]


class Walker:
    """Lists folders below one root, each real folder once.

    Args:
        root: The folder above all; links to it or above it lead nowhere new.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        real = root.resolve()
        self._above = {_identity(folder) for folder in (real, *real.parents)}
        self._seen: dict[Identity, tuple[str, Path]] = {}

    def tree(self, folder: Path, person: str = "") -> Tree:
        """Lists what is below a folder.

        Args:
            folder: The folder; the root, or one below it.
            person: Whose it is.

        Raises:
            DataError: A folder cannot be listed, or is somebody else's too.
        """
        files, odd, again = list[Path](), list[Path](), list[Path]()
        folders, links = [folder], list[Path]()
        while folders or links:
            # Links last, so that what is reached in both ways bears its own name.
            is_link = not folders
            here = (folders or links).pop(0)
            identity = _identity(here)
            before = self._seen.get(identity)
            if before is not None and before[0] != person:
                raise self._of_two(before, (person, here))
            if before is not None or (identity in self._above and here != self.root):
                again.append(here)
                continue
            self._seen[identity] = (person, here)
            for entry in _entries(here):
                path = here / entry.name
                if not _is_folder(entry):
                    (files if _is_file(entry) else odd).append(path)
                elif entry.is_symlink():
                    links.append(path)
                else:
                    (links if is_link else folders).append(path)
        images = _ordered(path for path in files if is_image(path))
        others = _ordered([*(path for path in files if not is_image(path)), *odd])
        return Tree(images, others, _ordered(again))

    def _of_two(self, one: tuple[str, Path], other: tuple[str, Path]) -> DataError:
        first, second = (path.relative_to(self.root).as_posix() for _, path in (one, other))
        return DataError(
            f"source folder {self.root}",
            got=f"{second} of {other[0]}, which is {first} of {one[0]} by a link",
            expected="each folder under one person",
            remedy="remove the link",
        )


def is_image(path: Path) -> bool:
    """Whether a file is a picture by its suffix."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def split_entries(folder: Path) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Lists the folders, and the other entries, in one folder, both in natural order and without hidden ones.

    Raises:
        DataError: It cannot be listed.
    """
    folders, others = list[Path](), list[Path]()
    for entry in _entries(folder):
        (folders if _is_folder(entry) else others).append(folder / entry.name)
    return tuple(folders), tuple(others)


def told(left_out: Iterable[Path], again: Iterable[Path], root: Path, person: Callable[[Path], str]) -> list[str]:
    """Says what was left out: by suffix, count and person; and which links were not followed.

    Args:
        left_out: The files.
        again: The links.
        root: What paths are named from.
        person: Whose a file is; empty where it is nobody's.

    Returns:
        A sentence each; nothing where nothing was left out.
    """
    lines = []
    kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
    nowhere = []
    for path in left_out:
        if path.is_symlink() and not path.exists():
            nowhere.append(path.relative_to(root).as_posix())
        else:
            kinds[_kind(path)][person(path)] += 1
    if kinds:
        words = "; ".join(f"{people.total()} {kind}{_of(people)}" for kind, people in sorted(kinds.items()))
        unread = sorted(_UNREAD & set(kinds))
        advice = f"; {', '.join(unread)}: export as JPEG or PNG to have them read" if unread else ""
        lines.append(f"files that are no pictures by their suffix were left out: {words}{advice}")
    if nowhere:
        lines.append(f"{len(nowhere)} links lead nowhere and were left out: {_listed(nowhere)}")
    links = [path.relative_to(root).as_posix() for path in again]
    if links:
        lines.append(
            f"{len(links)} links lead to folders that were read already, or that lie above, and were not followed: "
            + _listed(links)
        )
    return lines


def suffixes(files: Iterable[Path]) -> str:
    """Counts files by suffix, in words."""
    return ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(map(_kind, files)).items()))


def _kind(path: Path) -> str:
    if is_image(path) and path.exists() and not path.is_file():
        return "no regular file"
    return path.suffix.lower() or "without suffix"


def _ordered(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(sorted(paths, key=lambda path: natural_key(path.as_posix())))


def _of(people: Counter[str]) -> str:
    named = [f"{name} {count}" for name, count in sorted(people.items()) if name]
    if people[""]:
        named.append(f"{people['']} of nobody")
    return f" ({_listed(named)})" if set(people) != {""} else ""


def _listed(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if not _is_passed_over(entry.name)]
    except OSError as error:
        raise DataError(
            f"folder {_short(folder)}",
            got=f"one that cannot be listed ({error.strerror})",
            expected="a folder that may be read",
            remedy="see to its rights, or take it out",
        ) from error
    return sorted(found, key=lambda entry: natural_key(entry.name))  # which link is the first is no chance


def _short(path: Path) -> str:
    """A path that may be as long as no system opens, for a message."""
    text = str(path)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower() in LEFTOVERS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is read as a file. A link that leads nowhere is, so that it is told as what cannot be read."""
    try:
        return entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists())
    except OSError:
        return True


def _identity(folder: Path) -> Identity:
    try:
        status = folder.stat()
    except OSError:
        return (-1, hash(folder))  # listing it says what is wrong
    return (status.st_dev, status.st_ino)
