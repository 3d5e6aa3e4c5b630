import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.evaluation.verdict.gates import Gate, Side, State, gate
from lrface.metrics.statistics import Interval


def made(low, value, high, bound=-0.02, side=Side.AT_LEAST, people=50):
    return gate("hr_rank1", "rank-1 at full size", Interval(value, low, high), bound, side, people)


@pytest.mark.parametrize(
    ("side", "bound", "low", "high", "state"),
    [
        (Side.ABOVE, 0.0, 0.001, 0.1, State.HOLDS),
        (Side.ABOVE, 0.0, 0.0, 0.1, State.UNTOLD),
        (Side.ABOVE, 0.0, -0.1, 0.0, State.FAILS),
        (Side.AT_LEAST, -0.02, -0.02, 0.1, State.HOLDS),
        (Side.AT_LEAST, -0.02, -0.021, 0.1, State.UNTOLD),
        (Side.AT_LEAST, -0.02, -0.1, -0.021, State.FAILS),
        (Side.AT_MOST, 0.02, -0.1, 0.02, State.HOLDS),
        (Side.AT_MOST, 0.02, -0.1, 0.021, State.UNTOLD),
        (Side.AT_MOST, 0.02, 0.021, 0.1, State.FAILS),
    ],
)
def test_the_whole_interval_decides(side, bound, low, high, state):
    held = made(low, (low + high) / 2, high, bound, side)
    assert held.state is state
    assert held.passed == (state is State.HOLDS)
    assert held.line.endswith(held.answer)


@given(st.floats(-0.5, 0.5), st.floats(0, 0.3), st.floats(0, 0.3), st.sampled_from(list(Side)))
def test_a_narrower_interval_never_tells_less(value, width, narrower, side):
    wide = made(value - width - narrower, value, value + width + narrower, 0.0, side)
    tight = made(value - width, value, value + width, 0.0, side)
    if wide.state is not State.UNTOLD:
        assert tight.state is wide.state


@pytest.mark.parametrize("spoilt", [(math.nan, 0.0, 0.0), (0.0, math.nan, 0.0), (math.nan,) * 3])
def test_without_an_interval_nothing_is_told(spoilt):
    held = made(*spoilt)
    assert held.state is State.UNTOLD
    assert held.needed is None
    assert "cannot be told with 50 people" in held.line


def test_it_is_said_how_many_people_would_tell():
    held = made(-0.04, 0.0, 0.04, people=60)
    assert held.needed == 240
    assert held.answer == "cannot be told with 60 people; some 240 would tell if the figure stays"
    rising = made(-0.04, 0.01, 0.06, 0.03, Side.AT_MOST, people=10)
    assert rising.needed == 63
    touching = made(0.0, 0.2, 0.3, 0.0, Side.ABOVE, people=2)
    assert (touching.state, touching.needed) == (State.UNTOLD, 3)


def test_no_number_of_people_is_promised_where_none_would_do():
    assert made(-0.06, -0.02, 0.02).needed is None
    assert made(-0.9, -0.0199, 0.9).needed is None
    assert made(0.0, 0.01, 0.02).needed is None


def test_a_gate_reads_in_points():
    held = made(-0.009, -0.003, 0.0002)
    assert held.line == "rank-1 at full size: -0.3 points [-0.9, 0.0], wanted interval at least -2.0: holds"
    assert isinstance(held, Gate)
