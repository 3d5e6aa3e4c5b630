"""The shared gallery: PostgreSQL with pgvector.

The search is exact, a scan over all templates; there is no approximate index that could miss somebody or keep
somebody who was removed. A removal rewrites the tables, since PostgreSQL otherwise leaves the bytes of deleted
rows in them. What the write-ahead log, replicas and backups hold is the server's: see docs/responsible-use.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import psycopg
from jaxtyping import Float
from psycopg import Connection, conninfo, errors

from lrface.errors import ConfigError, DataError, LrfaceError, RegistryError
from lrface.naming.gallery.entry import Enrolled, Entry, check_width, enrolled
from lrface.naming.gallery.gallery import About, Gallery, prints_of

_TABLES: Final = (
    "CREATE EXTENSION IF NOT EXISTS vector",
    "CREATE TABLE IF NOT EXISTS lrface_gallery_about (one boolean PRIMARY KEY DEFAULT true CHECK (one),"
    " format_version integer NOT NULL, weights text NOT NULL, compatible text[] NOT NULL)",
    "CREATE TABLE IF NOT EXISTS lrface_gallery (key text PRIMARY KEY, name text UNIQUE NOT NULL,"
    " total double precision[] NOT NULL, template vector NOT NULL,"
    " images bigint NOT NULL CHECK (images > 0), added timestamptz NOT NULL, changed timestamptz NOT NULL,"
    " prints bytea[] NOT NULL DEFAULT '{}')",
)
_HAS_PRINTS: Final = (
    "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('lrface_gallery') AND attname = 'prints'"
)
_ADD_PRINTS: Final = "ALTER TABLE lrface_gallery ADD COLUMN prints bytea[] NOT NULL DEFAULT '{}'"
_OTHERS: Final = "SELECT name FROM lrface_gallery WHERE prints && %s::bytea[] AND name <> %s LIMIT 1"
_LOCK: Final = 0x1FACE
_OPTIONS: Final = "-c statement_timeout=60000 -c lock_timeout=30000 -c timezone=UTC"
_WIDTH: Final = "SELECT vector_dims(template) FROM lrface_gallery LIMIT 1"
_OLD: Final = "SELECT key, name, total, images, added, changed FROM lrface_gallery"
_ALL: Final = "SELECT key, name, total, images, added, changed, prints FROM lrface_gallery"
_ONE: Final = "SELECT key, name, total, images, added, changed, prints FROM lrface_gallery WHERE name = %s"
_NAMES: Final = "SELECT name FROM lrface_gallery"
_COUNT: Final = "SELECT count(*) FROM lrface_gallery"
_DELETE: Final = (
    "DELETE FROM lrface_gallery WHERE key = %s RETURNING key, name, total, images, added, changed",
    "DELETE FROM lrface_gallery WHERE name = %s RETURNING key, name, total, images, added, changed",
)
_SEARCH: Final = """
SELECT probes.number, best.name, best.score
FROM unnest(%s::text[]::vector[]) WITH ORDINALITY AS probes(probe, number)
CROSS JOIN LATERAL (
    SELECT name, -(template <#> probes.probe) AS score
    FROM lrface_gallery ORDER BY template <#> probes.probe, name LIMIT 2
) AS best
ORDER BY probes.number, best.score DESC, best.name
"""


class PostgresGallery(Gallery):
    """A gallery in a PostgreSQL database with the extension pgvector.

    Args:
        uri: ``postgresql://...`` as libpq takes it; a password is better left to ``PGPASSWORD`` or ``~/.pgpass``.

    Raises:
        ConfigError: The URI cannot be parsed.
    """

    def __init__(self, uri: str) -> None:
        try:
            parts = conninfo.conninfo_to_dict(uri)
        except psycopg.ProgrammingError as error:
            raise ConfigError(
                "gallery in PostgreSQL",
                got="a URI that libpq does not parse",
                expected="postgresql://USER@HOST:PORT/DATABASE",
                remedy="correct LRFACE_GALLERY",
            ) from error
        self._uri = uri
        self.place = f"postgresql://{parts.get('host', 'localhost')}/{parts.get('dbname', '')}"

    def about(self) -> About | None:
        """Say which weights the templates are of; None where nothing was ever enrolled."""
        with self._connected() as connection:
            return self._about(connection)

    def entries(self) -> list[Entry]:
        """Return everybody, sorted by name."""
        with self._connected() as connection:
            if self._about(connection) is None:
                return []
            # A gallery of before pictures were known again has no prints until it is written to.
            rows = connection.execute(_ALL if self._has_prints(connection) else _OLD).fetchall()
        return sorted((_entry(row) for row in rows), key=lambda entry: entry.name)

    def count(self) -> int:
        """Return how many people are enrolled."""
        with self._connected() as connection:
            if self._about(connection) is None:
                return 0
            row = connection.execute(_COUNT).fetchone()
        return int(row[0]) if row else 0

    def enrol(
        self,
        people: Mapping[str, Float[np.ndarray, "n d"]],
        weights: str,
        pictures: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Enrolled]:
        """Add pictures of people: all of them or, on an error, none."""
        with self._writing() as connection:
            about = self._made_by(self._about(connection), weights)
            self._say(connection, about)
            names, width = self._named(people, self._names(connection)), self._width_in(connection)
            done = {}
            for given, name in names.items():
                prints = prints_of(pictures, given)
                if prints and (other := connection.execute(_OTHERS, (list(prints), name)).fetchone()):
                    raise self._another_persons(name, str(other[0]))
                row = connection.execute(_ONE, (name,)).fetchone()
                entry, done[name] = enrolled(
                    _entry(row) if row else None, name, people[given], width=width, prints=prints
                )
                width = len(entry.total)
                self._put(connection, entry)
        return done

    def insert(self, entries: Sequence[Entry], about: About) -> None:
        """Take in the entries of another gallery: all of them or, on an error, none."""
        with self._writing() as connection:
            self._say(connection, self._made_by(self._about(connection), about.weights))
            there = self._names(connection)
            if again := sorted(entry.name for entry in entries if entry.name in there):
                raise self._there_already(again)
            self._named([entry.name for entry in entries], there)
            width = self._width_in(connection)
            for entry in entries:
                check_width(len(entry.total), width)
                width = len(entry.total)
                if other := connection.execute(_OTHERS, (list(entry.prints), entry.name)).fetchone():
                    raise self._another_persons(entry.name, str(other[0]))
                self._put(connection, entry)

    def remove(self, person: str) -> Entry:
        """Remove a person, given by name or key, for good."""
        with self._writing() as connection:
            rows = (connection.execute(statement, (person,)).fetchone() for statement in _DELETE)
            row = next((row for row in rows if row is not None), None)
            if row is None:
                raise self._nobody(person)
        with self._connected(autocommit=True) as connection:
            # A plain vacuum leaves the bytes in the free space of their page.
            connection.execute("VACUUM (FULL, ANALYZE) lrface_gallery")
        return _entry(row)

    def accept(self, weights: str) -> None:
        """Declare that probes of other weights may be held against these templates."""
        with self._writing() as connection:
            self._say(connection, self._accepted(self._about(connection), weights))

    def _search(self, probes: Float[np.ndarray, "n d"]) -> list[list[tuple[str, float]]]:
        found: list[list[tuple[str, float]]] = [[] for _ in probes]
        with self._connected() as connection:
            for number, name, score in connection.execute(_SEARCH, ([_vector(probe) for probe in probes],)):
                found[number - 1].append((name, float(score)))
        return found

    def _width(self) -> int | None:
        with self._connected() as connection:
            return self._width_in(connection)

    def _width_in(self, connection: Connection[tuple[Any, ...]]) -> int | None:
        row = connection.execute(_WIDTH).fetchone()
        return int(row[0]) if row else None

    @contextmanager
    def _connected(self, *, autocommit: bool = False) -> Iterator[Connection[tuple[Any, ...]]]:
        try:
            with psycopg.connect(self._uri, autocommit=autocommit, connect_timeout=10, options=_OPTIONS) as connection:
                yield connection
        except errors.FeatureNotSupported as error:
            raise self._no_extension(error) from error
        except errors.InsufficientPrivilege as error:
            raise self._refused(error, "a role that may write there, and create the extension once") from error
        except psycopg.Error as error:
            raise self._refused(error, "a PostgreSQL database that answers") from error

    @contextmanager
    def _writing(self) -> Iterator[Connection[tuple[Any, ...]]]:
        """One writer at a time, all or nothing; readers go on."""
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if not self._made(connection):
                for statement in _TABLES:
                    connection.execute(statement)
            elif not self._has_prints(connection):
                connection.execute(_ADD_PRINTS)
            yield connection

    def _has_prints(self, connection: Connection[tuple[Any, ...]]) -> bool:
        row = connection.execute(_HAS_PRINTS).fetchone()
        return bool(row and row[0])

    def _names(self, connection: Connection[tuple[Any, ...]]) -> set[str]:
        return {str(row[0]) for row in connection.execute(_NAMES).fetchall()}

    def _made(self, connection: Connection[tuple[Any, ...]]) -> bool:
        query = "SELECT to_regclass('lrface_gallery_about') IS NOT NULL AND to_regclass('lrface_gallery') IS NOT NULL"
        row = connection.execute(query).fetchone()
        return bool(row and row[0])

    def _about(self, connection: Connection[tuple[Any, ...]]) -> About | None:
        if not self._made(connection):
            return None
        query = "SELECT format_version, weights, compatible FROM lrface_gallery_about"
        row = connection.execute(query).fetchone()
        if row is None:
            return None
        try:
            return About(format_version=row[0], weights=row[1], compatible=tuple(row[2]))
        except ValueError as error:
            raise DataError(
                f"gallery {self.place}",
                got=f"format {row[0]}",
                expected="a gallery as `gallery` writes it",
                remedy="use the version of lrface that made it",
            ) from error

    def _say(self, connection: Connection[tuple[Any, ...]], about: About) -> None:
        connection.execute(
            "INSERT INTO lrface_gallery_about (format_version, weights, compatible) VALUES (%s, %s, %s)"
            " ON CONFLICT (one) DO UPDATE SET compatible = excluded.compatible",
            (about.format_version, about.weights, list(about.compatible)),
        )

    def _put(self, connection: Connection[tuple[Any, ...]], entry: Entry) -> None:
        connection.execute(
            "INSERT INTO lrface_gallery (key, name, total, template, images, added, changed, prints)"
            " VALUES (%s, %s, %s, %s::vector, %s, %s, %s, %s::bytea[]) ON CONFLICT (name) DO UPDATE SET"
            " total = excluded.total, template = excluded.template, images = excluded.images,"
            " changed = excluded.changed, prints = excluded.prints",
            (
                entry.key,
                entry.name,
                entry.total.tolist(),
                _vector(entry.template),
                entry.images,
                entry.added,
                entry.changed,
                list(entry.prints),
            ),
        )

    def _no_extension(self, error: Exception) -> LrfaceError:
        return RegistryError(
            f"gallery {self.place}",
            got=f"a server without pgvector ({_first_line(error)})",
            expected="PostgreSQL with the extension `vector`",
            remedy="install postgresql-NN-pgvector on the server, or use a .parquet file",
        )

    def _refused(self, error: Exception, expected: str) -> LrfaceError:
        return RegistryError(
            f"gallery {self.place}", got=_first_line(error), expected=expected, remedy="see to server and rights"
        )


def _entry(row: Sequence[Any]) -> Entry:
    key, name, total, images, added, changed, *prints = row
    known = tuple(map(bytes, prints[0])) if prints else ()
    return Entry(str(key), str(name), np.asarray(total, dtype=np.float64), int(images), added, changed, known)


def _vector(values: Float[np.ndarray, " d"]) -> str:
    return "[" + ",".join(f"{value:.9g}" for value in values) + "]"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
