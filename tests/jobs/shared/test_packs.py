"""When a pack is taken and when it is made anew: what people do to a source, and what comes of it."""

import os
import runpy
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lrface.cli.context import Context
from lrface.cli.terminal.terminal import Terminal
from lrface.data.settings import (
    FlatData,
    FolderData,
    ListData,
    PairsData,
    ProceduralData,
    ReadSettings,
    SplitFoldersData,
    SplitSettings,
)
from lrface.errors import DataError
from lrface.images.settings import ProceduralSettings
from lrface.jobs.shared.packs import apart_data, data_digest, make_pack, recognition_data, rows_of_some_people

LONG_AGO = 1_600_000_000_000_000_000


class Lines(Terminal):
    """Keeps what is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told = []

    def line(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(tmp_path / "project", None, Lines(), torch.device("cpu"), {})


def picture(seed: int, side: int = 112) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(20, 236, (8, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def save(path: Path, seed: int, side: int = 112) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path.with_suffix(".bmp")), picture(seed, side))
    path.with_suffix(".bmp").rename(path)


def people(root: Path, below: str = "") -> Path:
    for person in range(4):
        for image in range(2):
            save(root / below / f"p{person}" / f"{image}.bmp", 10 * person + image)
    return root


def listed(root: Path) -> Path:
    people(root)
    rows = [f"p{person}/{image}.bmp,p{person}" for person in range(4) for image in range(2)]
    (root / "list.csv").write_text("\n".join(["path,subject", *rows]) + "\n")
    return root


def linked(root: Path) -> Path:
    people(root)
    for person in ("one", "other"):
        save(root.parent / "elsewhere" / person / "1.bmp", 77 + len(person))
    (root / "p4").symlink_to(root.parent / "elsewhere" / "one")
    return root


def paired(root: Path) -> Path:
    people(root, "hr_images")
    for path in sorted(root.glob("hr_images/*/*.bmp")):
        small = root / "vlr_images" / path.relative_to(root / "hr_images")
        save(small, sum(map(ord, str(small.name))), 16)
    return root


def splits(root: Path) -> Path:
    people(root, "train")
    save(root / "test" / "q" / "1.bmp", 99)
    return root


def flat(root: Path) -> Path:
    for person in range(4):
        save(root / f"00{person}_01_01_051_06.bmp", person)
    return root


KINDS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], object]]] = {
    "folder": (people, lambda root: FolderData(source=str(root))),
    "list": (listed, lambda root: ListData(source=str(root / "list.csv"))),
    "links": (linked, lambda root: FolderData(source=str(root))),
    "pairs": (paired, lambda root: PairsData(source=str(root))),
    "split_folders": (splits, lambda root: SplitFoldersData(source=str(root))),
    "flat": (flat, lambda root: FlatData(source=str(root))),
}


@dataclass(frozen=True)
class Change:
    """What somebody does to a source that has been packed.

    Attributes:
        what: In words.
        kind: The source.
        do: Does it.
        new: Whether there has to be a new pack.
    """

    what: str
    kind: str
    do: Callable[[Path], object]
    new: bool = True


def like_before(path: Path, seed: int, side: int = 112) -> None:
    """Another picture of the same size and time at the same inode, as `cp -p` leaves it."""
    before = path.stat()
    content = cv2.imencode(".bmp", picture(seed, side))[1].tobytes()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


def relink(root: Path) -> None:
    (root / "p4").unlink()
    (root / "p4").symlink_to(root.parent / "elsewhere" / "other")


def reorder(root: Path) -> None:
    head, *rows = (root / "list.csv").read_text().splitlines()
    (root / "list.csv").write_text("\n".join([head, *[row.replace(",p1", ",p9") for row in rows]]) + "\n")


TABLE = [
    Change("nothing", "folder", lambda root: None, new=False),
    Change("another picture, all of the file's marks kept", "folder", lambda root: like_before(root / "p1/0.bmp", 55)),
    Change("a listed picture is another one", "list", lambda root: like_before(root / "p1/0.bmp", 55)),
    Change("a listed picture is another one under its old time", "list",
           lambda root: (save(root / "p1/0.bmp", 55), os.utime(root / "p1/0.bmp", ns=(LONG_AGO, LONG_AGO)))),
    Change("a row of a list names another person", "list", reorder),
    Change("a picture more", "folder", lambda root: save(root / "p1/9.bmp", 55)),
    Change("a picture less", "folder", lambda root: (root / "p1/0.bmp").unlink()),
    Change("a person has another name", "folder", lambda root: (root / "p1").rename(root / "ann")),
    Change("two pictures change places", "folder", lambda root: (
        (root / "p1/0.bmp").rename(root / "x"), (root / "p2/0.bmp").rename(root / "p1/0.bmp"),
        (root / "x").rename(root / "p2/0.bmp"))),
    Change("a link leads elsewhere", "links", relink),
    Change("what a link leads to is another picture", "links",
           lambda root: save(root.parent / "elsewhere/one/1.bmp", 55)),
    Change("a small image of a pair is another one", "pairs",
           lambda root: like_before(root / "vlr_images/p1/0.bmp", 55, 16)),
    Change("a large image of a pair is another one", "pairs", lambda root: like_before(root / "hr_images/p1/0.bmp", 5)),
    Change("a picture of a split is another one", "split_folders", lambda root: like_before(root / "test/q/1.bmp", 5)),
    Change("a picture in a flat folder is another one", "flat",
           lambda root: like_before(root / "001_01_01_051_06.bmp", 55)),
    Change("macOS looks into the folder", "folder", lambda root: (root / "p1/.DS_Store").write_bytes(b"\0\0\0\1Bud1"),
           new=False),
    Change("macOS looks into the folder of a list", "list", lambda root: (root / ".DS_Store").write_bytes(b"Bud1"),
           new=False),
    Change("a note beside the pictures", "folder", lambda root: (root / "p1/readme.txt").write_text("mine"), new=False),
    Change("a picture that the list does not name", "list", lambda root: save(root / "p1/9.bmp", 55), new=False),
    Change("a file is touched", "folder", lambda root: os.utime(root / "p1/0.bmp"), new=False),
    Change("the folder is copied back from a backup", "folder", lambda root: (
        shutil.copytree(root, root.parent / "backup"), shutil.rmtree(root), (root.parent / "backup").rename(root)),
           new=False),
]  # fmt: skip


@pytest.mark.parametrize("change", TABLE, ids=lambda change: f"{change.kind}: {change.what}")
def test_a_pack_is_taken_or_made_anew(change, context, tmp_path):
    write, settings = KINDS[change.kind]
    root = write(tmp_path / "source")
    before, summary = make_pack(settings(root), context)
    assert summary is not None
    change.do(root)

    after, summary = make_pack(settings(root), context)

    assert (summary is not None) == change.new
    assert (after.root != before.root) == change.new
    assert (after.digest != before.digest) == change.new
    if not change.new:
        assert "is of the same files and settings, and is taken" in "".join(context.terminal.told)


@pytest.mark.parametrize(
    ("read", "new"),
    [({"min_side": 9}, True), ({"align": {"mode": "none"}}, True), ({"workers": 1}, False)],
    ids=["least side", "alignment", "threads"],
)
def test_how_it_is_read_counts_where_it_decides_about_faces(read, new, context, tmp_path):
    root = people(tmp_path / "source")
    before, _ = make_pack(FolderData(source=str(root)), context)
    after, _ = make_pack(FolderData(source=str(root), read=ReadSettings(**read)), context)
    assert (after.root != before.root) == new


def test_a_listed_picture_that_is_gone_is_an_error_or_counted(context, tmp_path):
    root = listed(tmp_path / "source")
    data = ListData(source=str(root / "list.csv"))
    make_pack(data, context)
    (root / "p2/1.bmp").unlink()
    with pytest.raises(DataError, match=r"p2/1\.bmp: got a file that cannot be read \(No such file"):
        make_pack(data, context)
    _, summary = make_pack(data.model_copy(update={"read": ReadSettings(on_bad_image="skip")}), context)
    assert summary.report.skipped() == {"unreadable": 1}


def test_what_was_found_is_told_again_when_the_pack_is_taken(context, tmp_path):
    root = people(tmp_path / "source")
    shutil.copy(root / "p1/0.bmp", root / "p1/8.bmp")
    for _ in range(2):
        context.terminal.told.clear()
        make_pack(FolderData(source=str(root)), context)
        assert [line for line in context.terminal.told if line.startswith("note: duplicate: ")]


def test_a_source_that_changes_while_it_is_read_is_no_pack(context, tmp_path, monkeypatch):
    root = people(tmp_path / "source")
    data = FolderData(source=str(root))
    plain = Terminal.progress

    def late(self, what):
        if what == "prepare":
            save(root / "p1/0.bmp", 55)
        return plain(self, what)

    monkeypatch.setattr(Lines, "progress", late)
    with pytest.raises(DataError, match="got files that changed while they were read"):
        make_pack(data, context)
    assert not context.packs.exists() or not list(context.packs.iterdir())


def test_a_damaged_pack_is_made_again(context, tmp_path):
    data = FolderData(source=str(people(tmp_path / "source")))
    before, _ = make_pack(data, context)
    digest = before.digest
    (before.root / "faces.npy").write_bytes(b"cut")
    after, summary = make_pack(data, context)
    assert summary is not None
    assert after.digest == digest
    assert any(line.startswith("prepare: made again, since it is damaged") for line in context.terminal.told)


def test_the_digest_of_a_source_follows_it(context, tmp_path):
    root = people(tmp_path / "source")
    data = FolderData(source=str(root))
    before = data_digest(data, context)
    assert data_digest(data, context) == before
    like_before(root / "p1/0.bmp", 55)
    assert data_digest(data, context) != before


def test_a_moved_source_of_a_moved_project_is_known_again(tmp_path, monkeypatch):
    for place in ("here", "there"):
        people(tmp_path / place / "photos")
    digests = []
    for place in ("here", "there"):
        monkeypatch.chdir(tmp_path / place)
        context = Context(tmp_path / place, None, Lines(), torch.device("cpu"), {})
        digests.append(data_digest(FolderData(source="photos"), context))
    assert digests[0] == digests[1]


@pytest.mark.real
def test_the_case_stale(context, real_folder, tmp_path):
    make = real_folder.parent / "cases" / "make.py"
    if not make.is_file():
        pytest.skip(f"no {make}")
    run_case(make, "stale", tmp_path / "case")
    data = ListData(source=str(tmp_path / "case" / "list.csv"))
    before, _ = make_pack(data, context)
    run_case(make, "stale-then", tmp_path / "case")
    after, _ = make_pack(data, context)
    row = list(after.manifest["source"]).index("p01/1.png")
    other = cv2.imread(str(sorted((real_folder / "faces_aligned" / "s9").glob("*.png"))[0]))[..., ::-1]
    assert np.array_equal(after.faces[row], other)
    assert not np.array_equal(before.faces[row], other)


def run_case(make: Path, name: str, out: Path) -> None:
    given, sys.argv = sys.argv, [str(make), name, str(out)]
    try:
        runpy.run_path(str(make), run_name="__main__")
    finally:
        sys.argv = given


@pytest.mark.parametrize(("each", "people", "most"), [(4, 500, 100), (9, 40, 20), (3, 2, 1), (50, 3, 60)])
def test_of_many_people_some_keep_all_their_rows(each, people, most):
    subjects = [f"person {place // each}" for place in range(each * people)]
    rows = np.arange(1000, 1000 + each * people)
    kept = rows_of_some_people(rows, subjects, most)
    counts = Counter(subjects[row - 1000] for row in kept)
    assert set(counts.values()) == {each}
    assert len(counts) >= 2
    assert len(kept) <= max(most, 2 * each)
    assert len(kept) >= min(most, each * people) - each


def test_rows_that_are_few_enough_stay():
    rows = np.array([3, 1, 2])
    assert rows_of_some_people(rows, ["b", "a", "b"], 3).tolist() == [3, 1, 2]


def drawn(context, subjects, images, **splits):
    data = ProceduralData(
        faces=ProceduralSettings(subjects=subjects, images_per_subject=images), splits=SplitSettings(**splits)
    )
    return make_pack(data, context)[0]


def test_people_apart_are_judged_by_and_not_trained_on(context):
    pack = drawn(context, 8, 5, val_subjects=3, test_subjects=2)
    data = apart_data(pack, 0, 100)
    trained, judged = set(pack.subjects(data.rows)), set(pack.subjects(pack.rows(superres="val")))
    assert (len(trained), len(judged)) == (3, 3)
    assert not trained & judged
    assert not (trained | judged) & set(pack.subjects(pack.rows(superres="test")))
    assert len(data.rows) == 3 * 5  # no image of theirs is kept back
    assert data.classes == 3
    assert len(data.validation.hr) == 3 * 5
    kept = recognition_data(pack, 0, 100)
    assert set(pack.subjects(kept.rows)) == trained | judged


def test_one_person_apart_judges_nothing(context):
    pack = drawn(context, 8, 5, val_subjects=1, test_subjects=2)
    with pytest.raises(DataError, match="val_people=known"):
        apart_data(pack, 0, 100)
