import io
import re
import sys

from lrface.jobs.terminal import Terminal


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


def test_without_a_terminal_progress_is_a_line_a_quarter(capsys):
    with Terminal().progress("embed") as tick:
        for done in range(1, 101):
            tick(done, 100)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 4
    for line, done in zip(told, (25, 50, 75, 100), strict=True):
        assert re.fullmatch(rf"embed: {done}/100, \d+/s" + (r", \d+ s left" if done < 100 else ""), line)


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
