import numpy as np
import pytest

from lrface.errors import DataError
from lrface.naming.asked import Asked
from lrface.naming.calibration import CalibrationFaces, Origin, calibrate
from lrface.naming.gallery.place import gallery_at
from lrface.naming.namer import Namer

from .conftest import face

ORIGIN = Origin("a" * 64, "none", "p" * 64, "clean")
WIDTH = 24


def people(count, seed, pictures=3, sides=(8.0, 16.0, 32.0)):
    """Faces whose embeddings are noisier the smaller they are, and lean towards a common one."""
    rng = np.random.default_rng(seed)
    centre = np.eye(WIDTH)[0]

    def unit(values):
        return values / np.linalg.norm(values, axis=-1, keepdims=True)

    own = unit(rng.normal(size=(count, WIDTH)) + 0.8 * centre)
    subjects = np.repeat(np.arange(count), pictures)
    probes = {
        side: unit(own[subjects] + (2.5 / side**0.5) * unit(rng.normal(size=(len(subjects), WIDTH)))).astype(np.float32)
        for side in sides
    }
    return CalibrationFaces(own.astype(np.float32), probes, subjects)


@pytest.fixture(scope="module")
def calibrated():
    return calibrate(people(300, 0), ORIGIN)


def had(faces, side, threshold, gallery, seed=9):
    """The rate in galleries drawn from others, own templates left out."""
    rng = np.random.default_rng(seed)
    scores = faces.probes[side] @ faces.templates.T
    scores[np.arange(len(scores)), faces.people] = -1
    drawn = [rng.permutation(len(faces.templates))[:gallery] for _ in range(30)]
    return np.mean([scores[:, chosen].max(axis=1) >= threshold for chosen in drawn])


@pytest.mark.parametrize("gallery", [1, 40, 250])
@pytest.mark.parametrize("rate", [0.1, 0.02])
def test_the_rate_asked_for_is_the_rate_that_other_people_have_at_every_side(calibrated, gallery, rate):
    others = people(600, 1)
    for side in (8.0, 16.0, 32.0):
        point = calibrated.at(side, gallery, Asked(fpir=rate))
        assert had(others, side, point.threshold, gallery) == pytest.approx(rate, rel=0.4)


def test_a_larger_gallery_than_was_calibrated_has_the_rate_that_growth_says():
    few, others = calibrate(people(100, 2, pictures=8), ORIGIN), people(800, 3, pictures=2)
    point = few.at(16.0, 380, Asked(fpir=0.2))
    assert point.rate == pytest.approx(0.2)
    assert had(others, 16.0, point.threshold, 380) == pytest.approx(0.2, rel=0.35)


def test_what_ten_searches_cannot_tell_is_not_told(calibrated):
    point = calibrated.at(16.0, 250, Asked(fpir=1e-3))
    assert point.rate is None
    assert "too few: 900 searches of 300 calibration people" in point.reason
    for curve in calibrated.curves:
        assert min(curve.alarms) >= 10


def test_thresholds_go_one_way_along_sides_galleries_and_rates(calibrated):
    table = {(curve.gallery, curve.rate): np.array(curve.thresholds) for curve in calibrated.curves}
    steps = np.array([np.diff(values) for values in table.values()])
    assert (steps >= 0).all() or (steps <= 0).all()
    for (gallery, rate), values in table.items():
        for (larger, rarer), others in table.items():
            if larger >= gallery and rarer <= rate:
                assert (others >= values).all()


def test_intervals_hold_the_threshold_and_say_more_with_more_people(calibrated):
    few = calibrate(people(60, 5), ORIGIN).at(16.0, 20, Asked(fpir=0.1))
    many = calibrated.at(16.0, 20, Asked(fpir=0.1))
    assert few.low < few.threshold < few.high
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize("count", [1, 2, 4])
def test_too_few_people_tell_nothing_and_whoever_names_is_told(count, pair, tmp_path):
    points = calibrate(people(count, 0), ORIGIN)
    assert not points.curves
    assert "too few" in points.notes[0]
    assert points.lines() == [f"no operating points: {points.notes[0]}; 0.35 holds"]
    gallery = gallery_at(str(tmp_path / "g.parquet"))
    gallery.enrol({"Ann": pair.embed(pair.restore([face(1)]))}, pair.weights)
    (named,) = Namer(pair, gallery, points).name([face(1)])
    assert (named.threshold, named.rate, named.kind) == (0.35, None, "fixed")
    assert "too few" in named.note


def test_every_side_has_the_same_pictures():
    faces = people(10, 0)
    with pytest.raises(DataError, match="the same pictures at each side"):
        calibrate(CalibrationFaces(faces.templates, {**faces.probes, 8.0: faces.probes[8.0][1:]}, faces.people), ORIGIN)


def test_the_lines_say_threshold_interval_and_what_is_behind(calibrated):
    first, *_, last = calibrated.lines((0.05,))
    assert first.startswith("FPIR 0.05 in a gallery of 100: 8 px ")
    assert "behind them: 900 searches and 269100 comparisons of 300 calibration people" in last
