"""Where the project lies: the folder whose `mlruns` holds what was made."""

from pathlib import Path


def project_root() -> Path:
    """The folder that holds MLproject: the current one, else that of the source tree, else the current one."""
    here, tree = Path.cwd(), source_tree()
    return here if (here / "MLproject").is_file() or not (tree / "MLproject").is_file() else tree


def source_tree() -> Path:
    """The folder above `src` that this code runs from; for an installed wheel it holds no project."""
    return Path(__file__).resolve().parents[3]
