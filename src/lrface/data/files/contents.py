"""What the files of a source hold, as one hash, with no file read twice that has not changed in between.

Size and time alone lie: an unpacked archive, ``cp -p`` and ``rsync -t`` give another picture the size and time of the
one before. So contents are hashed. What was hashed once is known again by size, mtime, ctime, inode and device; ctime
is the one that nobody can set. As in git's index, a file that was touched less than three seconds before it was hashed
is hashed again next time, for it may have been written to again within one tick of the clock.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lrface.data.files.parallel import ordered_map

ABSENT = "absent"
"""In the place of the hash of a file that is not there or cannot be read."""

_WORTH_TELLING = 1000
_SETTLED_NS = 3_000_000_000
_STAMPS = ["size", "mtime", "ctime", "inode", "device"]

Progress = Callable[[int, int], None]


def contents(files: Iterable[Path], root: Path, index: Path | None = None, progress: Progress | None = None) -> str:
    """Hashes the names and contents of files; their order does not matter.

    Args:
        files: The files, links followed. One that is not there counts as such.
        root: The folder below which only the rest of a path counts, so that a source may be moved.
        index: A file that remembers the hashes from one call to the next; it may be deleted at any time. A folder
            that cannot be written does without.
        progress: Called with (files done, files to hash) where there are many.

    Returns:
        sha256, 64 hexadecimal digits.
    """
    base = f"{root}{os.sep}"
    paths = sorted({os.fspath(path) for path in files})
    names = [path.removeprefix(base) for path in paths]
    stamps = np.array([_stamp(path) for path in paths], dtype=np.int64).reshape(-1, 5)
    known = _known(index, names, stamps)
    wanted = [place for place, sha256 in enumerate(known) if sha256 is None]
    began = time.time_ns()
    hashed = ordered_map(_hash, (paths[place] for place in wanted))
    for done, (place, sha256) in enumerate(zip(wanted, hashed, strict=True), start=1):
        known[place] = sha256
        if progress is not None and len(wanted) >= _WORTH_TELLING:
            progress(done, len(wanted))
    if index is not None and wanted:
        _remember(index, names, stamps, known, began)
    whole = hashlib.sha256()
    for name, known_as in zip(names, known, strict=True):
        whole.update(f"{name}\0{known_as}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _stamp(path: str) -> tuple[int, int, int, int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a Path each costs as much as the call itself
    except OSError:
        return -1, 0, 0, 0, 0
    # Inode and device may be unsigned 64-bit numbers, which the table's columns are not.
    inode, device = (number & 0x7FFF_FFFF_FFFF_FFFF for number in (found.st_ino, found.st_dev))
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, inode, device


def _hash(path: str) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - likewise
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ABSENT


def _known(index: Path | None, names: list[str], stamps: np.ndarray) -> list[str | None]:
    nothing: list[str | None] = [None] * len(names)
    if index is None:
        return nothing
    try:
        table = pq.read_table(index, partitioning=None).to_pandas()
        places = table.set_index("name").index.get_indexer(names)
        there = table[_STAMPS].to_numpy(dtype=np.int64)
        hashes = table["sha256"].to_numpy(dtype=object)
    except (OSError, pa.ArrowException, LookupError, ValueError):
        return nothing  # none yet, or damaged: all is hashed anew
    same = (places >= 0) & (there[places] == stamps).all(axis=1) if len(table) else np.zeros(len(names), dtype=bool)
    return [hashes[place] if alike else None for place, alike in zip(places, same, strict=True)]


def _remember(index: Path, names: list[str], stamps: np.ndarray, hashes: list[str | None], began: int) -> None:
    settled = (stamps[:, 0] >= 0) & (stamps[:, 1:3].max(axis=1, initial=0) < began - _SETTLED_NS)
    table = pd.DataFrame(stamps, columns=_STAMPS)
    table["name"], table["sha256"] = names, hashes
    table = table[settled & (table["sha256"] != ABSENT)]
    partial = index.with_name(f".{index.name}.{os.getpid()}.partial")
    try:
        index.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), partial, compression="zstd")
        partial.replace(index)
    except (OSError, ValueError, pa.ArrowException):  # names that are no text cannot stand in a table
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
