"""Where the embedded store keeps its files, and how it follows a project that was moved or copied.

MLflow writes artifact locations into its database as absolute paths. A project that is moved, copied or
unpacked elsewhere together with its ``mlruns`` would go on writing into the old folder. The embedded SQLite
file is ours, so its locations are rewritten to where the project is now, in one transaction, before MLflow
opens it. A server keeps its own locations and is never touched.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from lrface.errors import RegistryError

_COLUMNS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
_TOP: Final = re.compile(r"^.*/mlruns/artifacts/?$")
_BELOW: Final = re.compile(r"^.*/mlruns/(?:artifacts/)?(?P<rest>[^/].*)$")


def database_of(root: Path) -> Path:
    """Return the path of the embedded database of the project at ``root``."""
    return root / "mlruns" / "mlflow.db"


def artifacts_of(root: Path) -> Path:
    """Return the folder of the embedded store's artifacts."""
    return root / "mlruns" / "artifacts"


def sqlite_uri(database: Path) -> str:
    """Return MLflow's URI of an SQLite file (always absolute)."""
    return f"sqlite:///{database.resolve().as_posix()}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of an SQLite URI as it stands (it may be relative), or None for any other store."""
    prefix = "sqlite:///"
    if not uri.startswith(prefix):
        return None
    return Path(unquote(uri[len(prefix) :].split("?", 1)[0]))


def refuse_file_store(root: Path) -> None:
    """Refuse a folder in which an older MLflow kept its runs as files.

    Raises:
        RegistryError: ``mlruns/<number>/meta.yaml`` lies in the project.
    """
    for meta in sorted((root / "mlruns").glob("*/meta.yaml")):
        if meta.parent.name.isdecimal():
            raise RegistryError(
                f"tracking store of {root}",
                got=f"runs of an older MLflow, kept as files ({meta})",
                expected=f"an SQLite store ({database_of(root)})",
                remedy=f"move {meta.parent} and its like away ('mlflow migrate-filestore' copies them)",
            )


def follow_move(root: Path, keep: str | None = None) -> int:
    """Point the embedded store at the folder that the project lies in now.

    A location is rewritten where it is a local path outside this project's artifacts that holds ``/mlruns/``.
    For experiments that is always done, so nothing new goes to the old folder. For what exists already
    (runs, models, versions) it is left alone where only the old folder has the files.

    Args:
        root: The project.
        keep: A location that the user has chosen, and everything below it: never rewritten.

    Returns:
        How many locations were rewritten.

    Raises:
        RegistryError: The database cannot be read or written.
    """
    database = database_of(root)
    if not database.exists() or database.stat().st_size == 0:
        return 0
    changed = 0
    try:
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            for table, column in _present(connection):
                select = f"SELECT DISTINCT {column} FROM {table} WHERE {column} LIKE '%/mlruns/%'"  # noqa: S608
                for (location,) in connection.execute(select).fetchall():
                    if keep is not None and str(location).startswith(keep):
                        continue
                    moved = _moved(location, root, always=table == "experiments")
                    if moved is not None:
                        update = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608
                        changed += connection.execute(update, (moved, location)).rowcount
    except sqlite3.Error as error:
        raise RegistryError(
            f"tracking store {database}",
            got=str(error),
            expected="an SQLite database that can be read and written",
            remedy="close what holds it, or move the file away to start a new one",
        ) from error
    return changed


def _present(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, column in _COLUMNS:
        names = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if column in names:
            yield table, column


def _moved(location: str, root: Path, *, always: bool) -> str | None:
    parts = urlsplit(location)
    if parts.scheme not in {"", "file"}:
        return None
    path = unquote(parts.path) if parts.scheme else location
    here = artifacts_of(root.resolve())
    if Path(path) == here or here in Path(path).parents:
        return None
    if _TOP.match(path):
        target = here
    elif (below := _BELOW.match(path)) is not None:
        target = here / below["rest"]
    else:
        return None
    if not always and Path(path).exists() and not target.exists():
        return None
    return target.as_uri() if parts.scheme else target.as_posix()
