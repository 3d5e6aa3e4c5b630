"""Paths in a table, in whatever style they came from another machine."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from lrface.errors import DataError

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://")

Text = TypeVar("Text", str, str | None)


def readable_paths(paths: Sequence[Text], root: Path, what: str, notes: list[str]) -> list[Text]:
    """Reads paths so that they lead to files: without spaces round them, and with slashes for backslashes.

    A path that leads to a file as it stands stays as it is.

    Args:
        paths: As the table has them; None where there is none.
        root: The folder that they start from.
        what: What to call the table in messages.
        notes: Gets how many were read otherwise.

    Returns:
        The paths.

    Raises:
        DataError: They are of another machine's style, or not one of them is there.
    """
    found, spaced, turned = list(paths), 0, 0
    for place, path in enumerate(paths):
        if path is None or not ("\\" in path or ":" in path or path[0] in " ~" or path[-1] == " "):
            continue
        if (root / path).exists():
            continue
        bare = path.strip()
        _check_style(bare, root, what)
        spaced += bare != path
        if "\\" in bare and not (root / bare).exists():
            turned += 1
            bare = bare.replace("\\", "/")
        found[place] = bare
    if spaced:
        notes.append(f"{spaced} paths have spaces round them, which were left out")
    if turned:
        notes.append(f"{turned} paths have backslashes, which were read as slashes")
    given = [path for path in found if path is not None]
    if given and not any((root / path).exists() for path in given):
        there = _as_it_is_called(given[0], root)
        raise DataError(
            what,
            got=f"{len(given)} pictures of which none is below {root}, the first {given[0]}",
            expected="paths from the folder of the list, or from data.root",
            remedy=f"write them as the files are called, {there}"
            if there
            else "set data.root to the folder that they start from",
        )
    return found


def _as_it_is_called(path: str, root: Path) -> str | None:
    """Looks for a path below the root in other letters' case, or with the signs that stand behind % in an address."""
    place = root
    for part in Path(unquote(path)).parts:
        try:
            names = {entry.name.casefold(): entry for entry in sorted(place.iterdir())}
        except OSError:
            return None
        if part.casefold() not in names:
            return None
        place = names[part.casefold()]
    return str(place.relative_to(root))


def _check_style(path: str, root: Path, what: str) -> None:
    style = "of Windows" if _DRIVE.match(path) else "that is an address" if _ADDRESS.match(path) else ""
    if not style and path.startswith("~"):
        style = "from a home folder"
    if style:
        raise DataError(
            what,
            got=f"a path {style}, {path}",
            expected=f"paths below {root}, with slashes",
            remedy="take away what stands before the part that is the same here, or set data.root",
        )
