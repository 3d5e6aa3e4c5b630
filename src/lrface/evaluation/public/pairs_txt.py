"""Pairs listed in a text file beside a folder of pictures: LFW's pairs.txt, and plain tables."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from lrface.data.files.tree import is_image, split_entries
from lrface.evaluation.public.pictures import Align, broken, read_bytes, read_faces
from lrface.evaluation.public.sets import PairSet

MAX_LIST_BYTES = 64 << 20
MAX_PICTURES = 100_000
FLAGS = {"1": True, "true": True, "1.0": True, "0": False, "false": False, "0.0": False}
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

Key = TypeVar("Key", tuple[str, int], Path)


def _lines(path: Path) -> list[str]:
    content = read_bytes(path, f"pairs {path}", MAX_LIST_BYTES)
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise broken(f"pairs {path}", "text that is not UTF-8", "UTF-8", "save it as UTF-8") from error


def _made(
    name: str,
    pairs: Sequence[tuple[Key, Key]],
    paths: dict[Key, Path],
    same: Sequence[bool],
    folds: int,
    align: Align | None,
    people: Sequence[str] | None = None,
) -> PairSet:
    if len(paths) > MAX_PICTURES:
        raise broken(f"pairs {name}", f"{len(paths):,} pictures", f"at most {MAX_PICTURES:,}", "split the list")
    place = {key: number for number, key in enumerate(paths)}
    first, second = (np.array([place[pair[side]] for pair in pairs]) for side in (0, 1))
    numbered = None if people is None else np.unique(np.array(people), return_inverse=True)[1]
    faces = read_faces(list(paths.values()), align)
    return PairSet(name, faces, first, second, np.array(same, bool), folds, numbered)


def _lfw_pair(line: str, number: int, path: Path) -> tuple[tuple[str, int], tuple[str, int]]:
    parts = line.split("\t") if "\t" in line else line.split()
    try:
        if len(parts) == 3:
            return (parts[0], int(parts[1])), (parts[0], int(parts[2]))
        if len(parts) == 4:
            return (parts[0], int(parts[1])), (parts[2], int(parts[3]))
    except ValueError:
        pass
    raise broken(
        f"{path}, line {number}", repr(line), "name, number, number or name, number, name, number", "mend the line"
    )


def _pictures_of(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The pictures in one folder, by their names without suffix."""
    if not folder.is_dir():
        return {}
    found: defaultdict[str, tuple[Path, ...]] = defaultdict(tuple)
    for path in split_entries(folder)[1]:
        if is_image(path):
            found[path.stem] += (path,)
    return found


def _picture_of(folder: Path, listed: dict[str, dict[str, tuple[Path, ...]]], name: str, number: int) -> Path:
    if Path(name).name == name and len(name.encode()) < 240:
        if name not in listed:
            listed[name] = _pictures_of(folder / name)
        found = listed[name].get(f"{name}_{number:04d}", ())
        if len(found) > 1:
            raise broken(f"pairs in {folder}", " and ".join(path.name for path in found), "one of them", "remove one")
        if found:
            return found[0]
    raise broken(
        f"pairs in {folder}", f"no picture {name}_{number:04d}", f"one in {name}/", "check the folder of the pictures"
    )


def read_lfw_pairs(
    pairs: Path, folder: Path, align: Align | None = None, name: str | None = None, notes: list[str] | None = None
) -> PairSet:
    """Reads LFW-style pairs.txt with a folder of name/name_0001.jpg.

    The first line gives the number of folds and, after it, of pairs of each kind per fold (or the latter alone,
    which is one fold, reported over ten).

    Args:
        pairs: The list.
        folder: The folder of the people's folders.
        align: Brings a photograph to 112 x 112; None where they are aligned already.
        name: What the set is called; None: as the list.
        notes: Told where the list holds other numbers than its first line promises; what is there is read.

    Raises:
        EvaluationError: A missing file, a line that is no pair, a picture that is absent or not 112 x 112.
    """
    lines = [line.strip() for line in _lines(pairs)]
    header, body = (lines[0].split() if lines else []), [line for line in lines[1:] if line]
    if not header or not all(field.isdecimal() and len(field) < 10 for field in header) or not body:
        raise broken(f"pairs {pairs}", repr(lines[:1]), "a first line with numbers, then pairs", "give LFW's pairs.txt")
    folds = int(header[0]) if len(header) > 1 else 10
    wanted = [_lfw_pair(line, number, pairs) for number, line in enumerate(body, start=2)]
    listed: dict[str, dict[str, tuple[Path, ...]]] = {}
    paths = {key: _picture_of(folder, listed, *key) for pair in wanted for key in pair}
    same = [one[0] == other[0] for one, other in wanted]
    if notes is not None:
        notes += [*_other_numbers(pairs.name, header, same), *_with_itself(pairs.name, wanted)]
    return _made(name or pairs.stem, wanted, paths, same, folds, align, [person for person, _ in paths])


def _with_itself(name: str, pairs: Sequence[tuple[object, object]]) -> list[str]:
    """Says how many pairs are of one picture, and so say nothing about a network."""
    count = sum(one == other for one, other in pairs)
    return [f"{name}: {count} of {len(pairs)} pairs are of a picture with itself, which every network gets right"] * (
        count > 0
    )


