"""Where a run comes from: the code, the packages, the licences of what it was made of."""

import getpass
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

UNKNOWN: Final = "unknown"
_PACKAGES: Final = ("lrface", "torch", "torchvision", "timm", "kornia", "lightning", "mlflow", "numpy")


def git_commit(root: Path) -> str:
    """Return the commit of ``root``, with ``+changes`` where files differ from it, else ``unknown``."""
    git = shutil.which("git")
    if git is None:
        return UNKNOWN
    top = _git(git, root, "rev-parse", "--show-toplevel")
    commit = _git(git, root, "rev-parse", "HEAD")
    # A folder that merely lies inside somebody else's repository has no commit of its own.
    if top is None or commit is None or Path(top).resolve() != root.resolve():
        return UNKNOWN
    return f"{commit}+changes" if _git(git, root, "status", "--porcelain", "--untracked-files=no") else commit


def _git(git: str, root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def package_versions(names: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Return ``{"python": ..., "<package>": version}``; a package that is not installed is ``unknown``."""
    versions = {"python": platform.python_version()}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = UNKNOWN
    return versions


def requirements(names: Iterable[str] = _PACKAGES) -> list[str]:
    """Return the pinned requirements of a served model, without what is not installed as a package."""
    return [
        f"{name}=={version}"
        for name, version in package_versions(names).items()
        if name != "python" and version != UNKNOWN
    ]


def who() -> str:
    """Return the name of the user that runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return UNKNOWN


def joined_licences(licences: Iterable[str]) -> str:
    """Return the licences that hold for what is made of several parts: all of them, each once, sorted."""
    parts = {part.strip() for licence in licences for part in licence.split(" AND ") if part.strip()}
    return " AND ".join(sorted(parts)) if parts else UNKNOWN


def joined_terms(terms: Iterable[str]) -> str:
    """Return the terms of use that hold for what is made of several parts: a line for each, each once, sorted."""
    parts = {line.strip() for text in terms for line in text.splitlines()} - {"", UNKNOWN}
    return "\n".join(sorted(parts)) if parts else UNKNOWN


def run_lineage(root: Path) -> Mapping[str, str]:
    """Return the tags that tell which code and which packages a run was made with."""
    tags = {f"version.{name}": version for name, version in package_versions().items()}
    return {"git_commit": git_commit(root), **tags}
