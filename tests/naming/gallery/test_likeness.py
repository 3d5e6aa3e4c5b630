"""Two people under one name, and one under two."""

import numpy as np
import pytest

from lrface.naming.gallery.likeness import LOOK_ALIKE, look_alikes, parted, template_of


def unit(*rows):
    stacked = np.array(rows, dtype=np.float64)
    return stacked / np.linalg.norm(stacked, axis=1, keepdims=True)


def test_one_person_hangs_together_by_a_picture_between_two_that_are_far_apart():
    assert parted(unit((1, 0, 0), (0, 1, 0), (1, 1, 0)), 0.5) == [[0, 1, 2]]


def test_people_who_share_a_name_fall_apart_the_one_with_most_pictures_first():
    assert parted(unit((1, 0, 0), (0, 1, 0), (0.1, 1, 0), (0, 0, 1), (0.9, 0.1, 0), (0, 1, 0.1)), 0.5) == [
        [1, 2, 5],
        [0, 4],
        [3],
    ]


def test_one_picture_is_one_group():
    assert parted(unit((1, 0)), 1.0) == [[0]]


def test_people_who_look_alike_come_nearest_first():
    near = float(np.arccos(LOOK_ALIKE)) - 0.01
    rows = unit((1, 0, 0), (0, 0, 1), (np.cos(near), np.sin(near), 0), (1, 0.1, 0))
    found = look_alikes(dict(zip("abcd", rows, strict=True)))
    assert [pair[:2] for pair in found] == [("a", "d"), ("c", "d"), ("a", "c")]
    assert found[2][2] == pytest.approx(np.cos(near))


def test_a_template_is_of_unit_length():
    assert template_of(unit((1, 0), (0, 1))) == pytest.approx([0.5**0.5] * 2)
