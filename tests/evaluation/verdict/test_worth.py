"""Whether a super-resolver earns its place: what is said of a gain, of none, and of what it costs."""

import pandas as pd
import pytest

from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.report.first_screen import worth_card
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison, Difference
from lrface.evaluation.verdict.worth import Cost, Worth, weigh
from lrface.metrics.statistics import Interval, McNemar


def comparison(value, low, high, *sizes):
    difference = Difference(0.7 + value, 0.7, Interval(value, low, high))
    cells = ([Cell(arm, size, "clean") for size in sizes] for arm in ("dsr", "bicubic-direct"))
    return Comparison(
        *map(tuple, cells), "p" * 64, 100, 10, {"rank1": difference}, McNemar(0, 0, 1.0), (), (), pd.DataFrame()
    )


def worth(whole, at, **more):
    return Worth(
        "dsr", "bicubic-direct", comparison(*whole, *at), {s: comparison(*v, s) for s, v in at.items()}, **more
    )


UP, LEVEL, DOWN = (0.05, 0.01, 0.09), (0.01, -0.02, 0.04), (-0.05, -0.09, -0.01)


@pytest.mark.parametrize(
    ("whole", "at", "answer", "earns"),
    [
        (UP, {8: UP, 12: UP, 16: LEVEL}, "yes, at 8 and 12 px", True),
        (UP, {8: LEVEL, 12: LEVEL}, "yes, over all sizes together", True),
        (LEVEL, {8: UP, 12: LEVEL}, "at 8 px alone, not over all sizes together", False),
        (LEVEL, {8: LEVEL, 12: LEVEL}, "no gain is shown", False),
        (LEVEL, {8: LEVEL, 12: DOWN}, "no gain is shown, and it does harm at 12 px", False),
        (DOWN, {8: DOWN, 12: LEVEL}, "no, it does harm", False),
    ],
)
def test_the_answer_follows_the_intervals(whole, at, answer, earns):
    found = worth(whole, at)

    assert found.answer() == answer
    assert found.earns == earns
    assert bool(found.recommendation()) == (not earns)
    assert found.lines()[0].startswith(f"Does super-resolution earn its place here? {answer[0].upper()}")
    assert answer in worth_card(found, asked=True)


def test_gain_and_cost_stand_beside_each_other():
    costs = {"dsr": Cost(500.0, 40.0), "bicubic-direct": Cost(50.0, 5.0)}
    found = worth(UP, {8: UP}, costs=costs, seen={"dsr": "recogniser 10", "bicubic-direct": "recogniser 10"})
    text = "\n".join(found.lines())

    assert "rank-1 75.0 against 70.0 %, +5.0 points [+1.0, +9.0]" in text
    assert "500 against 50 MMAC a face, 10.0 times" in text
    assert "40.0 against 5.0 ms a face" in text
    assert "faces seen: dsr: recogniser 10; bicubic-direct: recogniser 10" in text
    assert "10.0 times" in worth_card(found, asked=True)


def test_what_cannot_be_counted_is_left_out_and_not_called_nothing():
    costs = {"dsr": Cost(None, 40.0), "bicubic-direct": Cost(50.0, 5.0)}

    assert "MMAC" not in worth(UP, {8: UP}, costs=costs).cost_line()


def test_without_a_rival_the_page_says_that_nobody_knows():
    assert "finetune dsr=none" in worth_card(None, asked=True)
    assert worth_card(None, asked=False) == ""


def test_two_arms_of_one_evaluation_are_weighed_size_by_size(small):
    faces, protocol, arms, settings = small
    results = evaluate(faces, protocol, arms, [8, 12], settings=settings)

    found = weigh(results, "bicubic", "bicubic-coarse", [8, 12], "clean", EvaluationSettings())

    mean = sum(item.differences["rank1"].change.value for item in found.at.values()) / 2
    assert list(found.at) == [8, 12]
    assert found.whole.differences["rank1"].change.value == pytest.approx(mean)
    assert "tar_at_far_1e-2" in found.whole.differences or "TAR" not in "".join(found.lines())
