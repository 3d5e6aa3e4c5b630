"""What people have for folders, and what comes of it: who is the person, what is passed over, where links lead.

Every line changes a folder of four people with five pictures each, and says who is left with how many pictures, what is
told beside that, or the line in which it is refused. `prepare` and `gallery enrol` read it in the same way.
"""

import os
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from lrface.data.pictures import read_people, read_pictures
from lrface.data.prepare import prepare
from lrface.data.settings import CheckSettings, ReadSettings, SplitSettings
from lrface.data.source import Report
from lrface.data.sources.flat import FlatSource
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.layouts import PairsSource, SplitsSource
from lrface.errors import DataError

EVERYBODY = {"p0": 5, "p1": 5, "p2": 5, "p3": 5}
PNG = "p0/1.png"


def put(name: str, content: bytes = b"x") -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return change


def move(one: str, other: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / one).rename(root / other)

    return change


def link(name: str, to: str) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(to)

    return change


def both(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda root: [change(root) for change in changes]


def elsewhere(root: Path) -> None:
    """One person is a link to a folder outside."""
    shutil.move(root / "p3", root.parent / "elsewhere")
    (root / "p3").symlink_to(root.parent / "elsewhere")


def thumbnails(name: str) -> Callable[[Path], object]:
    """Pictures that a system made of pictures."""

    def change(root: Path) -> None:
        (root / name).mkdir(parents=True)
        shutil.copy(root / PNG, root / name / "thumb.png")

    return change


def two_forms(root: Path) -> None:
    """One person as macOS and as Linux write the name."""
    for form, person in (("NFC", "p0"), ("NFD", "p1")):
        (root / person).rename(root / unicodedata.normalize(form, "Zoë"))


@dataclass(frozen=True)
class Case:
    """One kind of folder.

    Attributes:
        name: What a person would call it.
        change: Makes it out of the good folder.
        people: Who is left with how many pictures, where it is read.
        told: What is said beside that.
        refused: What the refusal says; where it is read, empty.
        skipped: Problems by kind, where it is refused unless told to skip.
    """

    name: str
    change: Callable[[Path], object]
    people: dict[str, int] = field(default_factory=lambda: EVERYBODY)
    told: tuple[str, ...] = ()
    refused: str = ""
    skipped: dict[str, int] = field(default_factory=dict)


AGAIN = "links lead to folders that were read already, or that lie above, and were not followed: "
LEFT = "files that are no pictures by their suffix were left out: "
TABLE = [
    # who is the person
    Case("a folder per year below a person",
         both(move("p0/1.png", "p0/2023/1.png"), move("p1/1.png", "p1/2023/1.png"))),
    Case("everything far below a person", move("p0/1.png", "p0/a/b/c/d/1.png")),
    Case("pictures in capitals", move("p0/1.png", "p0/1.PNG")),
    Case("a folder that is called as a picture", move("p0/1.png", "p0/album.png/1.png")),
    Case("a picture beside the people", move("p0/1.png", "1.png"), {**EVERYBODY, "p0": 4},
         refused=r"1 images without a person's folder, the first 1\.png; expected SOURCE/PERSON/PICTURE",
         skipped={"no_person": 1}),
    Case("a name with a space behind it", move("p0", "p0 ")),
    # what systems leave
    Case("what macOS leaves beside each file", put("p0/._1.png", b"\0\5\x16\7")),
    Case("what macOS and Windows leave in each folder",
         both(*map(put, ("p0/.DS_Store", "p0/Thumbs.db", "desktop.ini")))),
    Case("an archive made on macOS", thumbnails("__MACOSX/p0")),
    Case("thumbnails of a Synology disk", thumbnails("p0/@eaDir/1.png")),
    Case("the bin of a network disk", thumbnails("#recycle/p0")),
    Case("a hidden folder", thumbnails(".picasaoriginals")),
    Case("what a notebook leaves", thumbnails("p0/.ipynb_checkpoints")),
    Case("a disk of its own", thumbnails("lost+found")),
    # other files
    Case("notes", both(put("p0/notes.txt"), put("README")), told=(LEFT + "1 .txt (p0 1); 1 without suffix",)),
    Case("pictures of a telephone", both(put("p0/a.HEIC"), put("p0/b.heic"), put("p2/c.heic"), put("p1/d.xmp")),
         told=(LEFT + "3 .heic (p0 2, p2 1); 1 .xmp (p1 1); .heic: export as JPEG or PNG to have them read",)),
    Case("a person with nothing but such", both(lambda root: shutil.rmtree(root / "p1"), put("p1/a.heic")),
         refused=r"subject p1 in .* got a folder with 1 files and no images \(1 \.heic\)"),
    Case("a person without anything", lambda root: (root / "nobody").mkdir(),
         refused="subject nobody .* an empty folder"),
    Case("a person with nothing but what macOS left",
         both(lambda root: shutil.rmtree(root / "p1"), put("p1/._1.png")),
         refused="subject p1 .* got a folder with nothing but hidden files"),
    Case("a pipe that is called as a picture", lambda root: os.mkfifo(root / "p0/9.png"),
         told=(LEFT + "1 no regular file (p0 1)",)),
    # links
    Case("a person who lies elsewhere", elsewhere),
    Case("two links to the folder that they are in", both(link("p2/a", "."), link("p2/b", ".")),
         told=(f"2 {AGAIN}p2/a, p2/b",)),
    Case("a link to all people", link("p2/all", ".."),
         told=(f"1 {AGAIN}p2/all",)),
    Case("a person who is all people", link("everybody", "."),
         told=(f"1 {AGAIN}everybody",)),
    Case("a link to a folder of the same person", both(move("p0/1.png", "p0/2023/1.png"), link("p0/album", "2023")),
         told=(f"1 {AGAIN}p0/album",)),
    Case("a link in a circle", both(link("p0/a/b", "../c"), link("p0/c/d", "../a")),
         told=(f"2 {AGAIN}p0/a/b, p0/c/d",)),
    Case("a person who is another by a link", link("p9", "p0"), refused="p9 of p9, which is p0 of p0 by a link"),
    Case("a link into another person's folder", both(move("p1/1.png", "p1/x/1.png"), link("p0/theirs", "../p1/x")),
         refused="p1/x of p1, which is p0/theirs of p0 by a link"),
    Case("a link to nothing", link("p0/9.png", "nowhere.png"), refused=r"p0/9\.png: got a file that cannot be read",
         skipped={"unreadable": 1}),
    Case("a link to itself", link("p0/9.png", "9.png"), refused=r"p0/9\.png: got a file that cannot be read",
         skipped={"unreadable": 1}),
    Case("links in a circle that lead nowhere", both(link("p0/a", "b"), link("p0/b", "a")),
         told=("2 links lead nowhere and were left out: p0/a, p0/b",)),
    Case("a person whose disk is not there", link("ann", "/no/such/disk/ann"),
         told=("1 links lead nowhere and were left out: ann",)),
    # two spellings of one name
    Case("one name in two cases", move("p1", "P0"), refused="P0 and p0; expected each subject under one name"),
    Case("one name with a space after it", move("p1", "p0 "), refused="p0 and 'p0 '"),
    Case("one name with two spaces in it", both(move("p1", "a b"), move("p2", "a  b")), refused="a  b and a b"),
    Case("one name, accents composed and not", two_forms, refused=r"'Zoe\\u0308' and Zoë"),
    Case("one name with a character that is not seen", move("p1", "p0\u200b"), refused=r"p0 and 'p0\\u200b'"),
    Case("one name in wide letters", move("p1", "\uff50\uff10"), refused=r"p0 and '\\uff50\\uff10'"),
    # one picture twice
    Case("one picture under two people", lambda root: shutil.copy(root / PNG, root / "p1/9.png"),
         refused=r"1 pairs of the same picture under two subjects: p0/1\.png = p1/9\.png"),
    Case("one picture under two people by a link", link("p1/9.png", "../p0/1.png"),
         refused=r"1 pairs of the same picture under two subjects: p0/1\.png = p1/9\.png"),
    Case("one picture of a person twice", lambda root: shutil.copy(root / PNG, root / "p0/9.png"),
         {**EVERYBODY, "p0": 6}, told=("1 pairs of the same picture of one subject",)),
]  # fmt: skip


def prepared(root: Path, on_bad_image: str) -> tuple[dict[str, int], list[str], dict[str, int]]:
    source = FolderSource(root, ReadSettings(on_bad_image=on_bad_image, workers=1))
    pack, summary = prepare(source, root.parent / "pack", SplitSettings(), CheckSettings())
    told = [*summary.report.notes, *(finding.message for finding in summary.findings)]
    return dict(Counter(pack.manifest["subject"])), told, summary.report.skipped()


def enrolled(root: Path, on_bad_image: str) -> tuple[dict[str, int], list[str], dict[str, int]]:
    report = Report()
    pictures, findings = read_people(root, ReadSettings(on_bad_image=on_bad_image, workers=1), CheckSettings(), report)
    told = [*report.notes, *(finding.message for finding in findings)]
    return dict(Counter(picture.person for picture in pictures)), told, report.skipped()


@pytest.mark.parametrize("read", [prepared, enrolled])
@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_folders_are_read_or_refused_alike_by_prepare_and_by_the_gallery(case, read, write_folder):
    root = write_folder()
    case.change(root)
    if case.refused:
        with pytest.raises(DataError, match=case.refused) as caught:
            read(root, "raise")
        assert "\n" not in str(caught.value)
    if case.skipped or not case.refused:
        people, told, skipped = read(root, "skip" if case.skipped else "raise")
        assert people == case.people
        assert skipped == case.skipped
        assert [line for line in told if "skipped as" not in line] == list(case.told)


def test_the_table_is_of_different_cases():
    assert len({case.name for case in TABLE}) == len(TABLE)


def test_a_folder_that_cannot_be_listed_is_one_line(write_folder, monkeypatch):
    root = write_folder()
    plain = os.scandir

    def refused(folder):
        if Path(folder).name == "p2":
            raise PermissionError(13, "Permission denied")
        return plain(folder)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"p2: got one that cannot be listed \(Permission denied\)"):
        FolderSource(root, ReadSettings())


