"""What people really have, and what comes of it: each kind ends in its own named error or counted skip.

Every line of the table spoils a folder of four people with five good pictures each and says what `prepare` makes of it:
where it stops, the line that a person reads; where it goes on, what is counted, and how many of the twenty are left.
After an error nothing is on disk but the source.
"""

import shutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, ReadSettings, SplitSettings
from lrface.data.sources.flat import FlatSource
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.layouts import PairsSource, SplitsSource
from lrface.data.sources.listed_table import ListSource
from lrface.data.sources.recordio import RecordSource
from lrface.errors import ConfigError, DataError

FRONTAL = AlignSettings(mode="landmarks", max_yaw=30)


@dataclass(frozen=True)
class Bad:
    """One kind of bad input.

    Attributes:
        name: What a person would call it.
        spoil: Makes it out of the good folder.
        error: What the error's line says; empty where `prepare` goes on.
        skipped: What is counted as skipped when told to skip; of kinds that are never skipped, empty.
        finding: What the checks report, where it goes on.
        left: How many faces are in the pack, where it goes on.
        source: Makes the source out of folder and settings.
        align: How it is aligned.
    """

    name: str
    spoil: Callable[[Path], object]
    error: str = ""
    skipped: dict[str, int] = field(default_factory=dict)
    finding: str = ""
    left: int = 20
    source: Callable[[Path, ReadSettings], object] = FolderSource
    align: AlignSettings = field(default_factory=AlignSettings)


def picture(root: Path, name: str = "p1/2.png") -> np.ndarray:
    return cv2.imread(str(root / name))


def put(pixels: np.ndarray, name: str = "p1/2.png") -> Callable[[Path], object]:
    return lambda root: cv2.imwrite(str(root / name), pixels)


def content(change: Callable[[bytes], bytes], name: str = "p1/2.png") -> Callable[[Path], object]:
    return lambda root: (root / name).write_bytes(change((root / name).read_bytes()))


def change(alter: Callable[[np.ndarray], np.ndarray], pattern: str = "p1/2.png") -> Callable[[Path], object]:
    return lambda root: [put(alter(picture(root, str(p))), str(p))(root) for p in sorted(root.glob(pattern))]


def copy(one: str, other: str, quality: int | None = None) -> Callable[[Path], object]:
    if quality is None:
        return lambda root: shutil.copy(root / one, root / other)
    return lambda root: cv2.imwrite(str(root / other), picture(root, one), [cv2.IMWRITE_JPEG_QUALITY, quality])


def bomb(root: Path) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    (root / "p1/2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")))


def floats(root: Path) -> None:
    Image.fromarray(np.full((112, 112), 812, np.float32)).save(root / "p1/2.tif")


def warm(root: Path, swapped: str) -> None:
    """Gives everybody skin, and some of them red and blue the wrong way round."""
    for path in sorted(root.glob("*/*.png")):
        pixels = np.repeat(picture(root, str(path))[..., :1], 3, axis=2).astype(int)
        pixels[30:80, 30:80] += np.array([-40, 0, 40] if not path.match(swapped) else [40, 0, -40])
        cv2.imwrite(str(path), np.clip(pixels, 0, 255).astype(np.uint8))


def parted(root: Path) -> None:
    """Two people in train, one in test, and one in both."""
    for split, people in (("train", "p0 p1 p3"), ("test", "p2 p3")):
        for person in people.split():
            shutil.copytree(root / person, root / split / person)
    for person in ("p0", "p1", "p2", "p3"):
        shutil.rmtree(root / person)
    (root / "train/p3/1.png").unlink()
    for number in range(2, 6):
        (root / f"test/p3/{number}.png").unlink()


def both_splits(root: Path) -> None:
    """One picture of a person in train and in val."""
    for split in ("train", "val"):
        (root / split).mkdir()
    for person in ("p0", "p1", "p2", "p3"):
        (root / person).rename(root / "train" / person)
        (root / "val" / person).mkdir()
        (root / "train" / person / "5.png").rename(root / "val" / person / "5.png")
    shutil.copy(root / "train/p0/1.png", root / "val/p0/9.png")


def listed(root: Path, rows: str) -> Path:
    (root / "list.csv").write_text(rows)
    return root / "list.csv"


