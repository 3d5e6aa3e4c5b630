import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from lrface.errors import DataError
from lrface.images.alignment import (
    TEMPLATE,
    centre_square,
    resize,
    robust_similarity,
    similarity,
    similarity_error,
    warp,
    yaw,
)


def placed(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return TEMPLATE @ turn.T + [x, y]


@given(st.floats(0.2, 8), st.floats(-170, 170), st.floats(-50, 900), st.floats(-50, 900), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_similarity_agrees_with_skimage(scale, degrees, x, y, seed):
    points = placed(scale, degrees, x, y) + np.random.default_rng(seed).normal(0, 2 * scale, (5, 2))
    expected = SimilarityTransform.from_estimate(points, TEMPLATE).params[:2]
    np.testing.assert_allclose(similarity(points), expected, atol=1e-6)


def test_similarity_never_mirrors():
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(similarity(mirrored)[:, :2]) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 3.0), np.full((5, 2), np.nan)])
@pytest.mark.parametrize("fit", [similarity, robust_similarity])
def test_points_that_are_one_are_refused(points, fit):
    with pytest.raises(DataError, match="distinct points"):
        fit(points)


@given(st.integers(0, 4), st.floats(0.5, 4), st.floats(-40, 40))
@settings(max_examples=40, deadline=None)
def test_one_wrong_landmark_does_not_move_the_robust_fit(which, scale, degrees):
    points = placed(scale, degrees, 30, 40)
    expected = similarity(points)
    points[which] += [25 * scale, -20 * scale]
    np.testing.assert_allclose(robust_similarity(points), expected, atol=1e-6)
    assert np.abs(similarity(points) - expected).max() > 0.01


@pytest.mark.parametrize("seed", range(20))
def test_the_robust_fit_agrees_with_opencv(seed):
    generator = np.random.default_rng(seed)
    points = placed(2.2, generator.uniform(-20, 20), 40, 30) + generator.normal(0, 2, (5, 2))
    expected = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)[0]
    np.testing.assert_allclose(robust_similarity(points), expected, atol=1e-4)


def test_warping_by_nothing_changes_nothing(faces):
    assert np.array_equal(warp(faces[0], np.eye(2, 3)), faces[0])


def test_shrinking_averages_and_does_not_alias():
    stripes = np.zeros((896, 896, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    small = warp(stripes, np.eye(2, 3) / 8)[1:, 1:]
    assert small.std() < 1
    assert abs(float(small.mean()) - 127.5) < 3


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_shrinking_keeps_positions(factor):
    ramp = np.tile(np.linspace(0, 255, 112 * factor)[None, :, None], (112 * factor, 1, 3)).astype(np.uint8)
    half = (factor - 1) / 2 / factor
    matrix = np.array([[1 / factor, 0, -half], [0, 1 / factor, -half]])
    shrunk = warp(ramp, matrix).astype(int)
    expected = cv2.resize(ramp, (112, 112), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(shrunk - expected)[:, 1:-1].max() <= 1


def test_outside_repeats_the_border():
    grey = np.full((50, 50, 3), 90, dtype=np.uint8)
    assert (warp(grey, np.array([[1.0, 0, 30], [0, 1.0, 30]])) == 90).all()


def test_resize_averages_when_it_shrinks(faces):
    halves = np.repeat(np.repeat(faces[0], 2, axis=0), 2, axis=1)
    assert np.array_equal(resize(halves), faces[0])
    assert resize(faces[0, :16, :16]).shape == (112, 112, 3)
    assert np.array_equal(resize(faces[0]), faces[0])


def test_centre_square(faces):
    assert np.array_equal(centre_square(faces[0, :, 10:100]), faces[0, 11:101, 10:100])
    assert np.array_equal(centre_square(faces[0, 4:8]), faces[0, 4:8, 54:58])


@given(st.floats(-45, 45), st.floats(-30, 30), st.floats(0.3, 5))
@settings(max_examples=50, deadline=None)
def test_yaw_of_a_turned_head(degrees, roll, scale):
    face = np.array([[-1, -1.1, 0], [1, -1.1, 0], [0, 0, 1], [-0.8, 1.2, 0], [0.8, 1.2, 0]]) * 20
    turn, tilt = np.radians(degrees), np.radians(roll)
    seen = np.stack([face[:, 0] * np.cos(turn) + face[:, 2] * np.sin(turn), face[:, 1]], axis=1)
    upright = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    assert yaw(scale * seen @ upright.T + 100) == pytest.approx(degrees, abs=12)


def test_the_template_is_frontal():
    assert abs(yaw(TEMPLATE)) < 3


def test_the_error_of_a_similarity_is_that_of_its_matrix():
    points = TEMPLATE * 2.5 @ np.array([[0.8, -0.6], [0.6, 0.8]]) + 7
    points[2] += 4
    matrix = similarity(points)
    apart = points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE
    error, angle, scale = similarity_error(points)
    assert error == pytest.approx(np.sqrt((apart**2).sum(axis=1).mean()))
    assert angle == pytest.approx(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    assert scale == pytest.approx(np.sqrt(np.linalg.det(matrix[:, :2])))
    assert similarity_error(TEMPLATE) == pytest.approx((0, 0, 1))
