"""The embedded gallery: one Parquet file, searched by a matrix product.

Written beside its place and renamed, under a lock, so that a reader sees a whole file and two writers do not
undo each other. Nothing is compressed or shared between rows: what is removed is not in the new file.
"""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float
from pydantic import ValidationError

from lrface.base.given_paths import given_path
from lrface.base.locks import locked
from lrface.errors import DataError, RegistryError
from lrface.naming.gallery.entry import KEY, PRINT_BYTES, Enrolled, Entry, check_name, check_width, enrolled, templates
from lrface.naming.gallery.gallery import About, Gallery, prints_of

MOST_PEOPLE: Final = 1_000_000
MOST_BYTES: Final = 8 * 2**30
MOST_IMAGES: Final = 10**9
_WAIT: Final = 30.0
_AT_ONCE: Final = 256
_KEY: Final = b"lrface.gallery"
_EMPTY_WIDTH: Final = 512
_WIDEST: Final = 65_536
_PRINTS: Final = "prints"


def _schema(width: int) -> pa.Schema:
    """The columns of a gallery whose templates have `width` numbers."""
    return pa.schema(
        [
            ("key", pa.string()),
            ("name", pa.string()),
            ("total", pa.list_(pa.float64(), width)),
            ("images", pa.int64()),
            ("added", pa.timestamp("ms", "UTC")),
            ("changed", pa.timestamp("ms", "UTC")),
            (_PRINTS, pa.list_(pa.binary(PRINT_BYTES))),
        ]
    )


def _is_known(schema: pa.Schema, width: int) -> bool:
    """Whether these are the columns of a gallery; one of before pictures were known again has no prints."""
    whole = _schema(width)
    return bool(schema.equals(whole) or schema.equals(whole.remove(whole.get_field_index(_PRINTS))))


def _width_of(schema: pa.Schema) -> int:
    """The width that a file's columns claim; one that no gallery has where they are other columns."""
    place = schema.get_field_index("total")
    kind = schema.field(place).type if place >= 0 else None
    width = kind.list_size if isinstance(kind, pa.FixedSizeListType) else 0
    return width if width <= _WIDEST else 0


