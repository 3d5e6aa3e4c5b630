from dataclasses import replace

import numpy as np
import pytest

from lrface.evaluation.settings import DecisionSettings
from lrface.evaluation.verdict.simulate import (
    Check,
    Design,
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
GREAT = Design(([0.6], [0.85]), full=(1.0 - 1e-6, 1.0 - 1e-6))


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

    monkeypatch.setattr("lrface.evaluation.verdict.simulate.mean_interval", narrow)
    assert not share_coverage(0.8, FEW).passed


def test_the_same_pair_twice_is_never_promoted_and_a_great_gain_always():
    null, _ = promotions("null", Design(([0.8], [0.8]), same=True), FEW, (0.0, 0.05))
    assert null.value == 0.0
    great, alone = promotions("great", GREAT, FEW, (0.8, 1.0))
    assert great.value == 1.0
    assert great.passed
    assert alone.value >= great.value
    assert not alone.bounded


def test_what_is_lost_at_full_size_no_gain_makes_good():
    harmful, alone = promotions("harm", replace(GREAT, full=(0.99, 0.94)), FEW, (0.0, 0.05))
    assert alone.value == 1.0
    assert harmful.value <= 0.05


def test_gates_that_look_at_one_probe_would_be_found():
    """Without a tolerance a pair as good at full size is refused for every probe that it happens to lose."""
    generator = np.random.default_rng(0)
    strict = DecisionSettings(hr_slack=0.0)
    told = [simulated_verdict(replace(GREAT, full=(0.9, 0.9)), FEW, generator, strict).promoted for _ in range(20)]
    assert np.mean(told) < 0.5


def test_a_verdict_has_all_gates():
    verdict = simulated_verdict(GREAT, FEW, np.random.default_rng(0))
    assert {gate.name for gate in verdict.gates} >= {"gain_low.champion", "gain_low.bicubic", "hr_rank1"}
    assert not any(gate.figure == gate.low == gate.high for gate in verdict.gates)


def test_a_check_without_bound_cannot_fail():
    assert not Check("x", 0.5, 0.9, 1.0, 10).passed
    assert Check("x", 0.5, 0.9, 1.0, 10, bounded=False).passed
