"""The sources other than a folder of identities."""

import struct

import numpy as np
import pytest
from torchvision.datasets import CelebA, LFWPeople

from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, ReadSettings, SplitSettings
from lrface.data.source import Report
from lrface.data.sources.flat import FlatSource
from lrface.data.sources.layouts import PairsSource, SplitsSource
from lrface.data.sources.listed_table import ListSource
from lrface.data.sources.recordio import RecordSource, _agrees
from lrface.data.sources.torchvision_sets import CelebaSource, LfwSource
from lrface.errors import ConfigError, DataError
from lrface.images.alignment import TEMPLATE

from .examples import MAGIC, celeba, encoded, lfw, multi_pie, record, save, table, write_pairs, write_record

READ = ReadSettings(workers=1)
SKIP = ReadSettings(workers=1, on_bad_image="skip")


def read(source):
    report = Report()
    return list(source.items(report)), report


# flat folder


def test_flat_names_of_multi_pie(tmp_path, faces):
    multi_pie(tmp_path, faces)
    found, _ = read(FlatSource(tmp_path, READ))
    assert [face.subject for face in found] == ["001", "001", "002", "010"]
    assert np.array_equal(found[3].pixels, faces[3])


def test_flat_names_by_another_pattern(tmp_path, faces):
    save(tmp_path / "2019" / "IMG-alice-1.png", faces[0])
    save(tmp_path / "2019" / "IMG-bob-1.png", faces[1])
    source = FlatSource(tmp_path, READ, r"IMG-(?P<subject>\w+)-\d+$")
    assert [face.subject for face in read(source)[0]] == ["alice", "bob"]
    assert source.describe()["pattern"].startswith("IMG-")


def test_flat_names_without_a_subject(tmp_path, faces):
    multi_pie(tmp_path, faces)
    save(tmp_path / "holiday.png", faces[5])
    with pytest.raises(DataError, match=r"1 names .* the first holiday\.png"):
        FlatSource(tmp_path, READ)
    found, report = read(FlatSource(tmp_path, SKIP))
    assert len(found) == 4
    assert report.skipped() == {"unnamed": 1}


@pytest.mark.parametrize(("pattern", "message"), [("(", "expected a regular expression"), (r"(\d+)", "a group")])
def test_flat_patterns_that_cannot_be_used(tmp_path, faces, pattern, message):
    multi_pie(tmp_path, faces)
    with pytest.raises(ConfigError, match=message):
        FlatSource(tmp_path, READ, pattern)


def test_flat_folder_without_images(tmp_path):
    with pytest.raises(DataError, match="no images"):
        FlatSource(tmp_path, READ)


# list


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_list(tmp_path, faces, suffix):
    rows = table(tmp_path, faces, superres=["train", "train", "", "test"])
    path = tmp_path / f"list.{suffix}"
    rows.to_csv(path, index=False) if suffix == "csv" else rows.to_parquet(path)
    found, _ = read(ListSource(path, READ))
    assert [face.subject for face in found] == ["007", "007", "NA", "b"]
    assert [face.superres for face in found] == ["train", "train", None, "test"]
    assert np.array_equal(found[2].pixels, faces[2])


def test_a_list_with_landmarks_and_another_root(tmp_path, faces):
    names = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]
    rows = table(tmp_path, faces)
    rows[names] = TEMPLATE.ravel()
    rows.loc[3, names] = None
    (tmp_path / "lists").mkdir()
    rows.to_csv(tmp_path / "lists" / "list.csv", index=False)
    source = ListSource(tmp_path / "lists" / "list.csv", READ, root=tmp_path)
    assert [face.alignment for face in read(source)[0]] == ["landmarks"] * 3 + ["as_is"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="subject"), "no column subject"),
        (lambda rows: rows.iloc[:0], "no rows"),
        (lambda rows: rows.assign(path="photos/0.png"), r"3 paths twice, the first photos/0\.png"),
        (lambda rows: rows.assign(subject=["a", "A", "b", "c"]), "A and a"),
        (lambda rows: rows.assign(subject=["a", " ", "b", "c"]), "an empty subject in row 2"),
        (lambda rows: rows.assign(x1=1), "no column y1"),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, faces, change, message):
    change(table(tmp_path, faces)).to_csv(tmp_path / "list.csv", index=False)
    with pytest.raises(DataError, match=message):
        ListSource(tmp_path / "list.csv", READ)


