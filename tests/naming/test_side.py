"""How large a face really is, and the picture of it that the pair is to see."""

import cv2
import numpy as np
import pytest

from lrface.errors import DataError
from lrface.images.degradation.resample import brought_back
from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.images.ranges import to_float, to_uint8
from lrface.naming.namer import Namer
from lrface.naming.side import SLACK, sized

SIDE = 112


def drawn(seed: int = 1) -> np.ndarray:
    """A drawn face with the noise of a camera."""
    face = np.asarray(render(draw_identity(3, seed), draw_nuisance(3, seed, 0, 0.3)))
    return np.clip(face + np.random.default_rng(seed).normal(0, 3, face.shape), 0, 255).astype(np.uint8)


def small(side: int) -> np.ndarray:
    return np.asarray(cv2.resize(drawn(), (side, side), interpolation=cv2.INTER_AREA))


def enlarged(side: int) -> np.ndarray:
    return np.asarray(cv2.resize(small(side), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def test_an_enlarged_face_is_brought_back_to_its_side() -> None:
    (found,) = sized([enlarged(12)], estimate=True)
    assert found.pixels.shape[0] == round(SLACK * found.side)
    assert 8 <= found.side < 18
    assert found.came_as == SIDE
    assert found.note == f"came as 112 px and shows a face of about {found.side:.0f} px"


def test_a_large_face_and_a_small_one_stay_as_they_are() -> None:
    large, little = drawn(), small(16)
    for found, picture in zip(sized([large, little], estimate=True), (large, little), strict=True):
        assert found.pixels is picture
        assert (found.side, found.came_as, found.note) == (picture.shape[0], picture.shape[0], "")


def test_the_switch_leaves_every_picture_alone() -> None:
    picture = enlarged(12)
    (found,) = sized([picture], estimate=False)
    assert (found.pixels is picture, found.side) == (True, SIDE)


def test_a_side_that_is_known_needs_no_estimate() -> None:
    picture = enlarged(12)
    (kept,) = sized([picture], [12.0], estimate=False)
    assert (kept.pixels is picture, kept.side, kept.came_as) == (True, 12.0, 12.0)
    (found,) = sized([drawn()], [20.0], estimate=True)
    assert (found.pixels.shape[0], found.side) == (25, 20.0)


def test_what_bicubic_enlarged_comes_back_as_it_was() -> None:
    back = to_uint8(brought_back(to_float(enlarged(20)[None]), 20))[0]
    assert np.abs(back.astype(int) - small(20)).mean() < 1.5


def test_sides_and_pictures_are_as_many() -> None:
    with pytest.raises(DataError, match="1 sides"):
        sized([drawn(), drawn()], [12.0], estimate=True)


def test_names_are_given_at_the_threshold_for_the_side_that_was_found(pair, gallery, points) -> None:
    gallery.enrol({"ann": pair.embed(pair.restore([drawn()]))}, pair.weights)
    (named,) = Namer(pair, gallery, points, estimate_side=True).name([enlarged(12)])
    (plain,) = Namer(pair, gallery, points).name([enlarged(12)])
    assert named.side < 18
    assert plain.side == SIDE
    assert named.threshold < plain.threshold
