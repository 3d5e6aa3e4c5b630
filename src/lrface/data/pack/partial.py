"""A folder that appears whole or not at all."""

import contextlib
import errno
import fcntl
import glob
import os
import secrets
import shutil
from pathlib import Path

from lrface.errors import DataError

_SUFFIX = ".partial"
_REPLACED = ".replaced" + _SUFFIX


class PartialFolder:
    """A hidden folder beside its target, renamed onto it when it is complete.

    The writer holds a lock on the folder for as long as it lives, and the kernel lets go of it however the
    writer dies. So a later run can tell the leftovers of the dead from the work of the living.

    Args:
        target: Where the folder is to appear.

    Raises:
        DataError: The folder cannot be made.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._parents = _make_parents(target)
        try:
            clean_leftovers(target)
            self.path, self._lock = _locked_folder(target)
        except OSError as error:
            self._drop_parents()
            raise _not_writable(target, error) from error

    def commit(self) -> None:
        """Makes the folder appear at its target, in place of what was there.

        Raises:
            DataError: The folder cannot be renamed.
        """
        replaced = self.path.with_suffix(_REPLACED)
        try:
            _flush(self.path)
            # Two renames, as no portable call exchanges folders; a death between them is mended by
            # ``clean_leftovers``, which puts the replaced folder back.
            if self.target.exists():
                self.target.rename(replaced)
            self.path.rename(self.target)
            _flush_entry(self.target.parent)
        except OSError as error:
            raise _not_writable(self.target, error) from error
        finally:
            os.close(self._lock)
        if replaced.exists():
            shutil.rmtree(replaced)

    def discard(self) -> None:
        """Takes away everything that was written, and the parent folders made for it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._drop_parents()

    def _drop_parents(self) -> None:
        for parent in self._parents:
            try:
                parent.rmdir()
            except OSError:  # somebody else uses it by now
                return


def clean_leftovers(target: Path) -> None:
    """Takes away what writers of ``target`` left that died, and puts back what one was replacing.

    Args:
        target: The folder whose hidden siblings are looked at.
    """
    for leftover in sorted(target.parent.glob(f".{glob.escape(target.name)}.*{_SUFFIX}")):
        lock = _try_lock(leftover)
        if lock is None:
            continue
        try:
            if leftover.name.endswith(_REPLACED) and not target.exists():
                leftover.rename(target)
            else:
                shutil.rmtree(leftover, ignore_errors=True)
        finally:
            os.close(lock)


def _locked_folder(target: Path) -> tuple[Path, int]:
    while True:
        path = target.parent / f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}"
        path.mkdir()
        lock = _try_lock(path)
        if lock is None:  # a cleaner was faster than our lock
            continue
        if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
            return path, lock
        os.close(lock)


def _try_lock(folder: Path) -> int | None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return descriptor


def _make_parents(target: Path) -> list[Path]:
    """Makes the missing parents and returns them, deepest first."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(target, error) from error
    return missing


def _flush(folder: Path) -> None:
    for path in folder.iterdir():
        _flush_entry(path)
    _flush_entry(folder)


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network file systems refuse to flush a folder; their rename is ordered anyway.
        with contextlib.suppress(PermissionError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _not_writable(target: Path, error: OSError) -> DataError:
    return DataError(
        f"writing {target}",
        got=error.strerror or str(error),
        expected="a place that can be written, with room enough",
        remedy="choose another folder or make room",
    )
