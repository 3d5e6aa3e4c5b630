"""Tables of text as people have them: read strictly, and what is told of them says what they have instead."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

from lrface.errors import DataError

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_MEANT = {
    "path": ("file", "filename", "file_name", "filepath", "image", "image_path", "img", "img_path", "name"),
    "subject": ("label", "identity", "id", "person", "person_id", "subject_id", "class", "target", "name"),
}
_NO_TEXT = (
    (b"\x1f\x8b", "a compressed file", "unpack it"),
    (b"PK\x03\x04", "a workbook or an archive", "save it as CSV"),
    (b"PAR1", "Parquet under another suffix", "call it .parquet"),
)
_NOBODY = frozenset({"nan", "NaN", "None", "null", "NULL", "<NA>", "#N/A"})
_WHOLE = re.compile(r"\d+\.0+")
_NUMBER = re.compile(r"\d+(\.0+)?")
_QUOTES = "'`´\"“”„‟‘’‚‛«»"  # noqa: RUF001


def read_table(path: Path, what: str, notes: list[str]) -> pd.DataFrame:
    """Reads a CSV, all of it text, or a Parquet file.

    Args:
        path: The file.
        what: What to call it in messages.
        notes: Gets what was read otherwise than it stands there.

    Returns:
        Its rows; the names of its columns have no spaces round them.

    Raises:
        DataError: It is missing, no table, has other separators than commas, or a line that does not fit its head.
    """
    if not path.is_file():
        raise DataError(what, got="no such file", expected="a CSV or Parquet file", remedy="correct the path")
    if path.suffix.lower() != ".parquet":
        return _from_csv(path, what, notes)
    try:
        return pd.read_parquet(path, partitioning=None)
    except Exception as error:  # the file's own words on how pandas is to see it may be damaged in any way
        got = f"no table ({error})"
        raise DataError(what, got=got, expected="CSV or Parquet", remedy="correct the file") from error


def check_columns(rows: pd.DataFrame, wanted: Sequence[str], what: str) -> None:
    """Refuses a table that lacks columns, and says which it has.

    Raises:
        DataError: One is missing, or there are no rows.
    """
    missing = [name for name in wanted if name not in rows.columns]
    if missing:
        has = [str(name) for name in rows.columns]
        likely = {
            name: next((column for column in has if column.strip().lower() in {name, *_MEANT.get(name, ())}), None)
            for name in missing
        }
        rename = " and ".join(f"{column} to {name}" for name, column in likely.items() if column is not None)
        remedy = f"rename {rename}" if rename else "add them, in a first line that names the columns"
        if any(column.strip().strip(_QUOTES) in missing for column in has):
            remedy = 'take the quotes away, or write them as straight double ones (")'
        raise DataError(
            what,
            got=f"no column {', '.join(missing)}, but {', '.join(has[:12])}{' ...' if len(has) > 12 else ''}",
            expected=f"a head with {', '.join(wanted)}, and a row per image",
            remedy=remedy,
        )
    if rows.empty:
        raise DataError(what, got="no rows", expected="a row per image", remedy="add some")


def texts(rows: pd.DataFrame, name: str, what: str, notes: list[str], *, needed: bool) -> list[str | None]:
    """Gives a column as text without spaces round it, None where a cell is empty.

    Raises:
        DataError: A cell is empty and is needed, or holds bytes that are no text.
    """
    try:
        plain = [plain_text(value) for value in rows[name]]
    except UnicodeDecodeError as error:
        got = f"bytes in the column {name} that are no UTF-8"
        raise DataError(what, got=got, expected="text", remedy="write the column as text") from error
    found = [value.strip() or None for value in plain]
    if needed and None in found:
        got = f"an empty {name} in row {found.index(None) + 1}"
        raise DataError(what, got=got, expected="a path and a subject in each row", remedy="fill it in")
    spaced = sum(value != (kept or "") for value, kept in zip(plain, found, strict=True))
    if spaced:
        notes.append(f"{spaced} cells of the column {name} have spaces round them, which were left out")
    return found


def plain_text(value: object) -> str:
    """Gives a cell as text, empty where it is a gap; bytes are UTF-8 (Parquet need not say that a column is text)."""
    # pd.NA, the gap of nullable columns, is first: it compares to nothing.
    if value is None or value is pd.NA or value != value:
        return ""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def note_zeros(values: Sequence[str], name: str, notes: list[str]) -> None:
    """Tells of numbers that differ by leading zeros alone: a program may have cut them from some rows."""
    spelled: dict[str, set[str]] = {}
    for value in set(values):
        if value.isascii() and value.isdigit():
            spelled.setdefault(value.lstrip("0") or "0", set()).add(value)
    several = [" and ".join(sorted(forms)) for _, forms in sorted(spelled.items()) if len(forms) > 1]
    if several:
        words = f"{'; '.join(several[:5])}{' ...' if len(several) > 5 else ''}"
        notes.append(f"the column {name} has {words}, which were taken for different people")


def note_nobody(values: Sequence[str], name: str, notes: list[str]) -> None:
    """Tells of names that programs write where there is none: all such rows would be one person."""
    rows = Counter(value for value in values if value in _NOBODY)
    if rows:
        words = " and ".join(f"{count} {value}" for value, count in rows.items())
        notes.append(f"the column {name} has {words}, which were taken for a person's name")


def whole_numbers(values: list[str], name: str, notes: list[str]) -> list[str]:
    """Reads `1.0` as 1 where all values are whole numbers: what tables make of numbers with gaps between them."""
    changed = sum(bool(_WHOLE.fullmatch(value)) for value in values)
    if not changed or not all(_NUMBER.fullmatch(value) for value in values):
        return values
    notes.append(f"{changed} values of the column {name} are written like {values[0]}, and were read without the .0")
    return [value.partition(".")[0] for value in values]


def numbers(rows: pd.DataFrame, names: Sequence[str], what: str) -> np.ndarray:
    """Gives columns as floats, rows x columns; NaN where a cell is empty.

    Raises:
        DataError: A cell is no number, or an infinite one.
    """
    return np.stack([_floats(rows[name], f"{what}, column {name}") for name in names], axis=1)


def _floats(column: pd.Series, what: str) -> np.ndarray:
    """What pandas would make of it, which is killed by a cell like 1e3000000000: its table of powers ends before."""
    if pd.api.types.is_numeric_dtype(column):
        found = column.to_numpy(dtype=float, na_value=np.nan)
        strange = np.flatnonzero(np.isinf(found))
    else:
        cells = column.tolist()
        found = np.array([_float(value) for value in cells], dtype=float)
        empty = np.array([value is None or value is pd.NA or _is_empty(value) for value in cells], dtype=bool)
        strange = np.flatnonzero(~np.isfinite(found) & ~empty)
    if len(strange):
        place = int(strange[0])
        got = f"{column.iloc[place]!r} in row {place + 1} below the head"
        raise DataError(what, got=got, expected="numbers with a decimal point", remedy="correct them")
    return found


def _is_empty(value: object) -> bool:
    if isinstance(value, str | bytes):
        return not value.strip()
    return isinstance(value, float | Decimal) and math.isnan(value)


def _float(value: object) -> float:
    """NaN for what is empty, and for what is no number."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        try:
            return float("nan" if "_" in value else value)  # 1_000 is Python's own way of writing
        except ValueError:
            return float("nan")
    return float(value) if isinstance(value, int | float | Decimal | np.number) else float("nan")


