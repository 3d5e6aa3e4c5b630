import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.cli.terminal.journey import Journey, about
from lrface.cli.terminal.terminal import Terminal, terminal_of


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def on_the_way(clock):
    way = Journey(["prepare", "train", "tell"], {"prepare": 1.0, "train": 10.0, "tell": 2.0}, clock)
    way.begin("prepare")
    clock.now = 6.0
    way.end()
    way.begin("train")
    return way


def test_the_pace_of_what_is_done_tells_how_long_the_rest_takes():
    clock = Clock()
    way = on_the_way(clock)
    assert (way.number, way.of) == (2, 3)
    assert way.left() == pytest.approx(6.0 * 12)
    clock.now = 26.0
    assert way.left() == pytest.approx(40.0 + 12.0)
    assert way.words() == "stage 2 of 3, about 1 min left in all"


def test_what_is_under_way_knows_best_itself():
    clock = Clock()
    way = on_the_way(clock)
    clock.now = 56.0
    pace = (6.0 + 50.0 + 50.0) / 11.0
    assert way.left(own=50.0) == pytest.approx(50.0 + 2.0 * pace)


def test_before_anything_is_done_nothing_is_promised():
    way = Journey(["one", "two"], {}, Clock())
    way.begin("one")
    assert way.left() is None
    assert way.words() == "stage 1 of 2"


def test_stages_that_were_done_before_tell_nothing_of_the_pace():
    clock = Clock()
    way = Journey(["one", "two", "three"], {}, clock)
    way.begin("one")
    way.end(worked=False)
    way.begin("two")
    assert way.left() is None
    clock.now = 10.0
    assert way.left(own=10.0) == pytest.approx(30.0)


@given(st.floats(0.0, 1e6))
def test_a_time_is_said_in_two_words_that_are_not_far_off(seconds):
    said = about(seconds).split()
    units = {"s": 1, "min": 60, "h": 3600}
    heard = sum(int(number) * units[unit] for number, unit in zip(said[::2], said[1::2], strict=True))
    assert abs(heard - seconds) <= max(5.0, 31.0 if seconds < 3600 else 180.0)


def test_outside_of_a_terminal_every_line_of_a_task_says_where_the_cycle_is(capsys):
    clock = Clock()
    terminal = Terminal(clock)
    terminal.journey = way = on_the_way(clock)
    terminal.stage("train")
    with terminal.progress("train") as tick:
        clock.now = 41.0
        tick(1, 2)
    clock.now = 90.0
    terminal.remind()
    way.end()
    assert capsys.readouterr().out.splitlines() == [
        "stage 2 of 3, about 1 min left in all: train",
        "train: 1/2, 0.0/s, 35 s left (stage 2 of 3, about 50 s left in all)",
        "still at work (stage 2 of 3, about 10 s left in all)",
    ]


def test_a_script_is_told_each_stage_as_an_event(capsys):
    terminal = terminal_of("json")
    terminal.stage("alone")
    terminal.journey = on_the_way(Clock())
    terminal.stage("train")
    (event,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert event == {"event": "stage", "name": "train", "number": 2, "of": 3, "seconds_left": 72}