def _other_numbers(name: str, header: Sequence[str], same: Sequence[bool]) -> list[str]:
    """Says where the pairs of each kind are not as many as the first line promises, in all or in a fold."""
    folds, each = (int(header[0]), int(header[1])) if len(header) > 1 else (1, int(header[0]))
    genuine, wanted = sum(same), folds * each
    told = f"the first line of {name} promises {folds} x {each} pairs of each kind"
    if (genuine, len(same) - genuine) != (wanted, wanted):
        return [f"{told}; there are {genuine} of one person and {len(same) - genuine} of two, and these are read"]
    parts = [sum(same[start : start + 2 * each]) for start in range(0, len(same), 2 * each)]
    uneven = [number for number, part in enumerate(parts, start=1) if part != each]
    return [f"{told}; fold {uneven[0]} has {parts[uneven[0] - 1]} of one person"] if uneven else []


def read_pair_table(
    table: Path,
    folder: Path,
    align: Align | None = None,
    name: str | None = None,
    folds: int = 10,
    notes: list[str] | None = None,
) -> PairSet:
    """Reads a CSV of file, file, same (1 or 0), with or without a head line; paths start from the folder.

    A table says nothing about folds, and often has all genuine pairs first: both kinds are dealt out in turn, so that
    each fold has its share of both.

    Args:
        table: The CSV.
        folder: Where the pictures lie; none may lie outside it.
        align: Brings a photograph to 112 x 112; None where they are aligned already.
        name: What the set is called; None: as the table.
        folds: Number of folds.
        notes: Told what is read otherwise than it stands there.

    Raises:
        EvaluationError: A missing file, a line that is no pair, a picture that is absent or not 112 x 112.
    """
    wanted: list[tuple[Path, Path]] = []
    same: list[bool] = []
    ends = backslashes = decimals = 0
    base = folder.resolve()
    head = ""
    for number, row in enumerate(_rows(table), start=1):
        fields = [field.strip() for field in row]
        if len(fields) == 4 and not fields[3]:
            fields.pop()
            ends += 1
        if not any(fields):
            continue
        if any(_is_too_long(field) for field in fields):
            got = "a path longer than paths can be"
            raise broken(f"{table}, line {number}", got, "file,file,1 or 0", "mend the quotes")
        if not wanted and not head and fields[-1].lower() not in FLAGS and not _is_pair(fields, base):
            head = ",".join(row)
            _check_separator(table, head)
            continue
        if len(fields) != 3 or fields[2].lower() not in FLAGS:
            _check_separator(table, ",".join(row))
            got = repr(",".join(row)) + (f" under the head {head!r}" if head else "")
            raise broken(f"{table}, line {number}", got, "file,file,1 or 0", "mend the line, or the order of columns")
        paths = tuple(_picture_in(base, field) for field in fields[:2])
        for path, field in zip(paths, fields, strict=False):
            if not path.is_file() or not path.is_relative_to(base):
                remedy = "mend the line: paths start from that folder and have slashes"
                raise broken(f"{table}, line {number}", f"no picture {field}", f"one in {folder}", remedy)
            backslashes += "\\" in field and path.name != field.rpartition("/")[2]
        wanted.append((paths[0], paths[1]))
        same.append(FLAGS[fields[2].lower()])
        decimals += "." in fields[2]
    if not wanted:
        raise broken(f"pairs {table}", "no pair", "lines of file,file,1 or 0", "check the file")
    for count, words in (
        (ends, "lines end in a comma with nothing behind it, which was left out"),
        (backslashes, "paths have backslashes, which were read as slashes"),
        (decimals, "flags are written 1.0 or 0.0, and were read as 1 or 0"),
    ):
        if notes is not None and count:
            notes.append(f"{table.name}: {count} {words}")
    if notes is not None:
        notes += _with_itself(table.name, wanted)
    dealt = _dealt(same, folds)
    wanted, same = [wanted[place] for place in dealt], [same[place] for place in dealt]
    return _made(name or table.stem, wanted, {path: path for pair in wanted for path in pair}, same, folds, align)


def _rows(table: Path) -> Iterator[list[str]]:
    rows = csv.reader(_lines(table))
    try:
        yield from rows
    except csv.Error as error:  # as of a quote that does not end
        got = f"{error}"
        raise broken(f"{table}, line {rows.line_num}", got, "file,file,1 or 0", "mend the quotes before it") from error


def _is_too_long(field: str) -> bool:
    return len(field.encode()) > 4000 or any(len(part.encode()) > 255 for part in field.split("/"))


def _is_pair(fields: Sequence[str], base: Path) -> bool:
    """Whether a first line without a flag names pictures, so that it is a damaged pair and no head."""
    return any(field and (base / field).is_file() for field in fields)


def _picture_in(base: Path, field: str) -> Path:
    path = (base / field).resolve()
    if "\\" in field and not path.is_file():
        path = (base / field.replace("\\", "/")).resolve()
    return path


def _check_separator(table: Path, line: str) -> None:
    for sign, words in SEPARATORS.items():
        if line.count(sign) >= 2 and line.count(",") < 2:
            raise broken(f"pairs {table}", f"columns apart by {words} ({line[:80]!r})", "commas", "save it with commas")


def _dealt(same: Sequence[bool], folds: int) -> list[int]:
    """Orders pairs by fold: the first of each kind goes to the first fold, the second to the second, and so on."""
    seen = {True: 0, False: 0}
    fold = []
    for flag in same:
        fold.append(seen[flag] % folds)
        seen[flag] += 1
    return sorted(range(len(same)), key=lambda place: (fold[place], place))