def _plain(metadata: pq.FileMetaData) -> bool:
    """Tell whether the columns lie there as they are: only then a file unfolds to no more than its own size."""
    chunks = (
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    return all(
        chunk.compression == "UNCOMPRESSED" and not chunk.has_dictionary_page and {*chunk.encodings} <= {"PLAIN", "RLE"}
        for chunk in chunks
    )


@dataclass(frozen=True, eq=False)
class _Content:
    about: About
    entries: tuple[Entry, ...]
    templates: Float[np.ndarray, "n d"]


class FileGallery(Gallery):
    """A gallery in one Parquet file.

    May be shared between threads and between processes: each call sees what others have written before it.

    Args:
        path: The file; made by the first enrolment, readable by its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self.path = given_path(path).absolute()
        self.place = str(self.path)
        self._guard = threading.Lock()
        self._read: tuple[tuple[int, int, int, int], _Content] | None = None

    def about(self) -> About | None:
        """Say which weights the templates are of; None where nothing was ever enrolled."""
        content = self._content()
        return content.about if content else None

    def entries(self) -> list[Entry]:
        """Return everybody, sorted by name."""
        content = self._content()
        return list(content.entries) if content else []

    def count(self) -> int:
        """Return how many people are enrolled."""
        content = self._content()
        return len(content.entries) if content else 0

    def enrol(
        self,
        people: Mapping[str, Float[np.ndarray, "n d"]],
        weights: str,
        pictures: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Enrolled]:
        """Add pictures of people: all of them or, on an error, none."""
        with self._alone():
            content = self._content()
            about = self._made_by(content.about if content else None, weights)
            entries = {entry.name: entry for entry in content.entries} if content else {}
            owners = {known: entry.name for entry in entries.values() for known in entry.prints}
            names = self._named(people, entries)
            done, width = {}, self._width()
            for given, name in names.items():
                prints = prints_of(pictures, given)
                if other := next((owners[known] for known in prints if owners.get(known, name) != name), None):
                    raise self._another_persons(name, other)
                entries[name], done[name] = enrolled(entries.get(name), name, people[given], width=width, prints=prints)
                width = len(entries[name].total)
                owners.update(dict.fromkeys(prints, name))
            self._write(about, entries.values())
        return done

    def insert(self, entries: Sequence[Entry], about: About) -> None:
        """Take in the entries of another gallery: all of them or, on an error, none."""
        with self._alone():
            content = self._content()
            own = self._made_by(content.about if content else None, about.weights)
            there = {entry.name for entry in content.entries} if content else set()
            if again := sorted(entry.name for entry in entries if entry.name in there):
                raise self._there_already(again)
            self._named([entry.name for entry in entries], there)
            owners = {known: entry.name for entry in (content.entries if content else ()) for known in entry.prints}
            width = self._width()
            for entry in entries:
                check_width(len(entry.total), width)
                width = len(entry.total)
                if other := next((owners[known] for known in entry.prints if known in owners), None):
                    raise self._another_persons(entry.name, other)
            self._write(own, [*(content.entries if content else ()), *entries])

    def remove(self, person: str) -> Entry:
        """Remove a person, given by name or key, for good."""
        with self._alone():
            content = self._content()
            entries = content.entries if content else ()
            found = next((entry for entry in entries if entry.key == person), None) or next(
                (entry for entry in entries if entry.name == person), None
            )
            if content is None or found is None:
                raise self._nobody(person)
            self._write(content.about, [entry for entry in entries if entry is not found])
        return found

    def accept(self, weights: str) -> None:
        """Declare that probes of other weights may be held against these templates."""
        with self._alone():
            content = self._content()
            about = self._accepted(content.about if content else None, weights)
            self._write(about, content.entries if content else ())

    def _search(self, probes: Float[np.ndarray, "n d"]) -> list[list[tuple[str, float]]]:
        content = self._content()
        if content is None or not content.entries:
            return [[] for _ in probes]
        found: list[list[tuple[str, float]]] = []
        for start in range(0, len(probes), _AT_ONCE):
            scores = probes[start : start + _AT_ONCE].astype(np.float32) @ content.templates.T
            count = min(2, scores.shape[1])
            best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
            for row, places in zip(scores, best, strict=True):
                ordered = sorted(places, key=lambda place: (-row[place], place))
                found.append([(content.entries[place].name, float(row[place])) for place in ordered])
        return found

    def _width(self) -> int | None:
        content = self._content()
        return len(content.entries[0].total) if content and content.entries else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with locked(self.path.with_name(f".{self.path.name}.lock"), f"gallery {self.place}", _WAIT):
                yield
        except OSError as error:
            raise RegistryError(
                f"gallery {self.place}",
                got=error.strerror or str(error),
                expected="a file that can be written",
                remedy="see to its folder and to the disk",
            ) from error

    def _content(self) -> _Content | None:
        """Read the file, or take what was read before where it has not changed since."""
        with self._guard:
            try:
                status = self.path.stat()
            except FileNotFoundError:
                self._read = None
                return None
            except OSError as error:
                raise self._unreadable(error.strerror or str(error)) from error
            stamp = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, self._load(status.st_size))
            return self._read[1]

    def _load(self, size: int) -> _Content:
        if size > MOST_BYTES:
            raise self._unreadable(f"{size:,} bytes; at most {MOST_BYTES:,} are read")
        try:
            with pq.ParquetFile(self.path, memory_map=False) as file:
                schema, rows = file.schema_arrow, file.metadata.num_rows
                width = _width_of(schema)
                if not width or not _is_known(schema, width) or rows > MOST_PEOPLE:
                    raise self._unreadable(f"{rows} rows of {', '.join(schema.names[:10])}")
                if not _plain(file.metadata):
                    raise self._unreadable("columns that are compressed")
                about = About.model_validate_json((schema.metadata or {}).get(_KEY, b""))
                return self._checked(about, file.read(), width)
        # Text that is no UTF-8 and dates beyond the calendar come to light when they become Python's.
        except (OSError, pa.ArrowException, ValidationError, ValueError, OverflowError) as error:
            raise self._unreadable((str(error).splitlines() or [type(error).__name__])[0][:200]) from error

    def _checked(self, about: About, table: pa.Table, width: int) -> _Content:
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        lists = (columns[name].flatten() for name in ("total", _PRINTS) if name in columns)
        if any(column.null_count for column in (*columns.values(), *lists)):
            raise self._unreadable("missing values")
        totals = columns["total"].flatten().to_numpy().reshape(-1, width)
        prints = columns[_PRINTS].to_pylist() if _PRINTS in columns else [()] * len(totals)
        rows = zip(*(columns[name].to_pylist() for name in ("key", "name", "images", "added", "changed")), strict=True)
        entries = tuple(
            Entry(key, check_name(name), total, images, added, changed, tuple(known))
            for total, known, (key, name, images, added, changed) in zip(totals, prints, rows, strict=True)
        )
        unique = len({entry.name for entry in entries}) == len({entry.key for entry in entries}) == len(entries)
        if not unique or any(not 1 <= entry.images <= MOST_IMAGES or not KEY.fullmatch(entry.key) for entry in entries):
            raise self._unreadable("a name or key twice, or a person without pictures")
        # Else one entry could outweigh all pictures that are ever added to it.
        if any(np.abs(entry.total).max() > entry.images * (1 + 1e-3) for entry in entries):
            raise self._unreadable("more in a person's sum than as many pictures can give")
        return _Content(about, entries, templates(totals))

    def _write(self, about: About, entries: Iterable[Entry]) -> None:
        ordered = sorted(entries, key=lambda entry: entry.name)
        if len(ordered) > MOST_PEOPLE:
            raise DataError(
                f"gallery {self.place}",
                got=f"{len(ordered):,} people",
                expected=f"at most {MOST_PEOPLE:,} in a file",
                remedy="use PostgreSQL",
            )
        totals = np.stack([entry.total for entry in ordered]) if ordered else np.empty((0, _EMPTY_WIDTH))
        schema = _schema(totals.shape[1])
        columns = [
            pa.array([entry.key for entry in ordered], pa.string()),
            pa.array([entry.name for entry in ordered], pa.string()),
            pa.FixedSizeListArray.from_arrays(pa.array(totals.reshape(-1)), totals.shape[1]),
            pa.array([entry.images for entry in ordered], pa.int64()),
            pa.array([entry.added for entry in ordered], schema.field("added").type),
            pa.array([entry.changed for entry in ordered], schema.field("changed").type),
            pa.array([list(entry.prints) for entry in ordered], schema.field(_PRINTS).type),
        ]
        table = pa.table(
            [column.cast(field.type) for column, field in zip(columns, schema, strict=True)],
            schema=schema.with_metadata({_KEY: about.model_dump_json().encode()}),
        )
        # mkstemp gives a file that only its owner may read, and the rename keeps that.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.", suffix=".partial")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                pq.write_table(table, stream, compression="none", use_dictionary=False)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def _unreadable(self, got: str) -> DataError:
        return DataError(
            f"gallery {self.place}",
            got=got,
            expected="a gallery as `gallery` writes it",
            remedy="name another file, or bring back a copy",
        )