def test_a_path_that_no_system_opens_is_one_short_line(write_folder, monkeypatch):
    root = write_folder()
    (root / "p0" / ("y" * 200)).mkdir()
    plain = os.scandir

    def refused(folder):
        if Path(folder).name.startswith("y"):
            raise OSError(36, "File name too long")
        return plain(folder)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"one that cannot be listed \(File name too long\)") as caught:
        FolderSource(root, ReadSettings())
    assert len(str(caught.value)) < 500


def test_the_pictures_of_a_link_are_named_by_it(write_folder):
    root = write_folder()
    elsewhere(root)
    faces = list(FolderSource(root, ReadSettings(workers=1)).items(Report()))
    assert [face.source for face in faces if face.subject == "p3"] == [f"p3/{number}.png" for number in range(1, 6)]


def test_probes_lie_in_any_folders(write_folder):
    root = write_folder(counts=(2, 1))
    move("p0/1.png", "1.png")(root)
    move("p0/2.png", "p0/2023/2.png")(root)
    link("p1/again", "..")(root)
    put("p1/a.heic")(root)
    report = Report()
    found = [
        (picture.name, picture.person) for picture in read_pictures(root, ReadSettings(), CheckSettings(), report)[0]
    ]
    assert found == [("1.png", ""), ("p0/2023/2.png", "p0"), ("p1/1.png", "p1")]
    assert report.notes == [
        LEFT + "1 .heic (p1 1); .heic: export as JPEG or PNG to have them read",
        f"1 {AGAIN}p1/again",
    ]


