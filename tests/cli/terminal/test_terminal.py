import io
import json
import math
import re
import sys
import threading

import pytest

from lrface.cli.terminal.terminal import Terminal, rate, terminal_of
from lrface.errors import ConfigError


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_news_go_to_standard_output_and_errors_to_standard_error(capsys):
    terminal = Terminal()
    terminal.line("epoch 1")
    terminal.error("no such preset")
    told = capsys.readouterr()
    assert told.out == "epoch 1\n"
    assert told.err == "error: no such preset\n"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_without_a_terminal_a_long_task_is_told_every_30_seconds_and_at_its_end(capsys):
    clock = Clock()
    with Terminal(clock).progress("embed") as tick:
        for done in range(1, 101):
            clock.now = float(done)
            tick(done, 100)
    assert capsys.readouterr().out.splitlines() == [
        "embed: 30/100, 1.0/s, 70 s left",
        "embed: 60/100, 1.0/s, 40 s left",
        "embed: 90/100, 1.0/s, 10 s left",
        "embed: 100/100, 1.0/s",
    ]


def test_news_of_other_kinds_put_off_the_next_line_of_a_task(capsys):
    clock = Clock()
    terminal = Terminal(clock)
    with terminal.progress("train") as tick:
        clock.now = 29.0
        terminal.line("epoch 1")
        clock.now = 58.0
        tick(1, 2)
        clock.now = 59.0
        tick(1, 2)
    assert capsys.readouterr().out.splitlines() == ["epoch 1", "train: 1/2, 0.0/s, 59 s left"]


def test_a_step_that_takes_long_is_no_silence(capsys):
    clock = Clock()
    terminal = Terminal(clock)
    clock.now = 29.0
    terminal.remind()
    clock.now = 30.0
    terminal.remind()
    with terminal.progress("search") as tick:
        clock.now = 61.0
        terminal.remind()
        tick(1, 4)
        clock.now = 91.0
        terminal.remind()
        terminal.remind()
    clock.now = 121.0
    terminal.remind()
    assert capsys.readouterr().out.splitlines() == [
        "still at work",
        "search: begun",
        "search: 1/4, 0.0/s, 93 s left",
        "still at work",
    ]


def test_while_a_job_runs_somebody_looks_at_the_clock(capsys):
    clock, said = Clock(), threading.Event()

    class Watched(Terminal):
        def line(self, text):
            super().line(text)
            said.set()

    terminal = Watched(clock)
    clock.now = 31.0
    with terminal.alive():
        assert said.wait(60)
    assert capsys.readouterr().out.splitlines()[0] == "still at work"
    assert not any(thread.name == "alive" for thread in threading.enumerate())


@pytest.mark.parametrize("log", ["quiet", "json"])
def test_who_asked_for_quiet_is_not_reminded(log, capsys):
    with terminal_of(log).alive():
        assert not any(thread.name == "alive" for thread in threading.enumerate())
    assert capsys.readouterr().out == ""


def test_a_few_steps_are_not_told_twice_and_none_is_no_trouble(capsys):
    with Terminal().progress("embed") as tick:
        tick(0, 0)
        tick(0, 2)
        tick(2, 2)
        tick(2, 2)
    assert re.fullmatch(r"embed: 2/2, \d+/s\n", capsys.readouterr().out)


def test_on_a_terminal_a_bar_is_drawn_and_taken_away(monkeypatch, capsys):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with Terminal().progress("embed [1]") as tick:
        tick(1, 2)
        tick(2, 2)
    assert capsys.readouterr().out == ""
    assert "embed [1]" in screen.getvalue()


def _whole_job(terminal):
    terminal.line("train_dsr: base")
    terminal.metrics("train_dsr baseline", 0, {"val/psnr": 25.5, "val/loss": math.nan})
    with terminal.progress("embed") as tick:
        tick(1, 1)
    terminal.finding("warning", "identity_stuck", "0.3 after 5 epochs", "raise loss.identity")
    terminal.finding("error", "constant", "2 faces")
    terminal.result("bicubic 8 px: rank1 0.6")
    terminal.ended("evaluate", "c0ffee", ["models:/dsr/2"])
    terminal.error(ConfigError("preset", got="quick", expected="smoke", remedy="choose one of these"))


def test_quiet_is_results_errors_and_findings_that_stop(capsys):
    _whole_job(terminal_of("quiet"))
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "error: constant: 2 faces",
        "bicubic 8 px: rank1 0.6",
        "evaluate: done, run c0ffee, registered models:/dsr/2",
    ]
    assert told.err == "error: preset: got quick; expected smoke; choose one of these\n"


def test_json_is_an_object_a_line(capsys):
    _whole_job(terminal_of("json"))
    told = capsys.readouterr()
    events = [json.loads(line) for line in told.out.splitlines()]
    assert told.err == ""
    assert [event["event"] for event in events] == [
        *("news", "metrics", "finding", "finding", "summary", "result", "error"),
    ]
    _, metrics, finding, _, _, result, error = events
    assert (metrics["stage"], metrics["epoch"]) == ("train_dsr baseline", 0)
    assert metrics["metrics"] == {"val/psnr": 25.5, "val/loss": None}
    assert (finding["severity"], finding["name"]) == ("warning", "identity_stuck")
    assert result == {"event": "result", "job": "evaluate", "run_id": "c0ffee", "versions": ["models:/dsr/2"]}
    assert (error["what"], error["got"], error["expected"]) == ("preset", "quick", "smoke")


@pytest.mark.parametrize("log", ["quiet", "json"])
def test_no_bar_is_drawn_for_scripts(log, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with terminal_of(log).progress("embed") as tick:
        tick(1, 2)
    assert screen.getvalue() == ""


def test_slow_steps_are_told_with_a_decimal():
    assert (rate(0.42), rate(9.94), rate(120.4)) == ("0.4/s", "9.9/s", "120/s")


def test_another_log_is_refused():
    with pytest.raises(ConfigError, match="got loud; expected plain, quiet, json"):
        terminal_of("loud")
