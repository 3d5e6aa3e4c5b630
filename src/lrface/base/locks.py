"""One at a time: locks between processes that share a project, a registry or a gallery."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lrface.errors import RegistryError


def take(path: Path, what: str, wait: float = 0.0) -> IO[str]:
    """Take a lock file, held until the returned file is closed or the process ends.

    Args:
        path: The lock file; made if it is not there.
        what: What is locked, for the message.
        wait: Longest wait for another holder [s].

    Raises:
        RegistryError: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                file.close()
                raise RegistryError(
                    what,
                    got=f"another process at it (lock {path})",
                    expected="one at a time",
                    remedy="wait for the other to end, then start the same command again",
                ) from error
            time.sleep(0.05)
        else:
            return file


@contextmanager
def locked(path: Path, what: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a lock file for a block; see ``take``."""
    with take(path, what, wait):
        yield