def test_a_list_that_is_none(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        ListSource(tmp_path / "list.csv", READ)
    (tmp_path / "list.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="no table"):
        ListSource(tmp_path / "list.parquet", READ)
    (tmp_path / "list.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no table"):
        ListSource(tmp_path / "list.csv", READ)


def test_a_listed_file_that_is_missing(tmp_path, faces):
    rows = table(tmp_path, faces)
    rows.loc[1, "path"] = "photos/none.png"
    rows.to_csv(tmp_path / "list.csv", index=False)
    assert read(ListSource(tmp_path / "list.csv", SKIP))[1].skipped() == {"unreadable": 1}


# the layout with splits


def test_disjoint_people_prescribe_the_superres_split(tmp_path, faces):
    for number, place in enumerate(["train/a", "train/b", "val/c", "test/d"]):
        save(tmp_path / "frontal_only" / place / "1.png", faces[number])
    found, _ = read(SplitsSource(tmp_path / "frontal_only", READ))
    assert [(face.subject, face.superres, face.recognition) for face in found] == [
        ("a", "train", None), ("b", "train", None), ("c", "val", None), ("d", "test", None)
    ]  # fmt: skip


def test_people_in_train_and_val_prescribe_the_recognition_split(tmp_path, faces):
    for number in range(12):
        person, part = number // 3, "val" if number % 3 == 2 else "train"
        save(tmp_path / "frontal_only" / part / f"p{person}" / f"{number}.png", faces[number])
    save(tmp_path / "frontal_only" / "test" / "q" / "1.png", faces[12])
    source = SplitsSource(tmp_path / "frontal_only", READ)
    pack, _ = prepare(source, tmp_path / "pack", SplitSettings(val_subjects=1), CheckSettings())
    people = pack.manifest[pack.manifest["subject"] != "q"]
    assert people["recognition"].value_counts().to_dict() == {"train": 8, "val": 4}
    assert people["superres"].value_counts().to_dict() == {"train": 9, "val": 3}
    assert pack.manifest["superres"].tolist()[-1] == "test"


def test_people_in_train_and_test_are_unsound(tmp_path, faces):
    save(tmp_path / "frontal_only" / "train" / "a" / "1.png", faces[0])
    save(tmp_path / "frontal_only" / "test" / "a" / "2.png", faces[1])
    source = SplitsSource(tmp_path / "frontal_only", READ)
    with pytest.raises(DataError, match=r"subject a in train \(train/a/1\.png\) and in test \(test/a/2\.png\)"):
        prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings())
    pack, _ = prepare(source, tmp_path / "pack", SplitSettings(keep_given=False), CheckSettings())
    assert set(pack.manifest["superres"]) == {"train"}


def test_a_layout_without_splits(tmp_path, faces):
    save(tmp_path / "train" / "a" / "1.png", faces[0])
    with pytest.raises(DataError, match="got the splits train"):
        SplitsSource(tmp_path, READ)
    with pytest.raises(DataError, match="no folder train, val or test"):
        SplitsSource(tmp_path / "train", READ)


def test_splits_of_images_without_folders(tmp_path, faces):
    for number, name in enumerate(["train/001_01_01_051_06", "train/002_01_01_051_06", "test/003_01_01_051_06"]):
        save(tmp_path / f"{name}.png", faces[number])
    found, _ = read(SplitsSource(tmp_path, READ))
    assert [(face.subject, face.superres) for face in found] == [("001", "train"), ("002", "train"), ("003", "test")]
    with pytest.raises(DataError, match="finds no subject"):
        SplitsSource(tmp_path, READ, r"person(?P<subject>\d)")


# the layout with pairs


@pytest.mark.parametrize("by_folder", [False, True])
def test_pairs_give_vlr_images(tmp_path, faces, by_folder):
    write_pairs(tmp_path / "lab_processed", faces, by_folder)
    source = PairsSource(tmp_path / "lab_processed", READ)
    pack, _ = prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings())
    assert pack.manifest["subject"].tolist() == ["001", "001", "002"]
    assert np.array_equal(pack.vlr, faces[:3, ::7, ::7])


