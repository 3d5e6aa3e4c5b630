"""Which kind of public set a path holds, and the set in it."""

from dataclasses import dataclass
from pathlib import Path

from lrface.data.files.tree import is_image, split_entries
from lrface.evaluation.public.insightface import read_verification_bin
from lrface.evaluation.public.low_resolution import read_survface, read_tinyface, survface_base, tinyface_base
from lrface.evaluation.public.pairs_txt import read_lfw_pairs, read_pair_table
from lrface.evaluation.public.people import read_people
from lrface.evaluation.public.pictures import Align, broken
from lrface.evaluation.public.sets import PairSet, PeopleSet, SearchSet
from lrface.evaluation.public.settings import Kind

LFW_LIST, TABLE_LIST = "pairs.txt", "pairs.csv"
KNOWN = (
    "a .bin of insightface or a folder of them, a folder with pairs.txt or pairs.csv, a list (.txt, .csv) with "
    "images=FOLDER, or the folder of TinyFace or SurvFace"
)


@dataclass(frozen=True)
class Found:
    """A set that was found but not read.

    Attributes:
        path: The file, or the folder.
        kind: What it is, never `auto`.
    """

    path: Path
    kind: Kind


def _kind_of(path: Path) -> Kind | None:
    if path.is_file():
        suffixes: dict[str, Kind] = {".bin": "bin", ".txt": "lfw", ".csv": "table"}
        return suffixes.get(path.suffix.lower())
    if (tinyface_base(path) / "Gallery_Match").is_dir():
        return "tinyface"
    if (survface_base(path) / "mated_probe").is_dir():
        return "survface"
    if (path / LFW_LIST).is_file():
        return "lfw"
    return "table" if (path / TABLE_LIST).is_file() else None


def find_sets(path: Path, kind: Kind = "auto") -> list[Found]:
    """Tells which sets a path holds: one, or each .bin of a folder.

    Raises:
        EvaluationError: Nothing is there, or nothing that is known.
    """
    if not path.exists():
        raise broken(f"public set {path}", "no such file or folder", KNOWN, "correct source")
    if kind in ("auto", "bin") and path.is_dir():
        bins = [entry for entry in split_entries(path)[1] if entry.suffix.lower() == ".bin"]
        if bins:
            return [Found(entry, "bin") for entry in bins]
    found = _kind_of(path) if kind == "auto" else kind
    if found is None:
        raise broken(f"public set {path}", "nothing that is known", KNOWN, "correct source, or say its kind")
    return [Found(path, found)]


def _list_and_folder(path: Path, listed: str, images: Path | None) -> tuple[Path, Path]:
    """Gives the list and the folder of its pictures: beside it, or in the one folder of folders that lies beside it."""
    pairs = path / listed if path.is_dir() else path
    if images is not None:
        return pairs, images
    beside = pairs.parent
    inner = [folder for folder in split_entries(beside)[0] if _holds_people(folder)]
    return pairs, inner[0] if len(inner) == 1 else beside


def _holds_people(folder: Path) -> bool:
    """Whether a folder holds folders of pictures, and no picture itself."""
    folders, others = split_entries(folder)
    return bool(folders) and not any(is_image(path) for path in others)


def read_set(
    found: Found, *, images: Path | None = None, align: Align | None = None, notes: list[str] | None = None
) -> PairSet | SearchSet | PeopleSet:
    """Reads a set.

    Args:
        found: As `find_sets` gives it.
        images: Folder of the pictures of a list; None: beside the list.
        align: Brings a photograph of a list to 112 x 112; None where faces are aligned already.
        notes: Gets what was left out.

    Raises:
        EvaluationError: It is not what it should be.
    """
    path = found.path
    if found.kind == "bin":
        return read_verification_bin(path)
    if found.kind in ("tinyface", "survface"):
        read = read_tinyface if found.kind == "tinyface" else read_survface
        return read(path, [] if notes is None else notes)
    if found.kind == "people":
        return read_people(path, [] if notes is None else notes, align)
    name = path.resolve().name if path.is_dir() else path.stem
    if found.kind == "lfw":
        pairs, folder = _list_and_folder(path, LFW_LIST, images)
        return read_lfw_pairs(pairs, folder, align, name, notes)
    table = path / TABLE_LIST if path.is_dir() else path
    return read_pair_table(table, images or table.parent, align, name, notes=notes)
