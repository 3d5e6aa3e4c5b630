"""The source ``list``: a CSV or Parquet table that names files and subjects.

Example::

    path,subject,superres
    photos/1.jpg,alice,train
    photos/2.jpg,bob,test

Columns: ``path`` (relative to the table's folder unless another root is given) and ``subject``; where wanted
``superres`` and ``recognition`` (prescribed splits, empty for none), ``vlr`` (path of the real VLR image) and
the landmarks ``x1, y1 ... x5, y5`` (eyes, nose tip, mouth corners, pixels, left of the picture first).
"""

from collections.abc import Generator, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from lrface.data.files import FileReader, ImageFile, check_root, paths_of
from lrface.data.settings import ReadSettings
from lrface.data.source import Report, SourceFace
from lrface.errors import DataError
from lrface.spelling import check_spelling

_LANDMARKS = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]
_OPTIONAL = ["superres", "recognition", "vlr"]


class ListSource:
    """Faces named by a table.

    Args:
        table: The CSV or Parquet file.
        settings: How images are read and aligned.
        root: The folder that paths are relative to; the table's own where None.

    Raises:
        DataError: The table is missing, no table, lacks a column, is empty, or names a file twice.
    """

    def __init__(self, table: Path | str, settings: ReadSettings, root: Path | str | None = None) -> None:
        self.table = Path(table)
        self.rows = _read_table(self.table)
        self.root = check_root(Path(root) if root is not None else self.table.parent, "folder of the list")
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
        return self._reader.read(self._files(), report)

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


def _read_table(path: Path) -> pd.DataFrame:
    what = f"list {path}"
    if not path.is_file():
        raise DataError(what, got="no such file", expected="a CSV or Parquet file", remedy="correct the path")
    texts = ["path", "subject", *_OPTIONAL]
    try:
        if path.suffix.lower() == ".parquet":
            rows = pd.read_parquet(path)
        else:
            # All text: a subject 007 is not 7, and one named NA is somebody.
            rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError, pa.ArrowException, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(
            what, got=f"no table ({error})", expected="CSV or Parquet", remedy="correct the file"
        ) from error
    missing = [name for name in ("path", "subject") if name not in rows.columns]
    if "x1" in rows.columns:
        missing += [name for name in _LANDMARKS if name not in rows.columns]
    if missing or rows.empty:
        got = f"no column {', '.join(missing)}" if missing else "no rows"
        raise DataError(what, got=got, expected="columns path and subject, and a row per image", remedy="add them")
    rows = _typed(rows, [name for name in texts if name in rows.columns], what)
    double = rows["path"][rows["path"].duplicated()]
    if len(double):
        got = f"{len(double)} paths twice, the first {double.iloc[0]}"
        raise DataError(what, got=got, expected="each path once", remedy="remove the double rows")
    check_spelling(sorted(set(rows["subject"])), what)
    return rows


def _typed(rows: pd.DataFrame, texts: list[str], what: str) -> pd.DataFrame:
    rows = rows.copy()
    for name in texts:
        empty = rows[name].isna() | (rows[name].astype(str).str.strip() == "")
        if name in ("path", "subject") and empty.any():
            got = f"an empty {name} in row {int(np.flatnonzero(empty)[0]) + 1}"
            raise DataError(what, got=got, expected="a path and a subject in each row", remedy="fill it in")
        values = [None if nothing else str(value) for value, nothing in zip(rows[name], empty, strict=True)]
        rows[name] = pd.Series(values, index=rows.index, dtype=object)
    if "x1" in rows.columns:
        try:
            for name in _LANDMARKS:
                rows[name] = pd.to_numeric(rows[name].replace("", None)).astype(float)
        except (ValueError, TypeError) as error:
            raise DataError(what, got=f"landmarks: {error}", expected="numbers", remedy="correct them") from error
    return rows
