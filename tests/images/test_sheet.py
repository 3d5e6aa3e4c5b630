import numpy as np
import pytest

from lrface.errors import DataError
from lrface.images.sheet import GAP, LINE_HEIGHT, contact_sheet


def pictures(count: int) -> np.ndarray:
    """Plain pictures of 20 x 30, each in its own grey."""
    return np.stack([np.full((20, 30, 3), 10 + 20 * index, dtype=np.uint8) for index in range(count)])


def test_pictures_stand_row_by_row():
    sheet = contact_sheet(pictures(5), columns=3)
    assert sheet.dtype == np.uint8
    assert sheet.shape == (GAP + 2 * (20 + GAP), GAP + 3 * (30 + GAP), 3)
    for index in range(5):
        row, column = divmod(index, 3)
        y, x = GAP + row * (20 + GAP), GAP + column * (30 + GAP)
        assert (sheet[y : y + 20, x : x + 30] == 10 + 20 * index).all()
    assert (sheet[-GAP - 20 :, -GAP - 30 :] == 255).all()  # the sixth place is empty


def test_scale_repeats_pixels():
    picture = np.random.default_rng(0).integers(0, 255, (1, 4, 5, 3), dtype=np.uint8)
    sheet = contact_sheet(picture, columns=1, scale=3)
    inner = sheet[GAP : GAP + 12, GAP : GAP + 15]
    assert np.array_equal(inner[1::3, 1::3], picture[0])
    assert np.array_equal(inner[::3, ::3], picture[0])


def test_captions_of_several_lines_make_room_for_themselves():
    plain = contact_sheet(pictures(2), columns=2)
    captioned = contact_sheet(pictures(2), columns=2, titles=["one\ntwo", "x"])
    assert captioned.shape[0] == plain.shape[0] + 2 * LINE_HEIGHT
    below = captioned[GAP + 20 : -GAP]
    assert (below[:, : GAP + 30] < 128).any()
    assert (below[LINE_HEIGHT:, GAP + 30 + GAP :] > 250).all()  # "x" has no second line


def test_a_long_caption_stays_under_its_own_picture():
    sheet = contact_sheet(pictures(2), columns=2, titles=["a very long caption indeed", ""])
    assert (sheet[GAP + 20 :, GAP + 30 + GAP :] == 255).all()


def test_row_and_column_titles():
    plain = contact_sheet(pictures(4), columns=2)
    titled = contact_sheet(pictures(4), columns=2, row_titles=["bicubic", "HR"], column_titles=["a", "b\nc"])
    assert titled.shape[0] == plain.shape[0] + 2 * LINE_HEIGHT
    assert titled.shape[1] > plain.shape[1]
    added = titled.shape[1] - plain.shape[1]
    assert np.array_equal(titled[2 * LINE_HEIGHT + GAP :, added + GAP :], plain[GAP:, GAP:])
    assert (titled[:, :added] < 128).any()


@pytest.mark.parametrize(
    ("count", "layout"),
    [
        (0, {"columns": 2}),
        (2, {"columns": 0}),
        (2, {"columns": 1, "scale": 0}),
        (2, {"columns": 1, "titles": ["a"]}),
        (2, {"columns": 1, "row_titles": ["a"]}),
        (2, {"columns": 1, "column_titles": ["a", "b"]}),
    ],
)
def test_what_cannot_be_laid_out_is_refused(count, layout):
    empty = np.zeros((0, 20, 30, 3), dtype=np.uint8)
    with pytest.raises(DataError, match="contact sheet"):
        contact_sheet(pictures(count) if count else empty, **layout)
