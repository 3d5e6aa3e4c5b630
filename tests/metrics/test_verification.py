import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import describe
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve
from sklearn.model_selection import KFold

from lrface.errors import EvaluationError
from lrface.metrics.verification import best_threshold, dprime, eer, fold_accuracy, roc, tar_at_far


def draws(seed, genuine=300, impostor=4000, decimals=None):
    rng = np.random.default_rng(seed)
    sides = rng.normal(1.2, 1.0, genuine), rng.normal(0.0, 1.0, impostor)
    return tuple(side if decimals is None else side.round(decimals) for side in sides)


def labelled(genuine, impostor):
    return np.r_[np.ones(genuine.size), np.zeros(impostor.size)], np.r_[genuine, impostor]


@pytest.mark.parametrize("decimals", [None, 1])
def test_roc_agrees_with_sklearn(decimals):
    genuine, impostor = draws(1, decimals=decimals)
    curve = roc(genuine, impostor)
    far, tar, thresholds = roc_curve(*labelled(genuine, impostor), drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far, atol=1e-12)
    np.testing.assert_allclose(curve.tar, tar, atol=1e-12)
    np.testing.assert_allclose(curve.thresholds, thresholds)
    area = np.trapezoid(curve.tar, curve.far)
    assert area == pytest.approx(roc_auc_score(*labelled(genuine, impostor)), abs=1e-9)


@pytest.mark.parametrize("decimals", [None, 1])
def test_eer_agrees_with_the_root_of_the_interpolated_curve(decimals):
    genuine, impostor = draws(2, decimals=decimals)
    far, tar, _ = roc_curve(*labelled(genuine, impostor), drop_intermediate=False)
    expected = brentq(lambda x: 1.0 - x - interp1d(far, tar)(x), 0.0, 1.0, xtol=1e-12)
    assert eer(genuine, impostor) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("far", [0.1, 0.01, 0.001])
def test_tar_at_far_is_the_highest_step_of_the_sklearn_curve_within_the_rate(far, decimals):
    genuine, impostor = draws(3, decimals=decimals)
    fars, tars, _ = roc_curve(*labelled(genuine, impostor), drop_intermediate=False)
    point = tar_at_far(genuine, impostor, far)
    assert point.value == pytest.approx(tars[fars <= far + 1e-12].max(), abs=1e-12)
    assert point.n == genuine.size
    assert np.mean(impostor >= point.threshold) <= far


def test_tied_impostors_are_refused_together():
    genuine = np.array([0.5, 0.5, 0.9])
    impostor = np.array([0.5] * 5 + [0.1] * 5)
    assert tar_at_far(genuine, impostor, 0.2).value == pytest.approx(1 / 3)
    assert tar_at_far(genuine, impostor, 0.5).value == 1.0
    assert tar_at_far(genuine, impostor, 1.0).value == 1.0


def test_single_precision_scores_keep_the_step():
    genuine = np.array([0.3, 0.7], np.float32)
    impostor = np.array([0.3, 0.1, 0.2, 0.0], np.float32)
    assert tar_at_far(genuine, impostor, 0.25).value == 1.0
    assert tar_at_far(genuine, np.append(impostor, np.float32(0.7)), 0.2).value == 0.5


def test_too_few_impostors_gives_the_reason_instead_of_a_figure():
    point = tar_at_far(np.ones(3), np.zeros(999), 0.001)
    assert math.isnan(point.value)
    assert "999" in point.reason
    assert tar_at_far(np.ones(3), np.zeros(1000), 0.001).reason is None
    assert "no genuine" in tar_at_far(np.ones(0), np.zeros(10), 0.1).reason


@pytest.mark.parametrize("bad", [np.array([]), np.array([np.nan, 0.1])])
def test_scores_that_say_nothing_are_refused(bad):
    with pytest.raises(EvaluationError):
        roc(bad, np.ones(3))
    with pytest.raises(EvaluationError):
        dprime(np.ones(3), bad)


def test_a_rate_outside_its_range_is_refused():
    with pytest.raises(EvaluationError, match="above 0"):
        tar_at_far(np.ones(3), np.zeros(3), 0.0)


def test_dprime_of_two_unit_normals_is_the_distance_of_their_means():
    rng = np.random.default_rng(4)
    genuine, impostor = rng.normal(2.0, 1.0, 200_000), rng.normal(0.0, 1.0, 200_000)
    assert dprime(genuine, impostor) == pytest.approx(2.0, abs=0.02)
    assert math.isnan(dprime(np.ones(3), np.zeros(3)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30))
def test_best_threshold_beats_every_other_threshold(pairs):
    scores = np.array([score for score, _ in pairs], float)
    same = np.array([flag for _, flag in pairs])
    accuracy, threshold = best_threshold(scores, same)
    assert np.mean((scores >= threshold) == same) == pytest.approx(accuracy)
    assert all(np.mean((scores >= cut) == same) <= accuracy + 1e-12 for cut in np.arange(-0.5, 8.0, 0.5))


def test_fold_accuracy_takes_the_threshold_from_the_other_folds():
    scores = np.tile([0.9, 0.1], 50)
    same = np.tile([True, False], 50)
    # The last fold lies about itself; thresholds from the other nine do not bend to it.
    lying = scores.copy()
    lying[90:] = np.tile([0.1, 0.9], 5)
    found = fold_accuracy(lying, same)
    assert found.accuracies == (1.0,) * 9 + (0.0,)
    assert found.mean == pytest.approx(0.9)
    assert fold_accuracy(scores, same).deviation == 0.0


def test_fold_accuracy_refuses_fewer_pairs_than_folds():
    with pytest.raises(EvaluationError, match="at least 10"):
        fold_accuracy(np.ones(9), np.ones(9, bool))


@pytest.mark.parametrize("decimals", [None, 1])
def test_the_best_accuracy_agrees_with_the_best_step_of_the_sklearn_curve(decimals):
    genuine, impostor = draws(7, genuine=200, impostor=300, decimals=decimals)
    same, scores = labelled(genuine, impostor)
    far, tar, _ = roc_curve(same, scores, drop_intermediate=False)
    expected = (tar * genuine.size + (1.0 - far) * impostor.size).max() / same.size
    accuracy, threshold = best_threshold(scores, same.astype(bool))
    assert accuracy == pytest.approx(expected, abs=1e-9)
    assert accuracy_score(same, scores >= threshold) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("decimals", "folds"), [(None, 10), (1, 7)])
def test_fold_accuracy_agrees_with_sklearns_folds(decimals, folds):
    same, scores = labelled(*draws(8, genuine=150, impostor=153, decimals=decimals))
    order = np.random.default_rng(0).permutation(same.size)
    same, scores = same[order].astype(bool), scores[order]
    expected = [
        accuracy_score(same[held], scores[held] >= best_threshold(scores[others], same[others])[1])
        for others, held in KFold(folds).split(scores)
    ]
    found = fold_accuracy(scores, same, folds)
    np.testing.assert_allclose(found.accuracies, expected, atol=1e-12)
    assert found.deviation == pytest.approx(np.std(expected), abs=1e-12)


def test_dprime_agrees_with_scipys_moments():
    genuine, impostor = draws(9)
    one, other = describe(genuine, ddof=0), describe(impostor, ddof=0)
    expected = (one.mean - other.mean) / math.sqrt((one.variance + other.variance) / 2.0)
    assert dprime(genuine, impostor) == pytest.approx(expected, abs=1e-9)
    single = dprime(genuine.astype(np.float32), impostor.astype(np.float32))
    assert single == pytest.approx(expected, abs=1e-6)
