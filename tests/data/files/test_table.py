"""Lists as people have them: what is read of each, what is told, and what is refused in which words.

Each line of the table is a list of the same four pictures, photos/0.png to photos/3.png, of 1, 1, 2 and 3.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lrface.data.files.table import numbers
from lrface.data.settings import ReadSettings
from lrface.data.source import Report
from lrface.data.sources.listed_table import ListSource
from lrface.errors import DataError

PEOPLE = ["1", "1", "2", "3"]
ROWS = [f"photos/{number}.png,{person}" for number, person in enumerate(PEOPLE)]
PLAIN = "\n".join(["path,subject", *ROWS])
POINTS = "38,52,74,52,56,72,42,92,71,92"
COLUMNS = ",".join(f"{axis}{number}" for number in range(1, 6) for axis in "xy")


@dataclass(frozen=True)
class Listed:
    """A list as somebody has it.

    Attributes:
        name: What is special about it.
        content: The CSV; or writes a file of its own and gives its path.
        told: What a note says; empty where nothing is to be told.
        refused: What the error says; empty where it is read.
        people: Whose the pictures are, where they are read.
    """

    name: str
    content: str | bytes | Callable[[Path], Path]
    told: str = ""
    refused: str = ""
    people: tuple[str, ...] = tuple(PEOPLE)


def changed(change: Callable[[str], str]) -> str:
    return "\n".join(["path,subject", *map(change, ROWS)])


def changed_point(value: str) -> str:
    """A list of which the first number of the landmarks is something else."""
    return f"path,subject,{COLUMNS}\n{ROWS[0]},{value}{POINTS[2:]}"


def parquet(rows: pd.DataFrame) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        rows.to_parquet(root / "list.parquet")
        return root / "list.parquet"

    return write


FILES = [f"photos/{number}.png" for number in range(4)]
TABLE = [
    # read as it stands
    Listed("plain", PLAIN),
    Listed("a mark of the byte order before it", "\ufeff" + PLAIN),
    Listed("line ends of Windows", PLAIN.replace("\n", "\r\n")),
    Listed("an empty line at the end", PLAIN + "\n\n"),
    Listed("quotes", changed(lambda row: '"' + row.replace(",", '","') + '"')),
    Listed("further columns", "\n".join(["path,subject,note", *[f"{row},x" for row in ROWS]])),
    Listed("people of leading zeros", changed(lambda row: row.replace(",", ",00")), people=("001", "001", "002",
           "003")),
    Listed("somebody named NA", PLAIN.replace(",3", ",NA"), people=("1", "1", "2", "NA")),
    Listed("versions for names", changed(lambda row: f"{row}.5"), people=("1.5", "1.5", "2.5", "3.5")),
    Listed("Parquet", parquet(pd.DataFrame({"path": FILES, "subject": PEOPLE}))),
    Listed("Parquet with numbers", parquet(pd.DataFrame({"path": FILES, "subject": [1, 1, 2, 3]}))),
    Listed("Parquet with bytes for text", parquet(pd.DataFrame({"path": [name.encode() for name in FILES],
           "subject": [person.encode() for person in PEOPLE]}))),
    # read rightly, and told
    Listed("leading zeros in some rows", PLAIN.replace("/0.png,1", "/0.png,001"),
           "the column subject has 001 and 1, which were taken for different people", people=("001", "1", "2", "3")),
    Listed("spaces round the names of columns", PLAIN.replace("path,subject", "path, subject "),
           "the names of the columns have spaces round them"),
    Listed("spaces round people", changed(lambda row: row.replace(",", ", ")),
           "4 cells of the column subject have spaces"),
    Listed("one space behind a person", PLAIN.replace("/1.png,1", "/1.png,1 "), "1 cells of the column subject"),
    Listed("spaces round paths", changed(lambda row: f" {row.replace(',', ' ,')}"), "4 paths have spaces round them"),
    Listed("1.0 for 1", changed(lambda row: f"{row}.0"), "4 values of the column subject are written like 1.0"),
    Listed("1.0 for 1 in some rows", PLAIN.replace("/1.png,1", "/1.png,1.0"), "1 values of the column subject"),
    Listed("Parquet with floats", parquet(pd.DataFrame({"path": FILES, "subject": [1.0, 1.0, 2.0, 3.0]})),
           "4 values of the column subject are written like 1.0"),
    Listed("a comma at the end of each line", "\n".join(f"{line}," for line in PLAIN.split("\n")),
           "4 lines end in a comma with nothing behind it"),
    Listed("a comma at the end of each row alone", changed(lambda row: f"{row},"), "4 lines end in a comma"),
    Listed("a comma at the end of one row", PLAIN.replace("/1.png,1", "/1.png,1,"), "1 lines end in a comma"),
    Listed("backslashes", changed(lambda row: row.replace("/", "\\")),
           "4 paths have backslashes, which were read as slashes"),
    Listed("nobody, as numpy writes it", PLAIN.replace(",3", ",nan"), "has 1 nan, which were taken for a person's name",
           people=("1", "1", "2", "nan")),
    Listed("Excel's line about the separator", f"sep=,\n{PLAIN}", "the line sep=, above the head was left out"),
    # refused
    Listed("Excel's line about another separator", "sep=;\n" + PLAIN.replace(",", ";"),
           refused="got columns apart by semicolons"),
    Listed("Parquet with a gap among numbers",
           parquet(pd.DataFrame({"path": FILES, "subject": pd.array([1, None, 2, 3], dtype="Int64")})),
           refused="an empty subject in row 2"),
    Listed("Parquet with bytes that are no text",
           parquet(pd.DataFrame({"path": FILES, "subject": [b"1", b"1", b"2", b"J\xf6rg"]})),
           refused="bytes in the column subject that are no UTF-8"),
    Listed("a comment above the head", f"# of May, by Ann\n{PLAIN}",
           refused=r"line 1: got a comment \(# of May, by Ann\); expected the head; remove the line"),
    Listed("single quotes", "\n".join("'" + line.replace(",", "','") + "'" for line in PLAIN.split("\n")),
           refused="take the quotes away"),
    Listed("typographic quotes", "\n".join("“" + line.replace(",", "”,“") + "”" for line in PLAIN.split("\n")),
           refused="take the quotes away"),
    Listed("paths in capital letters", changed(lambda row: row.upper()),
           refused="the first PHOTOS/0.PNG; .*; write them as the files are called, photos/0.png"),
    Listed("paths as in an address", changed(lambda row: row.replace("/", "%2F")),
           refused="; write them as the files are called, photos/0.png"),
    Listed("two lists, one behind the other", f"{PLAIN}\n{PLAIN}", refused=r"line 6: got the head again"),
    Listed("semicolons", PLAIN.replace(",", ";"),
           refused=r"got columns apart by semicolons \('path;subject'\); expected commas"),
    Listed("tabs", PLAIN.replace(",", "\t"), refused="got columns apart by tabs"),
    Listed("bars", PLAIN.replace(",", "|"), refused="got columns apart by bars"),
    Listed("semicolons and decimal commas", f"path;subject;{COLUMNS.replace(',', ';')}\nphotos/0.png;1;38,2946",
           refused="got columns apart by semicolons"),
    Listed("other names of columns", PLAIN.replace("path,subject", "filename,label"),
           refused="no column path, subject, but filename, label; .* rename filename to path and label to subject"),
    Listed("capital letters", PLAIN.replace("path,subject", "Path,Subject"),
           refused="rename Path to path and Subject to subject"),
    Listed("no head", "\n".join(ROWS),
           refused=r"no column path, subject, but photos/0.png, 1; .* a first line that names"),
    Listed("a head alone", "path,subject\n", refused="got no rows"),
    Listed("nothing", "", refused="got an empty file"),
    Listed("a name of a column twice", PLAIN.replace("path,subject", "path,path"),
           refused="a name of its own for each"),
    Listed("a field too many", PLAIN.replace("/1.png,1", "/1.png,Miller, Ann"),
           refused=r"line 3: got 3 fields \(photos/1.png,Miller, Ann\); expected 2 \(path,subject\); .* needs quotes"),
    Listed("a field too few", PLAIN.replace("/1.png,1", "/1.png"), refused="line 3: got 1 fields"),
    Listed("no person", PLAIN.replace("/1.png,1", "/1.png, "), refused="an empty subject in row 2"),
    Listed("Excel's Unicode text", PLAIN.encode("utf-16"), refused="text in UTF-16.*; save it as UTF-8"),
    Listed("Latin letters", PLAIN.replace(",3", ",J\xf6rg").encode("latin-1"),
           refused="is no UTF-8.*; save it as UTF-8"),
    Listed("a workbook", b"PK\x03\x04" + bytes(60), refused="a workbook or an archive.*; save it as CSV"),
    Listed("zero bytes", PLAIN.encode().replace(b",3", b",\0"), refused="zero bytes in it"),
    Listed("Parquet called CSV", b"PAR1" + bytes(60), refused="Parquet under another suffix.*; call it .parquet"),
    Listed("a compressed file", gzip.compress(PLAIN.encode()), refused="a compressed file.*; unpack it"),
    Listed("a quote that does not end", PLAIN.replace(",2", ',"2'), refused="no table"),
    Listed("paths of Windows", changed(lambda row: "C:\\faces\\" + row),
           refused=r"a path of Windows, C:\\faces\\photos"),
    Listed("paths of a Windows server", changed(lambda row: "\\\\server\\" + row), refused="a path of Windows"),
    Listed("addresses", changed(lambda row: "https://host/" + row), refused="a path that is an address, https://host"),
    Listed("paths from a home folder", changed(lambda row: "~/" + row), refused="a path from a home folder"),
    Listed("paths from elsewhere", changed(lambda row: "data/" + row),
           refused=r"got 4 pictures of which none is below .*, the first data/photos/0.png; .*set data.root"),
    Listed("a path in two spellings", PLAIN.replace("photos/1.png", "./photos/0.png"),
           refused="1 paths twice, the first photos/0.png"),
    Listed("a person in two spellings", PLAIN.replace(",2", ",ann").replace(",3", ",Ann"), refused="Ann and ann"),
    Listed("landmarks in part", f"path,subject,{COLUMNS}\n{ROWS[0]},{POINTS}\n{ROWS[2]},38,52,,,,,,,,",
           refused="1 rows with some landmarks and not all, the first photos/2.png"),
    Listed("some columns of landmarks", "path,subject,x1,y1\n" + f"{ROWS[0]},1,2", refused="no column x2, y2"),
    Listed("landmarks without the first column", f"path,subject,{COLUMNS[3:]}\n{ROWS[0]},{POINTS[3:]}",
           refused="no column x1"),
    Listed("landmarks with decimal commas", f'path,subject,{COLUMNS}\n{ROWS[0]},"38,3",{POINTS[3:]}',
           refused=r"column x1: got '38,3' in row 1 below the head; expected numbers with a decimal point"),
    Listed("landmarks that pandas cannot read and live", changed_point("1e3000000000"),
           refused="column x1: got '1e3000000000' in row 1 below the head; expected numbers with a decimal point"),
    Listed("landmarks without an end", changed_point("-inf"), refused="column x1: got '-inf' in row 1 below the head"),
    Listed("landmarks that are none, in words", changed_point("nan"), refused="column x1: got 'nan' in row 1"),
    Listed("landmarks as Python writes numbers", changed_point("1_0"), refused="column x1: got '1_0' in row 1"),
]  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    for number in range(4):
        path = tmp_path / "photos" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (112, 112, 3), dtype=np.uint8)
        assert cv2.imwrite(str(path), pixels)
    return tmp_path


@pytest.mark.parametrize("listed", TABLE, ids=lambda listed: listed.name)
def test_a_list_is_read_rightly_or_refused(listed, photos):
    table = photos / "list.csv"
    if callable(listed.content):
        table = listed.content(photos)
    else:
        content = listed.content.encode() if isinstance(listed.content, str) else listed.content
        table.write_bytes(content)
    if listed.refused:
        with pytest.raises(DataError, match=listed.refused) as caught:
            ListSource(table, ReadSettings(workers=1))
        assert "\n" not in str(caught.value)
        return
    report = Report()
    found = list(ListSource(table, ReadSettings(workers=1)).items(report))
    assert [face.subject for face in found] == list(listed.people)
    assert [face.source for face in found] == FILES
    assert len(report.notes) == bool(listed.told)
    assert not listed.told or listed.told in report.notes[0]


def test_a_path_that_really_ends_in_a_space_or_holds_a_backslash_stays(photos):
    for name in ("a.png ", "b\\c.png"):
        (photos / name).write_bytes((photos / "photos/0.png").read_bytes())
    (photos / "list.csv").write_text("path,subject\na.png ,1\nb\\c.png,2\n")
    report = Report()
    names = [face.source for face in ListSource(photos / "list.csv", ReadSettings(workers=1)).items(report)]
    assert names == ["a.png ", "b\\c.png"]
    assert report.notes == []


@pytest.mark.parametrize(
    "cells",
    [
        [Decimal("1.5"), None],
        [1.5, float("nan")],
        pd.array([1.5, None], dtype="Float64"),
        [b"1.5", b""],
        ["1.5", " "],
        pd.array(["1.5", None], dtype="string"),
        pd.array(["1.5", None], dtype="string[pyarrow]"),
    ],
)
def test_numbers_are_read_however_a_file_keeps_them(cells):
    found = numbers(pd.DataFrame({"x": cells}), ["x"], "list")
    np.testing.assert_array_equal(found, [[1.5], [np.nan]])


@pytest.mark.parametrize("cell", [np.array([1.0, 2.0]), [1.0], "x", Decimal("Infinity"), float("inf"), pd.Timestamp(0)])
def test_what_is_no_number_is_named_by_its_place(cell):
    rows = pd.DataFrame({"x": pd.Series([1.5, cell], dtype=object)})
    with pytest.raises(DataError, match=r"list, column x: got .* in row 2 below the head; expected numbers"):
        numbers(rows, ["x"], "list")