def turned(root: Path) -> None:
    """Landmarks for all, and in one of them the nose far to the side."""
    names = ",".join(f"{axis}{number}" for number in range(1, 6) for axis in "xy")
    frontal, aside = "38,52,74,52,56,72,42,92,71,92", "38,52,74,52,90,72,42,92,71,92"
    rows = [path.relative_to(root) for path in sorted(root.glob("*/*.png"))]
    lines = [f"{path},{path.parent},{aside if place == 7 else frontal}" for place, path in enumerate(rows)]
    listed(root, "\n".join([f"path,subject,{names}", *lines]))


def loose(root: Path) -> None:
    """The pictures of four people side by side, without their folders."""
    for person in ("p0", "p1", "p2", "p3"):
        (root / person / "1.png").rename(root / f"{person}.png")
        shutil.rmtree(root / person)


def pairs(root: Path) -> None:
    for kind in ("hr_images", "vlr_images"):
        for person in ("p0", "p1", "p2", "p3"):
            shutil.copytree(root / person, root / kind / person)
    for path in (root / "vlr_images").glob("*/*.png"):
        cv2.imwrite(str(path), picture(root, str(path))[::7, ::7])
    for person in ("p0", "p1", "p2", "p3"):
        shutil.rmtree(root / person)
    (root / "vlr_images/p1/2.png").unlink()


def record(root: Path) -> None:
    whole = cv2.imencode(".png", picture(root))[1].tobytes()
    payload = struct.pack("<IfQQ", 0, 1.0, 0, 0) + whole
    (root / "train.rec").write_bytes(struct.pack("<II", 0xCED7230A, len(payload)) + payload[:200])


TABLE = [
    # files
    Bad("an empty file", content(lambda _: b""), r"p1/2\.png: got an empty file", {"empty": 1}, "skipped", 19),
    Bad("no image", content(lambda _: b"\1\2\3\4" + bytes(60)), "no known image format", {"broken": 1}, "skipped", 19),
    Bad("cut off", content(lambda whole: whole[:400]), "a damaged image", {"broken": 1}, "skipped", 19),
    Bad("a bit flipped", content(lambda whole: whole[:500] + bytes([whole[500] ^ 255]) + whole[501:]),
        "a damaged image", {"broken": 1}, "skipped", 19),
    Bad("a decompression bomb", bomb, "got far too many pixels; expected 50000000 pixels or fewer", {"too_large": 1},
        "skipped", 19),
    Bad("numbers that are no levels", floats, "floating-point", {"unsupported": 1}, "skipped"),
    Bad("a link to nothing", lambda root: listed(root, "path,subject\np0/1.png,a\np0/nothing.png,a\np1/1.png,b\n"),
        "No such file", {"unreadable": 1}, "skipped", 2, lambda root, read: ListSource(root / "list.csv", read)),
    Bad("tiny", put(np.full((6, 7, 3), 90, np.uint8)), "got 7x6 pixels; expected 8 or more", {"tiny": 1},
        "skipped", 19),
    Bad("not square where faces are said to be aligned", change(lambda one: one[:, :80]),
        "got 80x112 pixels; expected a square image", {"not_square": 1}, "skipped", 19,
        align=AlignSettings(mode="none")),
    # faces
    Bad("a head turned aside", turned, skipped={"not_frontal": 1}, finding="skipped", left=19,
        source=lambda root, read: ListSource(root / "list.csv", read), align=FRONTAL),
    Bad("no landmarks", lambda root: listed(root, "path,subject\np0/1.png,a\n"), "expected five landmarks",
        source=lambda root, read: ListSource(root / "list.csv", read), align=FRONTAL),
    Bad("one level everywhere", put(np.full((112, 112, 3), 90, np.uint8)), r"1 faces of one level: p1/2\.png"),
    Bad("small", change(lambda one: cv2.resize(one, (20, 20))), finding="small"),
    Bad("huge", put(np.zeros((4600, 4600, 3), np.uint8) + np.arange(4600, dtype=np.uint8)[:, None]), finding="huge",
        align=AlignSettings(mode="none")),
    Bad("grey among colour", change(lambda one: np.repeat(one[..., :1], 3, axis=2)), finding="grey_among_colour"),
    Bad("red and blue swapped", lambda root: warm(root, "*/*.png"), finding="bgr_suspected"),
    Bad("one person's red and blue swapped", lambda root: warm(root, "p2/*.png"), finding="bgr_suspected"),
    # people
    Bad("a person without images", lambda root: (root / "nobody").mkdir(), "subject nobody .* got an empty folder"),
    Bad("a person under two spellings", lambda root: shutil.copytree(root / "p1", root / "P1"), "P1 and p1"),
    Bad("a person with one image", lambda root: [(root / f"p1/{number}.png").unlink() for number in range(2, 6)],
        finding="single_image", left=16),
    Bad("the same picture under two people", copy("p0/1.png", "p1/9.png"),
        r"1 pairs of the same picture under two subjects: p0/1\.png = p1/9\.png"),
    Bad("nearly the same picture under two people", copy("p0/1.png", "p1/9.jpg", 80),
        r"1 pairs of nearly the same picture under two subjects: p0/1\.png = p1/9\.jpg"),
    Bad("the same picture twice", copy("p0/1.png", "p0/9.png"), finding="duplicate", left=21),
    Bad("a picture in two splits", both_splits, "the picture val/p0/9.png in recognition train and val",
        source=SplitsSource),
    Bad("a person in train and in test", parted,
        r"subject p3 in train \(train/p3/2\.png, .*\) and in test \(test/p3/1\.png\)", source=SplitsSource),
    # layouts
    Bad("no such folder", shutil.rmtree, "got no such folder"),
    Bad("images and no folders", loose, r"got 4 files and no folders \(4 \.png\); .* use the source `flat`"),
    Bad("names that name nobody", lambda root: None, "names in which the pattern finds no subject",
        source=FlatSource),
    Bad("a picture without its pair", pairs, r"1 images without their pair, the first p1/2", {"no_pair": 1},
        "skipped", 19, PairsSource),
    Bad("a list that names a file twice", lambda root: listed(root, "path,subject\np0/1.png,a\np0/1.png,b\n"),
        r"1 paths twice, the first p0/1\.png", source=lambda root, read: ListSource(root / "list.csv", read)),
    Bad("a record file that was cut off", record, "at byte 0: got an end in the middle of a record",
        source=lambda root, read: RecordSource(root / "train.rec", read)),
]  # fmt: skip


