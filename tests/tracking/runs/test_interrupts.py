import os
import signal
import threading

import pytest

from lrface.tracking.runs.interrupts import is_interrupt, reason, termination_interrupts
from lrface.tracking.runs.starting import start_run


def _terminate(wait):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(wait)


def _train_until_terminated(store, begun):
    with start_run(store, "train", job="train", params={}) as run:
        begun.append(run.run_id)
        run.log_metrics({"loss": 1})
        _terminate(10)


def test_a_termination_ends_the_run_in_order(store):
    begun = []
    with pytest.raises(KeyboardInterrupt):
        _train_until_terminated(store, begun)
    got = store.client.get_run(begun[0])
    assert got.info.status == "KILLED"
    assert got.data.metrics == {"loss": 1.0}
    assert got.data.tags["lrface.error"] == "stopped from outside"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def _end_slowly(ended):
    with termination_interrupts():
        try:
            _terminate(10)
        finally:
            _terminate(0.01)
            ended.append(True)


def test_later_ones_pass_while_the_run_ends():
    ended = []
    with pytest.raises(KeyboardInterrupt):
        _end_slowly(ended)
    assert ended == [True]


def test_a_handler_of_somebody_else_stays():
    got = []
    signal.signal(signal.SIGTERM, lambda number, frame: got.append(number))
    try:
        with termination_interrupts():
            _terminate(0.01)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert got == [signal.SIGTERM]


def test_an_exit_that_an_interrupt_led_to_is_one():
    exits = [SystemExit(1), SystemExit(1)]
    exits[0].__context__ = KeyboardInterrupt()
    exits[1].__context__ = ValueError()
    assert [is_interrupt(error) for error in exits] == [True, False]
    assert reason(exits[0]) == "stopped from outside"
    assert reason(exits[1]) == "left with 1"
    assert reason(ValueError("a\nb")) == "ValueError: a"
