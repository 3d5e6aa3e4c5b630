import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from films import Blobs, drawn, scene
from lrface.data.faces.aligner import Aligner
from lrface.data.settings import AlignSettings, DetectorSettings
from lrface.errors import ConfigError, DataError
from lrface.evaluation.protocol.arms import bicubic
from lrface.models.edgeface.network import EdgeFace
from lrface.models.pair import Pair
from lrface.naming.asked import Asked
from lrface.naming.gallery.entry import Enrolled
from lrface.naming.gallery.file import FileGallery
from lrface.page import trial as module
from lrface.page.trial import Trial, rows_of


def brighter(vlr):
    return (bicubic(vlr) + 0.1).clamp(0, 1)


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    return Pair(EdgeFace("xxs").eval(), brighter, "a" * 64)


@pytest.fixture
def page(pair, tmp_path):
    return Trial(pair, bicubic, FileGallery(tmp_path / "g.parquet"), Aligner(AlignSettings()))


def save(folder, side, name="picture.png", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def test_a_picture_is_shrunk_and_brought_back_in_both_ways(page, tmp_path):
    shown = page.show(save(tmp_path, 112), 12, Asked(0.35))
    assert (shown.vlr.shape, shown.bicubic.shape, shown.sr.shape) == ((12, 12, 3), (112, 112, 3), (112, 112, 3))
    assert shown.sr.astype(int).mean() > shown.bicubic.astype(int).mean() + 10
    assert shown.matches == {}


def test_every_face_of_a_photograph_gets_a_box_and_a_row(pair, tmp_path):
    page = Trial(pair, bicubic, FileGallery(tmp_path / "g.parquet"), Aligner(AlignSettings()), crowd=Blobs())
    page.enrol([save(tmp_path, 112, "ann.png")], "Ann")
    image = scene([(drawn(0), 10, 10, 48), (drawn(1), 90, 20, 20)])
    Image.fromarray(image).save(tmp_path / "photo.png")

    shown = page.photograph(tmp_path / "photo.png", Asked(-1.0))

    assert [row[:2] for row in shown.rows] == [["1", "Ann"], ["2", "Ann"]]
    assert float(shown.rows[1][4]) == pytest.approx(20, abs=1)
    assert shown.note.startswith("2 faces")
    assert (shown.picture != image).any()


def test_a_photograph_needs_a_detector(page, tmp_path):
    with pytest.raises(ConfigError, match=r"overrides=detector\.weights=download"):
        page.photograph(save(tmp_path, 112), Asked())


def test_a_small_picture_stays_as_it_is(page, tmp_path):
    path = save(tmp_path, 10)
    assert np.array_equal(page.show(path, 32, Asked(0.35)).vlr, np.asarray(Image.open(path)))


def test_whom_each_way_takes_it_for(page, tmp_path):
    assert page.enrol([save(tmp_path, 112), save(tmp_path, 112, "b.png", 1)], "Ann") == Enrolled(2)
    assert page.enrol([tmp_path / "b.png"], "Ann") == Enrolled(2, again=1)
    rows = rows_of(page.show(tmp_path / "picture.png", 16, Asked(-1)).matches)
    assert [row[:2] for row in rows] == [["SR", "Ann"], ["bicubic", "Ann"], ["the picture itself", "Ann"]]
    assert all(row[3] == "-" for row in rows)
    (ann,) = page.people()
    page.remove(ann.key)
    assert page.people() == []
    assert rows_of(page.show(tmp_path / "picture.png", 16, Asked(-1)).matches)[0][1:4] == ["unknown", "-", "-"]


def test_a_photograph_without_a_detector_is_told_and_not_enrolled(page, tmp_path):
    path = save(tmp_path, 400)
    assert "got a photograph of 400x400, and no detector" in page.show(path, 16, Asked(0.35)).note
    with pytest.raises(DataError, match="got a photograph of 400x400"):
        page.enrol([path], "Ann")


@pytest.mark.real
def test_of_two_faces_one_is_shown_and_none_is_enrolled(pair, real_folder, tmp_path):
    """Somebody must not be enrolled with another one's face."""
    weights = str(real_folder / "weights" / "face_detection_yunet_2023mar.onnx")
    aligner = Aligner(AlignSettings(detector=DetectorSettings(weights=weights)))
    page = Trial(pair, bicubic, FileGallery(tmp_path / "g.parquet"), aligner)
    scene = Image.new("RGB", (420, 200), (128, 128, 128))
    for place, name in ((20, "img1.png"), (220, "img2.png")):
        scene.paste(Image.open(real_folder / "pairs" / name).resize((168, 168)), (place, 16))
    scene.save(tmp_path / "two.png")
    assert "2 faces, of which one was taken" in page.show(tmp_path / "two.png", 16, Asked(0.35)).note
    with pytest.raises(DataError, match="got 2 faces, of which one was taken; expected one face"):
        page.enrol([tmp_path / "two.png"], "Ann")


def test_what_is_not_accepted(page, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="size of a small face"):
        page.show(save(tmp_path, 112), 33, Asked(0.35))
    with pytest.raises(DataError, match="expected 1 to 20"):
        page.enrol([], "Ann")
    with pytest.raises(DataError, match="name of a person"):
        page.enrol([save(tmp_path, 112)], "")
    with pytest.raises(DataError, match="expected 8 or more"):
        page.show(save(tmp_path, 5), 16, Asked(0.35))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="got text \\('no picture'\\)"):
        page.show(tmp_path / "text.png", 16, Asked(0.35))
    monkeypatch.setattr(module, "MOST_PIXELS", 100)
    with pytest.raises(DataError, match="100 pixels or fewer"):
        page.show(save(tmp_path, 112), 16, Asked(0.35))
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="at most 100"):
        page.show(save(tmp_path, 112), 16, Asked(0.35))
    assert page.people() == []


def test_a_nearly_black_picture_is_told_and_not_enrolled(page, tmp_path):
    Image.fromarray(np.full((112, 112, 3), 7, np.uint8)).save(tmp_path / "dark.png")
    note = page.show(tmp_path / "dark.png", 16, Asked(0.35)).note
    assert note.endswith("; got one that is nearly black (mean level 7 of 255), as 12 bits in a file of 16 are")
    with pytest.raises(DataError, match=r"picture dark\.png: got one that is nearly black"):
        page.enrol([tmp_path / "dark.png"], "Ann")
    assert page.people() == []