def test_pairs_in_folders_named_after_splits(tmp_path, faces):
    write_pairs(tmp_path / "train_processed", faces)
    save(tmp_path / "test_processed" / "hr_images" / "003_01_01_051_00.png", faces[5])
    save(tmp_path / "test_processed" / "vlr_images" / "003_01_01_051_00.png", faces[5, ::7, ::7])
    found, _ = read(PairsSource(tmp_path, READ))
    assert [(face.subject, face.superres) for face in found] == [
        ("003", "test"), ("001", "train"), ("001", "train"), ("002", "train")
    ]  # fmt: skip
    assert found[0].source == "test_processed/hr_images/003_01_01_051_00.png"


def test_a_folder_without_pairs(tmp_path):
    with pytest.raises(DataError, match=r"folder of images .*hr_images: got no such folder"):
        PairsSource(tmp_path, READ)


def test_pairs_of_which_one_is_missing(tmp_path, faces):
    write_pairs(tmp_path, faces)
    (tmp_path / "vlr_images" / "001_01_01_051_01.png").unlink()
    with pytest.raises(DataError, match="1 images without their pair, the first 001_01_01_051_01"):
        PairsSource(tmp_path, READ)
    found, report = read(PairsSource(tmp_path, SKIP))
    assert len(found) == 2
    assert report.skipped() == {"no_pair": 1}


