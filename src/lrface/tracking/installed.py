"""What is installed, held against the ranges that the project admits and against the versions that its lock pins."""

import platform
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

PROJECT: Final = "lrface"
LOCK: Final = "requirements.lock"
_RANGES: Final = "pyproject.toml"


def outside_ranges(tree: Path) -> dict[str, str]:
    """Return ``{package: what is installed and what is admitted}`` for each that lies outside its range.

    The ranges are those of ``pyproject.toml`` in ``tree``, else those that the installed package tells. What belongs to
    an extra alone and is not installed lies outside of nothing. ``python`` is one of the packages.

    Raises:
        ValueError: ``pyproject.toml`` is there and is no TOML, or names a dependency that is none.
    """
    found = {}
    for asked, needed in _admitted(tree):
        version = _version(asked.name)
        if version is None and needed:
            found[asked.name] = f"not installed (admitted: {asked.specifier})"
        elif version is not None and not asked.specifier.contains(version, prereleases=True):
            found[asked.name] = f"{version} (admitted: {asked.specifier})"
    return dict(sorted(found.items()))


def unlike_lock(tree: Path) -> dict[str, str] | None:
    """Return ``{package: what is installed and what is locked}`` where both differ; None: ``tree`` has no lock.

    Packages that are not installed are left out, as are those that the lock pins for other systems. A build's local
    part (``+cpu``) makes no difference, as for the tools that install from the lock.

    Raises:
        ValueError: The lock has a line that is none of a lock.
    """
    path = tree / LOCK
    if not path.is_file():
        return None
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line[:1].isalnum():
            pin = _requirement(line.rstrip("\\"))
            version = _version(pin.name)
            if version is not None and _holds(pin) and not pin.specifier.contains(version, prereleases=True):
                found[pin.name] = f"{version} (locked: {str(pin.specifier).removeprefix('==')})"
    return dict(sorted(found.items()))


def _admitted(tree: Path) -> Iterator[tuple[Requirement, bool]]:
    """The requirements that hold on this system, each with whether lrface cannot do without it."""
    path = tree / _RANGES
    if path.is_file():
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        python, needed = project["requires-python"], project["dependencies"]
        extra = [line for lines in project["optional-dependencies"].values() for line in lines]
        extras = [""]
    else:
        try:
            told = metadata.metadata(PROJECT)
        except metadata.PackageNotFoundError:
            return
        python, needed, extra = told["Requires-Python"], told.get_all("Requires-Dist") or [], []
        extras = ["", *(told.get_all("Provides-Extra") or [])]
    yield Requirement(f"python{python}"), True
    for line in needed:
        asked = _requirement(line)
        if any(_holds(asked, name) for name in extras):
            yield asked, _holds(asked)
    for line in extra:
        asked = _requirement(line)
        if _holds(asked):
            yield asked, False


def _requirement(line: str) -> Requirement:
    try:
        return Requirement(line)
    except InvalidRequirement as error:
        raise ValueError(f"no requirement: {line.strip()[:80]!r}") from error


def _holds(asked: Requirement, extra: str = "") -> bool:
    return asked.marker is None or asked.marker.evaluate({"extra": extra})


def _version(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
