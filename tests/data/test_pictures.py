import numpy as np
import pytest
from PIL import Image

from lrface.data.pictures import read_pictures
from lrface.data.settings import CheckSettings, ReadSettings
from lrface.data.source import Report
from lrface.errors import DataError

CHECKS = CheckSettings()


def save(path, width, height=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height or width, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def test_small_faces_stay_and_larger_ones_are_aligned(tmp_path):
    small, face = save(tmp_path / "Ann" / "2.png", 16), save(tmp_path / "Ann" / "10.png", 112)
    save(tmp_path / "Bob" / "1.png", 260, 210)
    save(tmp_path / "top.png", 112)
    (tmp_path / "notes.txt").write_text("")

    found = read_pictures(tmp_path, ReadSettings(), CHECKS, Report())[0]

    assert [(item.name, item.person, item.pixels.shape[0]) for item in found] == [
        ("Ann/2.png", "Ann", 16),
        ("Ann/10.png", "Ann", 112),
        ("Bob/1.png", "Bob", 112),
        ("top.png", "", 112),
    ]
    assert np.array_equal(found[0].pixels, small)
    assert np.array_equal(found[1].pixels, face)
    (one,) = read_pictures(tmp_path / "Ann" / "2.png", ReadSettings(), CHECKS, Report())[0]
    assert (one.name, one.person) == ("2.png", "")


@pytest.mark.parametrize(("width", "height"), [(7, 7), (4, 100)])
def test_a_picture_that_is_too_small_stops_or_is_skipped_and_told(tmp_path, width, height):
    save(tmp_path / "1.png", width, height)
    with pytest.raises(DataError, match="expected 8 or more on each side"):
        read_pictures(tmp_path, ReadSettings(), CHECKS, Report())[0]
    report = Report()
    assert read_pictures(tmp_path, ReadSettings(on_bad_image="skip"), CHECKS, report) == ([], [])
    assert [problem.kind for problem in report.problems] == ["tiny"]


def test_nothing_to_read(tmp_path):
    with pytest.raises(DataError, match="no such path"):
        list(read_pictures(tmp_path / "none", ReadSettings(), CHECKS, Report()))
    with pytest.raises(DataError, match="no image in it"):
        read_pictures(tmp_path, ReadSettings(), CHECKS, Report())[0]


def test_a_bomb_is_not_decoded(tmp_path):
    save(tmp_path / "1.png", 200)
    with pytest.raises(DataError, match="10000 pixels or fewer"):
        read_pictures(tmp_path, ReadSettings(max_pixels=10_000), CHECKS, Report())
