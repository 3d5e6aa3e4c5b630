"""What has to be there before an entry point can say anything: the libraries, and a way to write names."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

NEEDED = ("hydra", "mlflow", "pydantic", "torch")
COMMAND = frozenset({"lrface", "lrface.exe", "lrface-script.py"})
"""Names of the file that the command `lrface` is installed as."""


def complaint(
    there: Callable[[str], object] = find_spec,
    encoding: str | None = None,
    version: tuple[int, ...] = tuple(sys.version_info[:2]),
) -> str | None:
    """What keeps an entry point from running here, as one line.

    Args:
        there: Finds a package by its name; None where it is not installed.
        encoding: Of the names of files; none: that of this process.
        version: Of Python.

    Returns:
        The line, or None where nothing does.
    """
    missing = [name for name in NEEDED if there(name) is None]
    if missing or version < (3, 11):
        lacks = f"without {', '.join(missing)}" if missing else "which is too old"
        return (
            f"environment: got {sys.executable} (Python {version[0]}.{version[1]}), {lacks}; expected the project's "
            "environment; make it with 'make env', and activate it with 'source .venv/bin/activate'"
        )
    found = encoding or sys.getfilesystemencoding()
    if found.lower().replace("_", "-") not in {"utf-8", "utf8"}:
        return (
            f"locale: got the encoding {found}, which cannot hold every name; expected UTF-8; set PYTHONUTF8=1, or "
            "LC_ALL=C.UTF-8"
        )
    return None


def started() -> bool:
    """Whether Python was started for an entry point: `lrface ...`, `python -m lrface` or `python -m lrface.jobs...`."""
    words = sys.orig_argv
    return any(
        (flag == "-m" and (name == "lrface" or name.startswith("lrface.jobs."))) for flag, name in pairwise(words)
    ) or any(Path(word).name in COMMAND for word in words[1:2])


def check() -> None:
    """End a process that was started for an entry point and cannot run it; have what it prints never fail."""
    if not started():
        return
    line = complaint()
    if line is not None:
        sys.stderr.write(f"error: {line}\n")
        sys.exit(1)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