def run(bad: Bad, root: Path, out: Path, on_bad_image: str):
    read = ReadSettings(on_bad_image=on_bad_image, align=bad.align, workers=1)
    return prepare(bad.source(root, read), out, SplitSettings(), CheckSettings())


@pytest.mark.parametrize("bad", [bad for bad in TABLE if bad.error], ids=lambda bad: bad.name)
def test_it_ends_in_its_own_error_and_nothing_is_written(bad, write_folder, tmp_path):
    root = write_folder()
    bad.spoil(root)
    with pytest.raises((DataError, ConfigError), match=bad.error) as caught:
        run(bad, root, tmp_path / "out" / "pack", "raise")
    line = str(caught.value)
    assert "\n" not in line
    assert "got " in line
    assert "expected " in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("bad", [bad for bad in TABLE if bad.finding], ids=lambda bad: bad.name)
def test_it_is_counted_and_the_rest_becomes_a_pack(bad, write_folder, tmp_path):
    root = write_folder()
    bad.spoil(root)
    pack, summary = run(bad, root, tmp_path / "pack", "skip")
    assert len(pack) == bad.left
    assert summary.report.skipped() == bad.skipped
    assert bad.finding in {finding.kind for finding in summary.findings}
    found = next(finding for finding in summary.findings if finding.kind == bad.finding)
    assert found.examples, "the files are named"
    assert pack.info.made["summary"]["skipped"] == bad.skipped


def test_good_input_gives_neither(write_folder, tmp_path):
    pack, summary = run(Bad("", lambda root: None), write_folder(), tmp_path / "pack", "raise")
    assert len(pack) == 20
    assert summary.findings == ()


def test_the_table_is_as_long_as_it_should_be():
    assert len({bad.name for bad in TABLE}) == len(TABLE) >= 20
    assert all(bad.error or bad.finding for bad in TABLE)
