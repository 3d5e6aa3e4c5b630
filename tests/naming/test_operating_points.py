import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.errors import WeightsError
from lrface.naming.asked import Asked
from lrface.naming.operating_points import POINTS_NAME, read_points, write_points
from operating_points import WEIGHTS, known_points


def test_at_calibrated_places_it_is_what_was_calibrated(points):
    point = points.at(16, 100, Asked(fpir=0.01))
    assert point.threshold == pytest.approx(0.45)
    assert (point.low, point.high) == (pytest.approx(0.43), pytest.approx(0.47))
    assert (point.rate, point.kind, point.impostors, point.side) == (0.01, "fpir", 10_000, 16)
    assert points.at(8, 5, Asked(fmr=0.01)).threshold == pytest.approx(0.2)
    assert points.at(8, 5, Asked(fmr=0.01)).impostors == 1_000_000


def test_between_rates_and_galleries_it_is_a_line_in_logarithms(points):
    assert points.at(8, 32, Asked(fpir=0.03)).threshold == pytest.approx(
        0.2 + 0.1 * (np.log10(32) - np.log10(0.03) - 2)
    )


def test_a_larger_gallery_grows_by_the_measured_exponent(points):
    # -log(1 - FPIR) goes with N where nothing else was measured, and with its root at 112 pixels.
    independent = points.at(8, 200, Asked(fpir=0.01))
    assert independent.threshold == pytest.approx(points.at(8, 100, Asked(fpir=1 - 0.99**0.5)).threshold)
    dependent = points.at(112, 400, Asked(fpir=0.01))
    assert dependent.threshold == pytest.approx(points.at(112, 100, Asked(fpir=1 - 0.99**0.5)).threshold)


def test_too_few_are_said_and_nothing_is_guessed(points):
    point = points.at(8, 100, Asked(fpir=1e-4))
    assert point.rate is None
    assert point.threshold == pytest.approx(0.5)
    assert "too few: 10000 searches of 101 calibration people" in point.reason
    assert points.at(8, 1_000_000, Asked()).rate is None


def test_a_fixed_threshold_is_told_the_rate_that_it_stands_for(points):
    wanted = points.at(12, 100, Asked(fpir=0.004))
    assert points.at(12, 100, Asked(wanted.threshold)).rate == pytest.approx(0.004)
    assert points.at(12, 100, Asked(0.99)).rate is None


@given(
    st.floats(8, 112),
    st.floats(8, 112),
    st.integers(1, 100),
    st.integers(1, 100),
    st.floats(1e-3, 0.5),
    st.floats(1e-3, 0.5),
)
def test_it_is_monotone_in_size_gallery_and_rate(side, other, few, many, rare, often):
    points = known_points()
    side, other = sorted((side, other))
    few, many = sorted((few, many))
    rare, often = sorted((rare, often))
    at = points.at(side, few, Asked(fpir=often)).threshold
    assert at <= points.at(other, few, Asked(fpir=often)).threshold + 1e-9
    assert at <= points.at(side, many, Asked(fpir=often)).threshold + 1e-9
    assert at <= points.at(side, few, Asked(fpir=rare)).threshold + 1e-9


def test_it_comes_back_from_its_file_and_another_pair_s_is_refused(points, tmp_path):
    assert read_points(tmp_path) is None
    write_points(tmp_path, points)
    assert read_points(tmp_path, WEIGHTS, "none") == points
    with pytest.raises(WeightsError, match="points of recogniser aaaaaaaaaaaa"):
        read_points(tmp_path, "b" * 64)
    with pytest.raises(WeightsError, match="super-resolver"):
        read_points(tmp_path, WEIGHTS, "c" * 64)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: json.dumps({**json.loads(text), "sides": [8, 16]}),
        lambda text: json.dumps({**json.loads(text), "sides": [16, 8, 32, 112]}),
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: text.replace("0.5", "NaN"),
    ],
)
def test_a_broken_file_is_one_line(points, tmp_path, change):
    path = write_points(tmp_path, points)
    path.write_text(change(path.read_text()))
    with pytest.raises(WeightsError, match=POINTS_NAME):
        read_points(tmp_path)
