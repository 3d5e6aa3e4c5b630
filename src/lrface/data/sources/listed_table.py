"""The source ``list``: a CSV or Parquet table that names files and subjects.

Example::

    path,subject,superres
    photos/1.jpg,alice,train
    photos/2.jpg,bob,test

Columns: ``path`` (relative to the table's folder unless another root is given) and ``subject``; where wanted
``superres`` and ``recognition`` (prescribed splits, empty for none), ``vlr`` (path of the real VLR image) and
the landmarks ``x1, y1 ... x5, y5`` (eyes, nose tip, mouth corners, pixels, left of the picture first).
"""

import os
from collections.abc import Generator, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrface.base.spelling import check_spelling
from lrface.data.files.paths import readable_paths
from lrface.data.files.reader import FileReader, ImageFile, check_root, paths_of
from lrface.data.files.table import (
    check_columns,
    note_nobody,
    note_zeros,
    numbers,
    plain_text,
    read_table,
    texts,
    whole_numbers,
)
from lrface.data.settings import ReadSettings
from lrface.data.source import Report, SourceFace
from lrface.errors import DataError

_LANDMARKS = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]
_OPTIONAL = ["superres", "recognition", "vlr"]


class ListSource:
    """Faces named by a table.

    Args:
        table: The CSV or Parquet file.
        settings: How images are read and aligned.
        root: The folder that paths are relative to; the table's own where None.

    Raises:
        DataError: The table is missing, no table, lacks a column, is empty, names a file twice, or names none that is
            there.
    """

    def __init__(self, table: Path | str, settings: ReadSettings, root: Path | str | None = None) -> None:
        self.table = Path(table)
        self._notes: list[str] = []
        self.rows = _read_list(self.table, self._notes)
        self.root = check_root(Path(root) if root is not None else self.table.parent, "folder of the list")
        what = f"list {self.table}"
        for name in ("path", "vlr"):
            if name in self.rows.columns:
                self.rows[name] = readable_paths(list(self.rows[name]), self.root, what, self._notes)
        _check_double(list(self.rows["path"]), what)
        self._reader = FileReader(settings)

    def describe(self) -> dict[str, Any]:
        """Names the kind, the table's own name and what decides about the pixels."""
        return {"kind": "list", "name": self.table.name, **self._reader.describe()}

    def folders(self) -> tuple[Path, ...]:
        """Names no folder: the table names files, and its folder may hold the pack as well."""
        return ()

    def files(self) -> Iterator[Path]:
        """Names the table, and the images that it names."""
        yield self.table
        yield from paths_of(self._files())

    def count(self) -> int:
        """Counts the rows of the table."""
        return len(self.rows)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces in the order of the table."""
        for line in self._notes:
            report.note(f"{self.table.name}: {line}")
        yield from self._reader.read(self._files(), report)

    def _files(self) -> Iterator[ImageFile]:
        points = self.rows[_LANDMARKS].to_numpy().reshape(-1, 5, 2) if "x1" in self.rows.columns else None
        optional = (self.rows[name] if name in self.rows.columns else repeat(None) for name in _OPTIONAL)
        columns = zip(self.rows["path"], self.rows["subject"], *optional, strict=False)
        for number, (path, subject, superres, recognition, vlr) in enumerate(columns):
            load = self.root / path
            yield ImageFile(
                name=path if _is_plain(path) else Path(path).as_posix(),
                subject=subject,
                load=load,
                superres=superres,
                recognition=recognition,
                landmarks=None if points is None or np.isnan(points[number]).any() else points[number],
                vlr=self.root / vlr if vlr else None,
            )


def _is_plain(path: str) -> bool:
    """Whether a path is spelled as ``as_posix`` would; nearly all are, and asking costs less."""
    return not ("//" in path or "./" in path or "\\" in path or path.endswith(("/", ".")))


def _read_list(path: Path, notes: list[str]) -> pd.DataFrame:
    what = f"list {path}"
    rows = read_table(path, what, notes)
    marked = [name for name in _LANDMARKS if name in rows.columns]
    check_columns(rows, ["path", "subject", *(_LANDMARKS if marked else ())], what)
    columns: dict[str, Any] = {
        name: texts(rows, name, what, notes, needed=name in ("path", "subject"))
        for name in ("subject", *_OPTIONAL)
        if name in rows.columns
    }
    # A path may begin or end in a space; whether it does, its file says.
    texts(rows, "path", what, [], needed=True)
    columns["path"] = [plain_text(value) for value in rows["path"]]
    columns["subject"] = whole_numbers(columns["subject"], "subject", notes)
    note_nobody(columns["subject"], "subject", notes)
    note_zeros(columns["subject"], "subject", notes)
    found = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    if marked:
        points = numbers(rows, _LANDMARKS, what)
        gaps = np.isnan(points).sum(axis=1)
        partly = np.flatnonzero((gaps > 0) & (gaps < len(_LANDMARKS)))
        if len(partly):
            got = f"{len(partly)} rows with some landmarks and not all, the first {columns['path'][partly[0]]}"
            raise DataError(what, got=got, expected="ten numbers or none", remedy="fill them in, or empty them")
        found[_LANDMARKS] = points
    check_spelling(sorted(set(found["subject"])), what)
    return found


def _check_double(paths: list[str], what: str) -> None:
    plain = pd.Series([path if _is_plain(path) else os.path.normpath(path) for path in paths])
    double = plain[plain.duplicated()]
    if len(double):
        got = f"{len(double)} paths twice, the first {double.iloc[0]}"
        raise DataError(what, got=got, expected="each path once", remedy="remove the double rows")