def test_other_layouts_tell_it_too(write_folder):
    flat = write_folder("flat")
    for change in (put("p0/a.heic"), put("._x.png"), link("p1/again", "..")):
        change(flat)
    report = Report()
    list(FlatSource(flat, ReadSettings(workers=1), "(?P<subject>p[0-9])/").items(report))
    assert report.faces == 20
    assert [line.partition(":")[0] for line in report.notes] == [
        LEFT.partition(":")[0],
        report.notes[1].partition(":")[0],
    ]
    assert "1 .heic (p0 1)" in report.notes[0]
    assert report.notes[1].endswith("p1/again")

    splits = write_folder("splits")
    for person, part in (("p0", "train"), ("p1", "train"), ("p2", "val"), ("p3", "test")):
        move(person, f"{part}/{person}")(splits)
    for change in (put("train/p0/a.heic"), move("train/p1/5.png", "train/5.png")):
        change(splits)
    with pytest.raises(DataError, match="1 images without a person's folder"):
        SplitsSource(splits, ReadSettings())
    report = Report()
    list(SplitsSource(splits, ReadSettings(workers=1, on_bad_image="skip")).items(report))
    assert report.notes == [f"train: {LEFT}1 .heic (p0 1); .heic: export as JPEG or PNG to have them read"]
    assert [problem.source for problem in report.problems] == ["train/5.png"]


def test_pairs_that_are_alike_but_for_their_suffix_are_refused(write_folder):
    root = write_folder()
    for kind in ("hr_images", "vlr_images"):
        for person in EVERYBODY:
            shutil.copytree(root / person, root / kind / person)
    shutil.copy(root / "hr_images/p0/1.png", root / "hr_images/p0/1.jpg")
    with pytest.raises(DataError, match=r"1\.jpg and 1\.png, which are one name without their suffix"):
        PairsSource(root, ReadSettings())


def test_small_faces_stay_small_for_the_gallery_alone(write_folder, faces):
    import cv2

    root = write_folder(counts=(1, 1))
    cv2.imwrite(str(root / "p0/1.png"), faces[0, :20, :20, ::-1])
    pictures, findings = read_people(root, ReadSettings(), CheckSettings(), Report())
    assert [picture.pixels.shape for picture in pictures] == [(20, 20, 3), (112, 112, 3)]
    assert np.array_equal(pictures[0].pixels, faces[0, :20, :20])
    assert {"small", "single_image"} <= {finding.kind for finding in findings}


def case(real_folder: Path, name: str, out: Path) -> Path:
    make = real_folder.parent / "cases" / "make.py"
    if not make.is_file():
        pytest.skip(f"no {make}, which makes these folders")
    subprocess.run([sys.executable, make, name, out], check=True)
    return out


@pytest.mark.real
@pytest.mark.parametrize("read", [prepared, enrolled])
def test_two_people_with_a_folder_of_the_same_name_each(read, real_folder, tmp_path):
    people, told, _ = read(case(real_folder, "nested", tmp_path / "case") / "gallery", "raise")
    assert people == {"ann": 4, "bob": 4}
    assert not any("left out" in line for line in told)


@pytest.mark.real
@pytest.mark.parametrize("read", [prepared, enrolled])
def test_a_folder_that_holds_itself(read, real_folder, tmp_path):
    people, told, _ = read(case(real_folder, "links", tmp_path / "case"), "raise")
    assert people == {f"p0{number}": 5 for number in range(1, 7)}
    assert f"2 {AGAIN}p02/link0, p02/link1" in told
