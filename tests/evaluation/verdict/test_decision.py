import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Cell
from lrface.evaluation.settings import DecisionSettings
from lrface.evaluation.verdict.compare import Comparison, Difference
from lrface.evaluation.verdict.decision import Decision, decide, rule_on_gain
from lrface.evaluation.verdict.gates import State
from lrface.metrics.statistics import Interval, McNemar, draw_weights, paired_interval


def comparison(gain=0.08, low=0.03, unknown=0.0, poor=0.0, worst=0.0, protocol="p" * 64):
    def change(value, lower=None):
        return Difference(0.8 + value, 0.8, Interval(value, value - 0.004 if lower is None else lower, value + 0.004))

    return Comparison(
        first=(Cell("dsr_cycle", 12, "clean"),),
        second=(Cell("bicubic", 12, "clean"),),
        protocol=protocol,
        probes=500,
        subjects=50,
        differences={
            "rank1": change(gain, low),
            "unknown": change(unknown),
            "poor_subjects": change(poor),
            "worst_tenth": change(worst),
        },
        test=McNemar(40, 0, 0.0),
        only_first=(),
        only_second=(),
        table=pd.DataFrame(),
    )


def of_probes(changes, people):
    change = np.array(changes, np.float64)
    labels = np.arange(change.size) % people
    weights = draw_weights(people, 400, seed=0)
    return paired_interval(np.clip(change, 0, 1), np.clip(-change, 0, 1), labels, weights, shares=True)


def with_change(interval):
    whole = comparison()
    return replace(whole, differences=whole.differences | {"rank1": Difference(0.9, 0.9, interval)})


SAME = comparison(gain=0.0, low=0.0)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (0.0501, "promote"),
        (0.05, "tune"),
        (0.02, "tune"),
        (0.0199, "keep"),
        (0.0, "keep"),
        (-0.0001, "revert"),
        (np.mean([1.0] * 25 + [0.0] * 475), "tune"),
    ],
)
def test_the_rule_at_its_bounds(gain, expected):
    assert rule_on_gain(gain) == expected


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_greater_gain_is_never_judged_worse(one, two):
    order = [Decision.REVERT, Decision.KEEP, Decision.TUNE, Decision.PROMOTE]
    low, high = sorted([one, two])
    assert order.index(rule_on_gain(low)) <= order.index(rule_on_gain(high))


def test_a_clear_gain_over_both_is_promoted():
    verdict = decide(comparison(), comparison(), SAME)
    assert verdict.promoted
    assert not verdict.failed
    assert {gate.name for gate in verdict.gates} >= {"gain_low.bicubic", "gain_low.champion", "hr_rank1"}
    assert verdict.lines[-1].startswith("verdict: promote;")
    assert verdict.tags()["verdict.promoted"] == "true"


@pytest.mark.parametrize(
    ("spoiled", "gate"),
    [
        ({"low": 0.0}, "gain_low.champion"),
        ({"low": math.nan}, "gain_low.champion"),
        ({"unknown": 0.03}, "unknown.champion"),
        ({"poor": 0.11}, "poor_subjects.champion"),
        ({"worst": -0.06}, "worst_tenth.champion"),
    ],
)
def test_each_gate_stops_a_promotion_and_is_named(spoiled, gate):
    verdict = decide(comparison(), comparison(**spoiled), SAME)
    assert verdict.decision is Decision.PROMOTE
    assert not verdict.promoted
    assert [failed.name for failed in verdict.failed] == [gate]
    assert gate in verdict.lines[-1]
    assert verdict.tags()[f"gate.{gate}"].startswith("failed")


def test_rank1_at_full_size_must_not_fall_by_more_than_is_tolerated():
    fallen = comparison(gain=-0.03, low=-0.034)
    verdict = decide(comparison(), None, fallen)
    assert [gate.name for gate in verdict.failed] == ["hr_rank1"]
    assert verdict.failed[0].state is State.FAILS
    assert decide(comparison(), None, fallen, DecisionSettings(hr_slack=0.05)).promoted


def test_one_probe_of_330_lost_at_full_size_refuses_nobody():
    interval = of_probes([-1] + [0] * 329, people=30)
    assert interval.low < 0.0
    verdict = decide(comparison(), None, with_change(interval))
    assert verdict.promoted


def test_too_few_people_to_tell_a_fall_are_no_evidence_that_there_is_none():
    interval = of_probes([0] * 12, people=4)
    verdict = decide(comparison(), None, with_change(interval))
    (gate,) = verdict.failed
    assert gate.state is State.UNTOLD
    assert "cannot be told with 50 people; some " in gate.line
    assert "cannot be told" in verdict.tags()["gate.hr_rank1"]


def test_the_rule_is_about_the_champion_where_there_is_one():
    assert decide(comparison(gain=0.2), comparison(gain=0.03), SAME).decision is Decision.TUNE
    assert decide(comparison(gain=0.2), None, SAME).decision is Decision.PROMOTE


def test_better_than_the_champion_but_not_than_bicubic_is_not_promoted():
    verdict = decide(comparison(gain=0.01, low=-0.02), comparison(), SAME)
    assert [gate.name for gate in verdict.failed] == ["gain_low.bicubic"]


def test_the_same_pair_twice_is_kept():
    verdict = decide(SAME, SAME, SAME)
    assert verdict.decision is Decision.KEEP
    assert not verdict.promoted


def test_comparisons_on_two_protocols_are_refused():
    with pytest.raises(EvaluationError, match="one protocol"):
        decide(comparison(), comparison(protocol="q" * 64), SAME)


def test_a_metric_that_was_not_compared_is_refused():
    bare = replace(comparison(), differences={"rank1": comparison().differences["rank1"]})
    with pytest.raises(EvaluationError, match="no unknown"):
        decide(bare, None, SAME)
    with pytest.raises(EvaluationError, match="no rank5"):
        decide(comparison(), None, SAME, DecisionSettings(metric="rank5"))


@pytest.mark.parametrize("metric", ["psnr", "eer", "similarity", "unknown"])
def test_a_gain_is_of_a_share_of_which_more_is_better(metric):
    """Five points of PSNR would be five hundredths of a dB, and a gain in EER is a loss."""
    with pytest.raises(EvaluationError, match=f"got decision.metric={metric}; expected a share"):
        decide(comparison(), None, SAME, DecisionSettings(metric=metric))


def test_a_pair_that_is_no_better_than_direct_alone_is_refused_and_direct_recommended():
    level = comparison(gain=0.01, low=-0.01)
    verdict = decide(comparison(), comparison(), SAME, against_direct=level)

    assert not verdict.promoted
    assert verdict.recommends_direct
    assert [gate.name for gate in verdict.failed] == ["gain_low.direct"]
    assert any(line.startswith("recommended: bicubic/12/clean, without a super-resolver") for line in verdict.lines)
    assert verdict.tags()["gate.gain_low.direct"].startswith("failed")


def test_a_pair_that_is_better_than_direct_is_promoted():
    verdict = decide(comparison(), comparison(), SAME, against_direct=comparison(gain=0.01, low=0.001))

    assert verdict.promoted
    assert not verdict.recommends_direct
    assert not any(line.startswith("recommended") for line in verdict.lines)


def test_direct_is_judged_on_the_same_protocol():
    with pytest.raises(EvaluationError, match="one protocol"):
        decide(comparison(), None, SAME, against_direct=comparison(protocol="q" * 64))