def test_pairs_that_cannot_be_used(tmp_path, faces):
    write_pairs(tmp_path, faces)
    with pytest.raises(DataError, match="in which the pattern finds no subject"):
        PairsSource(tmp_path, READ, r"person(?P<subject>\d)")
    save(tmp_path / "vlr_images" / "002_01_01_051_02.png", faces[2, :16, :12])
    assert read(PairsSource(tmp_path, SKIP))[1].skipped() == {"vlr_not_square": 1}
    for path in (tmp_path / "vlr_images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="none have the same name"):
        PairsSource(tmp_path, READ)


# record files


@pytest.mark.parametrize("header", [True, False])
def test_a_record_file_reads_back_exactly(tmp_path, faces, header):
    labels = write_record(tmp_path / "set", faces, header)
    source = RecordSource(tmp_path / "set", READ)
    found, _ = read(source)
    assert source.count() == 6
    assert [face.subject for face in found] == list(map(str, labels))
    assert np.array_equal(np.stack([face.pixels for face in found]), faces[:6])


@pytest.mark.parametrize(
    ("header", "people", "lines", "note"),
    [
        ((7, 10), 3, 10, ""),
        ((6, 9), 3, 9, "the header of train.rec promises 5 images, and there are 6, which were read"),
        ((8, 11), 3, 11, "the header of train.rec promises 7 images, and there are 6, which were read"),
        ((60, 63), 3, 63, "the header of train.rec promises 59 images, and there are 6, which were read"),
        ((7, 10), 3, 4, "train.idx names 4 records, and the header of train.rec 10"),
        ((7, 10), 0, 7, "train.rec ends without its list of people: it may have been cut off"),
        ((7, 7), 0, 7, ""),
        (None, 0, 6, ""),
        (None, 0, 5, "train.idx promises 5 images, and there are 6, which were read"),
        (None, 0, None, ""),
    ],
)
def test_what_promises_a_number_holds_it_or_is_told(tmp_path, faces, header, people, lines, note):
    """What is there is read, all of it."""
    records = [record([float(value) for value in header])] if header else []
    records += [record([float(number // 2), 0.0], encoded(faces[number])) for number in range(6)]
    records += [record([1.0 + 2 * person, 3.0 + 2 * person]) for person in range(people)]
    (tmp_path / "train.rec").write_bytes(b"".join(records))
    if lines is not None:
        (tmp_path / "train.idx").write_text("0\t0\n" * lines)
    found, report = read(RecordSource(tmp_path, READ))
    assert len(found) == 6
    assert np.array_equal(np.stack([face.pixels for face in found]), faces[:6])
    assert (note in report.notes) if note else report.notes == []


def test_float32_holds_no_odd_number_above_16777216():
    for images in (17_091_657, 16_777_217, 33_554_435):
        assert _agrees(images, float(np.float32(images + 1)) - 1)
    assert not _agrees(17_091_650, float(np.float32(17_091_658)) - 1)
    assert not _agrees(16_777_000, 16_777_001.0)


def test_an_empty_image_is_not_the_list_of_people(tmp_path, faces):
    records = [record([4.0, 5.0]), record([0.0, 0.0], encoded(faces[0])), record([0.0, 0.0])]
    records += [record([1.0, 0.0], encoded(faces[1])), record([1.0, 4.0])]
    (tmp_path / "train.rec").write_bytes(b"".join(records))
    found, report = read(RecordSource(tmp_path, SKIP))
    assert len(found) == 2
    assert report.skipped() == {"empty": 1}
    assert report.notes == []


def test_an_image_that_holds_the_magic_number(tmp_path, faces):
    tail = encoded(faces[0]) + struct.pack("<I", MAGIC) + b"abc" + struct.pack("<I", MAGIC)
    (tmp_path / "train.rec").write_bytes(record(3, tail) + record(4, encoded(faces[1])))
    found, _ = read(RecordSource(tmp_path / "train.rec", READ))
    assert [face.subject for face in found] == ["3", "4"]
    assert np.array_equal(found[0].pixels, faces[0])


def test_a_record_with_a_broken_image_is_skipped(tmp_path, faces):
    (tmp_path / "train.rec").write_bytes(record(3, encoded(faces[0])[:300]) + record(4, encoded(faces[1])))
    found, report = read(RecordSource(tmp_path / "train.rec", SKIP))
    assert len(found) == 1
    assert report.problems[0].source == "3/0"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "an end in the middle of a record"),
        (lambda content: content[:3], "no record where one should begin"),
        (lambda content: b"", "an empty file"),
        (lambda content: b"PK\x03\x04" + content[4:], "no record where one should begin"),
        (lambda content: content[: len(record([7.0, 10.0]))], "an end after 0 of 6 images"),
        (lambda content: struct.pack("<II", MAGIC, 2 << 29 | 4) + bytes(4), "out of order"),
        (lambda content: struct.pack("<II", MAGIC, 4) + bytes(4), "a record of 4 bytes"),
        (lambda content: struct.pack("<II", MAGIC, (1 << 29) - 1), "a record of 536870911 bytes"),
        (lambda content: record([float("nan"), 1.0]), "a label that is no number"),
        (lambda content: record([0.5, 1.0]), r"a person numbered 0\.5"),
    ],
)
def test_damaged_record_files(tmp_path, faces, damage, message):
    write_record(tmp_path, faces)
    path = tmp_path / "train.rec"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        read(RecordSource(path, READ))


def test_a_missing_record_file(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        RecordSource(tmp_path, READ)


# sets that torchvision knows; its checks of hashes are passed over, as the files here are made up


def test_lfw(tmp_path, faces, monkeypatch):
    monkeypatch.setattr(LFWPeople, "_check_integrity", lambda self: True)
    lfw(tmp_path, faces)
    found, _ = read(LfwSource(tmp_path, READ))
    assert [face.subject for face in found] == ["Ann_Bee", "Ann_Bee", "Cy_Dee"]
    assert found[0].source == "lfw-py/lfw_funneled/Ann_Bee/Ann_Bee_0001.jpg"


def test_celeba(tmp_path, faces, monkeypatch):
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    celeba(tmp_path, faces)
    source = CelebaSource(tmp_path, ReadSettings(workers=1, align=AlignSettings(mode="landmarks")))
    found, report = read(source)
    people = [("10", "train"), ("11", "val"), ("12", "test")]
    assert [(face.subject, face.superres) for face in found] == [person for person in people for _ in range(2)]
    assert report.alignment == {"landmarks": 6}
    assert source.count() == 6


@pytest.mark.parametrize("source", [LfwSource, CelebaSource])
def test_sets_that_are_not_there(tmp_path, source):
    with pytest.raises(DataError, match="expected the files as torchvision"):
        source(tmp_path, READ)
