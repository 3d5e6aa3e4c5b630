"""Reads the shards of a pack on S3 through a local cache that never grows beyond its limit."""

import hashlib
import os
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Int64, UInt8

from lrface.data.pack.remote.s3 import Folder
from lrface.data.pack.remote.shards import Shard
from lrface.errors import DataError
from lrface.images.stored import Locality

_THREADS: Final = 8
_STALE_SECONDS: Final = 3600.0
_TRIES: Final = 5


class ShardCache:
    """A folder of shards that were fetched, those used last kept. May be shared between threads and processes.

    Args:
        folder: Where they are kept.
        limit: Most bytes that are kept, of all packs together. What is being fetched comes on top.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self._checked: set[tuple[str, int]] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for path in folder.glob(".*.partial"):
                if path.stat().st_mtime < time.time() - _STALE_SECONDS:
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise self._cannot_write(error) from error

    def open(self, shard: Shard, source: Folder, name: str) -> int:
        """Opens a shard, and fetches it first where it is not there.

        Args:
            shard: Which.
            source: Where it is fetched from.
            name: Its name there.

        Returns:
            A file descriptor, which the caller closes. It stays good when the shard is dropped.

        Raises:
            DataError: It cannot be fetched, is not what it should be, or cannot be kept.
        """
        path = self.folder / f"{shard.sha256}.npy"
        for _ in range(_TRIES):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self._fetch(shard, source, name, path)
                continue  # another process may be dropping it this moment, so look again
            except OSError as error:
                raise self._cannot_write(error) from error
            if self._is_whole(descriptor, shard):
                os.utime(descriptor)
                return descriptor
            os.close(descriptor)
            path.unlink(missing_ok=True)
        raise DataError(
            f"cache {self.folder}",
            got=f"a shard that vanished {_TRIES} times",
            expected=f"room for what is in use; the limit is {self.limit / 1e9:.3g} GB",
            remedy="raise data.cache_gb",
        )

    def _is_whole(self, descriptor: int, shard: Shard) -> bool:
        """Whether a kept shard is what it was; its content is hashed once in each process."""
        found = os.fstat(descriptor)
        if found.st_size != shard.size:
            return False
        if (shard.sha256, found.st_ino) not in self._checked:
            with os.fdopen(os.dup(descriptor), "rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                    return False
            self._checked.add((shard.sha256, found.st_ino))
        return True

    def _fetch(self, shard: Shard, source: Folder, name: str, path: Path) -> None:
        content = source.read(name, shard.size)
        if content is None or hashlib.sha256(content).hexdigest() != shard.sha256:
            got = "no such file" if content is None else "other bytes than were published"
            remedy = "publish the pack again"
            raise DataError(f"{source.place.uri}/{name}", got=got, expected="a shard of the pack", remedy=remedy)
        partial = self.folder / f".{path.stem}.{secrets.token_hex(4)}.partial"
        try:
            self._make_room(len(content))
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise self._cannot_write(error) from error

    def _make_room(self, size: int) -> None:
        """Drops the shards that were not used for longest, until there is room for another."""
        kept: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*.npy"):
            try:
                found = path.stat()
            except FileNotFoundError:  # another process drops too
                continue
            kept.append((found.st_mtime, found.st_size, path))
        total = sum(held for _, held, _ in kept) + size
        for _, held, path in sorted(kept):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)
            total -= held

    def _cannot_write(self, error: OSError) -> DataError:
        return DataError(
            f"cache {self.folder}",
            got=error.strerror or str(error),
            expected="a folder that can be written, with room enough",
            remedy="make room, or set data.cache and data.cache_gb",
        )


class StreamedImages:
    """Images of a pack on S3, n x h x w x 3, uint8. Taken by index as from an array; nothing else is an array of them.

    Args:
        source: The pack's folder.
        names: Names of the shards there, in order.
        shards: The shards, in the same order.
        rows: Rows in each shard but the last.
        shape: Number of images, height, width, channels.
        cache: Where shards are kept.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        source: Folder,
        names: Sequence[str],
        shards: Sequence[Shard],
        rows: int,
        shape: tuple[int, int, int, int],
        cache: ShardCache,
    ) -> None:
        self.shape = shape
        self.cache = cache
        self._source, self._names, self._shards, self._rows = source, tuple(names), tuple(shards), rows
        self._row_bytes = int(np.prod(shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise TypeError("the images of a pack on S3 are taken by rows, never all at once")

    def __getitem__(self, rows: Any, /) -> UInt8[np.ndarray, "... h w 3"]:  # noqa: ANN401 - as of an array
        if isinstance(rows, slice):
            return self.take(np.arange(len(self))[rows])
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        taken = self.take(chosen.reshape(-1).astype(np.int64))
        return taken[0] if chosen.ndim == 0 else taken

    @property
    def locality(self) -> Locality | None:
        """How to order rows so that the cache is of use; None where all of the pack fits into it."""
        total = sum(shard.size for shard in self._shards)
        if total <= self.cache.limit:
            return None
        # Half of the cache, as the next shards come while these are in use and as others may use it too.
        return Locality(self._rows, max(1, int(len(self._shards) * self.cache.limit / total / 2)))

    def take(self, rows: Int64[np.ndarray, " rows"]) -> UInt8[np.ndarray, "rows h w 3"]:
        """Reads images, each shard once, several shards at a time.

        Raises:
            IndexError: There is no such row.
            DataError: A shard cannot be fetched, is damaged, or cannot be kept.
        """
        rows = np.where(rows < 0, rows + len(self), rows)
        if len(rows) and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"row {int(rows.min())} or {int(rows.max())} of {len(self)}")
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        numbers = rows // self._rows
        wanted = [int(number) for number in np.unique(numbers)]
        if len(wanted) == 1:
            self._read(wanted[0], rows, np.arange(len(rows)), out)
        elif wanted:
            with ThreadPoolExecutor(min(_THREADS, len(wanted)), thread_name_prefix="shards") as pool:
                tasks = [pool.submit(self._read, one, rows, np.flatnonzero(numbers == one), out) for one in wanted]
                for task in tasks:
                    task.result()
        return out

    def _read(self, number: int, rows: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
        shard = self._shards[number]
        held = min(self._rows, len(self) - number * self._rows)
        begin = shard.size - held * self._row_bytes
        descriptor = self.cache.open(shard, self._source, self._names[number])
        try:
            for place in places:
                inside = int(rows[place]) - number * self._rows
                content = os.pread(descriptor, self._row_bytes, begin + inside * self._row_bytes)
                out[place] = np.frombuffer(content, np.uint8).reshape(self.shape[1:])
        finally:
            os.close(descriptor)