def _from_csv(path: Path, what: str, notes: list[str]) -> pd.DataFrame:
    lines = csv.reader(io.StringIO(_text(path, what), newline=""), strict=True)
    try:
        rows = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        got = f"no table ({error} in line {lines.line_num})"
        raise DataError(what, got=got, expected="CSV", remedy="correct the line") from error
    if not rows:
        raise DataError(what, got="an empty file", expected="a head and a row per image", remedy="correct the path")
    rows = _from_head(rows, what, notes)
    head = [name.strip() for name in rows[0][1]]
    if head != rows[0][1]:
        notes.append("the names of the columns have spaces round them, which were left out")
    _check_separator(head, what)
    if not head[-1]:
        head = head[:-1]
    ends = 0
    cells: list[list[str]] = []
    for number, row in rows[1:]:
        if len(row) == len(head) + 1 and not row[-1].strip():
            ends += 1
            row = row[:-1]
        if len(row) != len(head):
            raise DataError(
                f"{what}, line {number}",
                got=f"{len(row)} fields ({','.join(row)[:80]})",
                expected=f"{len(head)} ({','.join(head)[:80]})",
                remedy="correct the line; a field with a comma in it needs quotes",
            )
        cells.append(row)
    if ends or len(head) < len(rows[0][1]):
        notes.append(f"{ends} lines end in a comma with nothing behind it, which was left out")
    first = [name.strip() for name in rows[0][1]]
    again = next((number for number, row in rows[1:] if [name.strip() for name in row] == first), None)
    if again is not None:
        got = f"the head again ({','.join(head)[:80]})"
        raise DataError(f"{what}, line {again}", got=got, expected="a row per image", remedy="remove the line")
    if "" in head or len(set(head)) < len(head):
        got = f"the columns {', '.join(map(repr, head))}"
        raise DataError(what, got=got, expected="a name of its own for each", remedy="name them")
    return pd.DataFrame(cells, columns=head, dtype=object)


def _from_head(rows: list[tuple[int, list[str]]], what: str, notes: list[str]) -> list[tuple[int, list[str]]]:
    """Leaves out the line by which Excel is told the separator, and refuses a comment above the head."""
    if len(rows) > 1 and rows[0][1] == ["sep=", ""]:
        notes.append("the line sep=, above the head was left out")
        return rows[1:]
    number, first = rows[0]
    if first[0].lstrip().startswith("#"):
        got = f"a comment ({','.join(first)[:80]})"
        raise DataError(f"{what}, line {number}", got=got, expected="the head", remedy="remove the line")
    return rows


def _text(path: Path, what: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        got = f"a file that cannot be read ({error.strerror})"
        raise DataError(what, got=got, expected="CSV or Parquet", remedy="correct the path or its rights") from error
    for beginning, kind, remedy in _NO_TEXT:
        if content.startswith(beginning):
            raise DataError(what, got=f"no table ({kind})", expected="CSV in UTF-8, or Parquet", remedy=remedy)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        got = f"no table ({'text in UTF-16' if wide else f'byte {error.start} is no UTF-8'})"
        raise DataError(what, got=got, expected="CSV in UTF-8, or Parquet", remedy="save it as UTF-8") from error
    if "\0" in text:
        got = "no table (zero bytes in it)"
        raise DataError(what, got=got, expected="CSV in UTF-8, or Parquet", remedy="save it as CSV")
    return text


def _check_separator(head: list[str], what: str) -> None:
    whole = ",".join(head)
    for sign, words in _SEPARATORS.items():
        if whole.count(sign) and (len(head) == 1 or whole.count(sign) >= len(head)):
            raise DataError(
                what,
                got=f"columns apart by {words} ({whole[:80]!r})",
                expected="commas",
                remedy="save it with commas between the columns, and points in numbers",
            )
