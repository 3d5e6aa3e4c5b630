import numpy as np
import pytest

from lrface.evaluation.simulate import (
    Check,
    Population,
    SimulationSettings,
    difference_coverage,
    mean_coverage,
    pair_coverage,
    promotions,
    share_coverage,
    simulated_verdict,
)

FEW = SimulationSettings(runs=60, replicates=200, subjects=20, probes=5)


def test_margins_have_the_accuracy_that_was_asked_for():
    drawn = Population().margins([[0.6, 0.9], [0.66, 0.96]], 3000, 5, np.random.default_rng(0))
    np.testing.assert_allclose((drawn > 0).mean(axis=2), [[0.6, 0.9], [0.66, 0.96]], atol=0.02)


def test_subjects_differ_and_arms_mostly_agree():
    drawn = Population().margins([[0.8], [0.8]], 400, 10, np.random.default_rng(1))[:, 0] > 0
    assert (drawn[0] != drawn[1]).mean() < 0.03
    by_subject = drawn[0].reshape(400, 10).mean(axis=1)
    assert by_subject.var() > 1.5 * 0.8 * 0.2 / 10


@pytest.mark.parametrize(
    "check",
    [
        lambda: share_coverage(0.8, FEW),
        lambda: mean_coverage(FEW),
        lambda: difference_coverage((0.8, 0.86), FEW),
        lambda: pair_coverage(0.05, FEW.model_copy(update={"runs": 20})),
    ],
)
def test_coverage_is_in_the_right_region_even_with_few_runs(check):
    assert check().value >= 0.85


def test_intervals_that_are_too_short_would_be_found(monkeypatch):
    def narrow(values, labels, weights):
        whole = float(np.mean(values))
        return type("Narrow", (), {"low": whole - 0.01, "high": whole + 0.01})

    monkeypatch.setattr("lrface.evaluation.simulate.mean_interval", narrow)
    assert not share_coverage(0.8, FEW).passed


def test_the_same_pair_twice_is_never_promoted_and_a_great_gain_always():
    null, _ = promotions("null", ([0.8], [0.8]), Population(), FEW, (0.0, 0.05), same=True)
    assert null.value == 0.0
    great, alone = promotions("great", ([0.6], [0.85]), Population(), FEW, (0.8, 1.0))
    assert great.value == 1.0
    assert great.passed
    assert alone.value >= great.value
    assert not alone.bounded


def test_a_verdict_has_all_gates():
    verdict = simulated_verdict(([0.6], [0.9]), Population(), FEW, np.random.default_rng(0))
    assert {gate.name for gate in verdict.gates} >= {"gain_low.champion", "gain_low.bicubic", "hr_rank1"}


def test_a_check_without_bound_cannot_fail():
    assert not Check("x", 0.5, 0.9, 1.0, 10).passed
    assert Check("x", 0.5, 0.9, 1.0, 10, bounded=False).passed
