"""A spool on disk: what a run logs, in order, until the tracking store has taken it.

A folder per run holds ``records.jsonl`` (one JSON object a line, appended only), ``blobs/`` (copies of the
files to upload), ``sent`` (the number of bytes of ``records.jsonl`` that the store has taken) and
``target.json`` (which run of which store). A process that is killed leaves at most one torn line at the end,
which is cut off when the spool is opened again.
"""

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lrface.base.locks import take
from lrface.errors import RegistryError

Record = dict[str, Any]

# As the target of a spool: the store of the project that the spool lies in, wherever that is by then.
EMBEDDED: Final = "embedded"


@dataclass(frozen=True)
class Pending:
    """A record that the store has not taken yet, and where its line ends."""

    record: Record
    end: int


class Spool:
    """The spool of one run, held by one process at a time.

    Args:
        folder: The spool's folder; made if it is not there.
        target: What the records are for (``run_id``, ``uri`` without credentials); written once.

    Raises:
        RegistryError: Another process holds the spool, or its folder cannot be written.
    """

    def __init__(self, folder: Path, target: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._guard = threading.Lock()
        try:
            (folder / "blobs").mkdir(parents=True, exist_ok=True)
            self._lock = take(folder / "lock", f"spool {folder}")
            if target is not None and not (folder / "target.json").exists():
                write_atomically(folder / "target.json", json.dumps(dict(target)))
            self._written = _cut_torn_line(folder / "records.jsonl")
            self._records = (folder / "records.jsonl").open("ab", buffering=0)
        except OSError as error:
            raise _unwritable(folder, error) from error
        self._sent = _read_sent(folder / "sent", self._written)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def target(self) -> dict[str, str]:
        """Which run of which store the records are for."""
        target = json.loads((self.folder / "target.json").read_text())
        return {str(key): str(value) for key, value in target.items()}

    @property
    def drained(self) -> bool:
        """Whether the store has taken everything."""
        with self._guard:
            return self._sent == self._written

    def append(self, record: Record) -> None:
        """Add a record at the end.

        Raises:
            RegistryError: The disk is full or the folder cannot be written; the spool stays whole.
        """
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        with self._guard:
            try:
                self._write(line)
            except OSError as error:
                os.truncate(self._records.fileno(), self._written)
                raise _unwritable(self.folder, error) from error
            self._written += len(line)

    def _write(self, line: bytes) -> None:
        count = self._records.write(line)
        if count != len(line):
            raise OSError(f"only {count} of {len(line)} bytes could be written")

    def keep(self, source: Path, name: str) -> str:
        """Copy a file or folder into the spool; return its path relative to the spool.

        Raises:
            RegistryError: The copy cannot be written.
        """
        relative = f"blobs/{name}"
        target = self.folder / relative
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copyfile(source, target)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return relative

    def drop(self, kept: str) -> None:
        """Delete a copy that the store has taken."""
        shutil.rmtree((self.folder / kept).parent, ignore_errors=True)

    def pending(self, limit: int) -> list[Pending]:
        """Return the first records, at most ``limit``, that the store has not taken."""
        with self._guard:
            start, end = self._sent, self._written
        found: list[Pending] = []
        if start == end:
            return found
        with (self.folder / "records.jsonl").open("rb") as lines:
            lines.seek(start)
            while start < end and len(found) < limit:
                line = lines.readline()
                start += len(line)
                found.append(Pending(json.loads(line), start))
        return found

    def acknowledge(self, end: int) -> None:
        """Note that the store has taken everything up to ``end``."""
        write_atomically(self.folder / "sent", str(end))
        with self._guard:
            self._sent = end

    def refuse(self, record: Record, reason: str) -> None:
        """Put aside a record that the store will never take."""
        with (self.folder / "refused.jsonl").open("a") as refused:
            refused.write(json.dumps({"reason": reason, "record": record}) + "\n")

    def close(self) -> None:
        """Let go of the spool; it stays on disk."""
        self._records.close()
        self._lock.close()

    def remove(self) -> None:
        """Let go of the spool and delete it, unless it holds records that the store refused."""
        self.close()
        if not (self.folder / "refused.jsonl").exists():
            shutil.rmtree(self.folder)


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that a reader finds the old text or the new one, never half of it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    partial.write_text(text)
    partial.replace(path)


def _cut_torn_line(records: Path) -> int:
    if not records.exists():
        return 0
    size = records.stat().st_size
    with records.open("r+b") as lines:
        end = size
        while end > 0:
            start = max(0, end - 65536)
            lines.seek(start)
            newline = lines.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        lines.truncate(end)
    return end


def _read_sent(sent: Path, written: int) -> int:
    return min(int(sent.read_text()), written) if sent.exists() else 0


def _unwritable(folder: Path, error: OSError) -> RegistryError:
    return RegistryError(
        f"spool {folder}",
        got=str(error),
        expected="a folder with room for what the run logs",
        remedy="free some space there, then start the same command again",
    )
