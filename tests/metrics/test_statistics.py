import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap

from lrface.errors import EvaluationError
from lrface.metrics.statistics import (
    draw_weights,
    expanded_interval,
    mcnemar,
    mean_interval,
    mean_replicates,
    paired_interval,
    proportion_interval,
    rates_at,
)


def probes(seed=0, subjects=30, each=8):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(subjects), each)
    return rng.normal(rng.normal(0.0, 0.5, subjects)[labels], 1.0), labels


def test_weights_count_draws_and_depend_on_the_seed_alone():
    weights = draw_weights(7, 50, seed=3)
    assert (weights.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(weights, draw_weights(7, 50, seed=3))
    assert (weights != draw_weights(7, 50, seed=4)).any()


def test_replicates_are_means_of_the_faces_of_the_drawn_subjects():
    values, labels = probes(subjects=5, each=3)
    weights = draw_weights(5, 20, seed=0)
    expected = [np.mean(np.repeat(values, row[labels].astype(int))) for row in weights]
    np.testing.assert_allclose(mean_replicates(values, labels, weights), expected, rtol=1e-6)
    assert np.isnan(mean_replicates(values[:3], labels[:3], np.array([[0.0, 1.0]]))).all()


def test_the_standard_error_agrees_with_scipys_bootstrap_of_subject_means():
    values, labels = probes()
    means = np.array([values[labels == subject].mean() for subject in range(30)])
    theirs = bootstrap((means,), np.mean, n_resamples=4000, rng=np.random.default_rng(0)).standard_error
    ours = mean_replicates(values, labels, draw_weights(30, 4000, seed=1)).std()
    assert ours == pytest.approx(theirs, rel=0.05)


def test_a_share_of_all_or_nothing_still_has_an_interval():
    labels = np.repeat(np.arange(20), 5)
    weights = draw_weights(20, 200, seed=0)
    every = mean_interval(np.ones(100), labels, weights)
    assert every.value == every.high == 1.0
    assert 0.9 < every.low < 0.97
    none = mean_interval(np.zeros(100), labels, weights)
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1.0 - every.low)


def test_independent_probes_give_wilsons_interval():
    rng = np.random.default_rng(5)
    right = rng.random(2000) < 0.9
    interval = mean_interval(right, np.arange(2000), draw_weights(2000, 2000, seed=0))
    wilson = binomtest(int(right.sum()), 2000).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((wilson.low, wilson.high), abs=2e-3)


def test_few_subjects_give_wider_intervals_than_plain_percentiles():
    values, labels = probes(subjects=6)
    replicates = mean_replicates(values, labels, draw_weights(6, 2000, seed=0))
    interval = expanded_interval(float(values.mean()), replicates, 6)
    low, high = np.quantile(replicates, [0.025, 0.975])
    assert interval.low < low
    assert interval.high > high


@pytest.mark.parametrize("method", [proportion_interval, expanded_interval])
def test_one_subject_has_a_value_and_no_interval(method):
    interval = method(0.5, np.full(10, 0.5), 1)
    assert interval.value == 0.5
    assert math.isnan(interval.low)
    with pytest.raises(EvaluationError, match="is usual"):
        method(0.5, np.full(10, 0.5), 3, level=95.0)


def test_pairing_takes_out_what_both_share():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 10)
    first = rng.random(400) < 0.7
    second = first & (rng.random(400) < 0.95)
    weights = draw_weights(40, 1000, seed=0)
    paired = paired_interval(first, second, labels, weights)
    alone = mean_interval(first, labels, weights)
    assert paired.value == pytest.approx(first.mean() - second.mean())
    assert paired.high - paired.low < (alone.high - alone.low) / 1.5
    same = paired_interval(first, first, labels, weights)
    assert (same.low, same.value, same.high) == (0.0, 0.0, 0.0)
    with pytest.raises(EvaluationError, match="one protocol"):
        paired_interval(first, second[1:], labels, weights)


def test_mcnemar_agrees_with_the_binomial_test():
    rng = np.random.default_rng(2)
    first, second = rng.random(200) < 0.8, rng.random(200) < 0.7
    found = mcnemar(first, second)
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.probability == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)
    assert mcnemar(first, first).probability == 1.0
    with pytest.raises(EvaluationError, match="one protocol"):
        mcnemar(first, second[1:])


def test_two_thousand_replicates_of_ten_thousand_probes_are_one_product():
    labels = np.arange(10_000) % 1000
    values = np.random.default_rng(0).random(10_000) < 0.8
    interval = mean_interval(values, labels, draw_weights(1000, 2000, seed=0))
    assert interval.low < 0.8 < interval.high


def test_rates_are_read_at_the_last_step_within_them():
    false, true = np.array([[0.0, 0.1, 1.0]]), np.array([[0.0, 0.5, 1.0]])
    np.testing.assert_allclose(rates_at(false, true, np.array([0.05, 0.1, 0.55, 1.0])), [[0.0, 0.5, 0.5, 1.0]])
    assert np.isnan(rates_at(np.array([[0.0, np.nan]]), true[:, :2], np.array([0.1]))).all()


@pytest.mark.parametrize(("probes", "half"), [(10, 0.163), (330, 0.0059)])
def test_no_probe_that_differs_is_the_less_evidence_the_fewer_there_are(probes, half):
    right = np.ones(probes, bool)
    labels = np.arange(probes) % 5
    interval = paired_interval(right, right, labels, draw_weights(5, 200, seed=0), shares=True)
    assert (interval.low, interval.value, interval.high) == pytest.approx((-half, 0.0, half), abs=5e-4)


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=4, max_size=40))
def test_the_interval_of_shares_holds_the_plain_one_and_the_figure(changes):
    change = np.array(changes, np.float64)
    labels = np.arange(change.size) % 4
    weights = draw_weights(4, 100, seed=0)
    sides = np.clip(change, 0, 1), np.clip(-change, 0, 1)
    plain = paired_interval(*sides, labels, weights)
    wide = paired_interval(*sides, labels, weights, shares=True)
    assert -1.0 <= wide.low <= plain.low <= plain.high <= wide.high <= 1.0
    assert wide.low <= wide.value <= wide.high
