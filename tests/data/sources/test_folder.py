import re
import shutil

import cv2
import numpy as np
import pytest

from lrface.data.settings import AlignSettings, ReadSettings
from lrface.data.source import Report
from lrface.data.sources.folder import FolderSource
from lrface.errors import DataError
from lrface.images.reading.reader import BadImageError


def read(root, **settings):
    report = Report()
    return list(FolderSource(root, ReadSettings(**settings)).items(report)), report


@pytest.mark.parametrize("workers", [1, 3])
def test_faces_come_in_natural_order(write_folder, faces, workers):
    root = write_folder(counts=(12, 8))
    read_faces, report = read(root, workers=workers)
    assert [face.source for face in read_faces[:3]] == ["p0/1.png", "p0/2.png", "p0/3.png"]
    assert read_faces[11].source == "p0/12.png"
    assert [face.subject for face in read_faces] == ["p0"] * 12 + ["p1"] * 8
    assert np.array_equal(np.stack([face.pixels for face in read_faces]), faces)
    assert report.faces == 20
    assert report.alignment == {"as_is": 20}


def test_what_is_no_image_is_passed_over_and_noted(write_folder):
    root = write_folder()
    (root / "p0" / "notes.txt").write_text("hello")
    (root / "README").write_text("hello")
    (root / "p0" / ".DS_Store").write_bytes(b"x")
    (root / ".hidden").mkdir()
    read_faces, report = read(root)
    assert len(read_faces) == 20
    told = "files that are no pictures by their suffix were left out: 1 .txt (p0 1); 1 without suffix"
    assert report.notes == [told]


def test_folders_below_a_subject_belong_to_it(write_folder):
    root = write_folder(counts=(2, 1))
    (root / "p0" / "2019").mkdir()
    (root / "p0" / "1.png").rename(root / "p0" / "2019" / "1.png")
    assert [face.source for face in read(root)[0]] == ["p0/2.png", "p0/2019/1.png", "p1/1.png"]


def test_a_broken_image_stops_and_is_named(write_folder):
    root = write_folder()
    (root / "p1" / "3.png").write_bytes(b"")
    with pytest.raises(BadImageError, match=r"p1/3\.png: got an empty file.*on_bad_image=skip"):
        read(root)


def test_broken_images_are_skipped_counted_and_named(write_folder):
    root = write_folder()
    (root / "p1" / "3.png").write_bytes(b"")
    (root / "p2" / "1.png").write_bytes((root / "p2" / "1.png").read_bytes()[:400])
    read_faces, report = read(root, on_bad_image="skip")
    assert len(read_faces) == 18
    assert report.skipped() == {"broken": 1, "empty": 1}
    assert report.skipped_by_subject() == {"p1": 1, "p2": 1}
    assert [problem.source for problem in report.problems] == ["p1/3.png", "p2/1.png"]


def test_large_and_tiny_images(write_folder, faces):
    root = write_folder(counts=(1, 1))
    cv2.imwrite(str(root / "p0" / "1.png"), faces[0, :6, :6])
    with pytest.raises(BadImageError, match="6x6 pixels; expected 8 or more"):
        read(root)
    assert read(root, on_bad_image="skip")[1].skipped() == {"tiny": 1}
    assert read(root, on_bad_image="skip", max_pixels=1000)[1].skipped() == {"tiny": 1, "too_large": 1}


@pytest.mark.parametrize(
    ("mode", "shape", "method"),
    [
        ("auto", (60, 90), "centre"),
        ("centre", (90, 60), "centre"),
        ("none", (64, 64), "resized"),
        ("none", (112, 112), "as_is"),
    ],
)
def test_other_sizes(write_folder, faces, mode, shape, method):
    root = write_folder(counts=(1,))
    cv2.imwrite(str(root / "p0" / "1.png"), faces[0, : shape[0], : shape[1]])
    (face,), _ = read(root, align=AlignSettings(mode=mode))
    assert face.alignment == method
    assert (face.width, face.height) == (shape[1], shape[0])
    assert face.pixels.shape == (112, 112, 3)


def test_an_image_that_is_not_square_is_not_distorted(write_folder, faces):
    root = write_folder(counts=(1,))
    cv2.imwrite(str(root / "p0" / "1.png"), faces[0, :60])
    with pytest.raises(BadImageError, match="112x60 pixels; expected a square"):
        read(root, align=AlignSettings(mode="none"))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".ppm"])
def test_formats(write_folder, suffix):
    assert len(read(write_folder(counts=(2, 2), suffix=suffix))[0]) == 4


def test_a_missing_path(tmp_path):
    with pytest.raises(DataError, match="no such folder; expected a folder with images"):
        FolderSource(tmp_path / "none", ReadSettings())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="got a file"):
        FolderSource(tmp_path / "file", ReadSettings())


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="an empty folder; expected one folder per subject"):
        FolderSource(tmp_path, ReadSettings())
    (tmp_path / "1.png").write_text("")
    with pytest.raises(DataError, match="1 files and no folders"):
        FolderSource(tmp_path, ReadSettings())


def test_a_subject_without_images(write_folder):
    root = write_folder()
    (root / "p9").mkdir()
    with pytest.raises(DataError, match=r"subject p9.*an empty folder"):
        FolderSource(root, ReadSettings())
    (root / "p9" / "notes.txt").write_text("")
    with pytest.raises(DataError, match="a folder with 1 files and no images"):
        FolderSource(root, ReadSettings())


@pytest.mark.parametrize("other", ["P1", "p1 ", "\uff50\uff11"])
def test_a_subject_named_twice(write_folder, other):
    root = write_folder()
    (root / other).mkdir()
    shown = re.escape(other if other == "P1" else ascii(other))
    with pytest.raises(DataError, match=f"p1 and {shown}|{shown} and p1"):
        FolderSource(root, ReadSettings())


@pytest.mark.parametrize("names", [("train", "val"), ("Train", "test", "Validation")])
def test_folders_of_splits_are_no_people(write_folder, names):
    root = write_folder()
    for name, folder in zip(names, sorted(root.iterdir()), strict=False):
        folder.rename(root / name)
    for folder in root.glob("p*"):
        shutil.rmtree(folder)
    with pytest.raises(
        DataError, match=r"which are names of splits; expected .*SOURCE/PERSON/PICTURE; use .*split_folders"
    ):
        FolderSource(root, ReadSettings())
    (root / names[0]).rename(root / "ann")
    assert FolderSource(root, ReadSettings()).count() > 0


def test_the_description_names_no_place_of_this_machine(write_folder, tmp_path):
    assert str(tmp_path) not in str(FolderSource(write_folder(), ReadSettings()).describe())
