"""How large an aligned face really is."""

import cv2
import numpy as np
import pytest

from lrface.errors import DataError
from lrface.images.degradation.enlargement import effective_sides, features_of
from lrface.images.procedural import draw_identity, draw_nuisance, render

SIDE = 112


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    """Drawn faces with the noise of a camera."""
    generator = np.random.default_rng(0)
    drawn = np.stack([np.asarray(render(draw_identity(3, seed), draw_nuisance(3, seed, 0, 0.3))) for seed in range(8)])
    return np.clip(drawn + generator.normal(0, 3, drawn.shape), 0, 255).astype(np.uint8)


def enlarged(face: np.ndarray, side: int, kernel: int) -> np.ndarray:
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=kernel))


@pytest.mark.parametrize("side", [10, 16, 24])
@pytest.mark.parametrize("kernel", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC], ids=["near", "line", "cube"])
def test_a_face_that_was_enlarged_is_as_small_as_it_was(faces: np.ndarray, side: int, kernel: int) -> None:
    found = effective_sides(np.stack([enlarged(face, side, kernel) for face in faces]))
    told = found < SIDE
    assert told.mean() >= 0.5
    assert abs(np.median(found[told]) / side - 1) < 0.4


def test_a_face_that_was_not_enlarged_is_as_large_as_it_is(faces: np.ndarray) -> None:
    assert effective_sides(faces).tolist() == [SIDE] * len(faces)


def test_a_soft_face_is_no_small_one(faces: np.ndarray) -> None:
    soft = np.stack([cv2.GaussianBlur(face, (0, 0), 1.5) for face in faces])
    assert effective_sides(soft).tolist() == [SIDE] * len(faces)


def test_one_face_is_measured_as_among_others(faces: np.ndarray) -> None:
    mixed = np.concatenate([faces[:2], [enlarged(faces[2], 12, cv2.INTER_CUBIC)]])
    apart = np.concatenate([effective_sides(mixed[row : row + 1]) for row in range(3)])
    np.testing.assert_allclose(effective_sides(mixed), apart, rtol=1e-4)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_is_measured_too(level: int) -> None:
    blank = np.full((1, SIDE, SIDE, 3), level, np.uint8)
    assert np.isfinite(features_of(blank)).all()
    assert effective_sides(blank).shape == (1,)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(DataError, match="n x 112"):
        effective_sides(np.zeros((1, 64, 64, 3), np.uint8))
    assert effective_sides(np.zeros((0, SIDE, SIDE, 3), np.uint8)).shape == (0,)
