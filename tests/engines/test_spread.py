"""What is handed to an engine comes back in order, whatever dies on the way."""

import pickle
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.engines.engine import WorkerLostError
from lrface.engines.settings import ClusterSettings
from lrface.engines.spread import as_they_end, engine_of, in_order
from lrface.errors import ClusterError, ConfigError, DataError
from lrface.images.reading.reader import BadImageError


class Deferred:
    """An engine that does a piece when its result is asked for, and loses those that a list says."""

    def __init__(self, workers, lost=()):
        self.workers, self.lost, self.handed, self.most = workers, list(lost), 0, 0
        self.open = set()

    def submit(self, function, *arguments):
        self.handed += 1
        self.open.add(self.handed)
        self.most = max(self.most, len(self.open))
        return self.handed, partial(function, *arguments)

    def result(self, piece):
        number, work = piece
        self.open.discard(number)
        if number in self.lost:
            raise WorkerLostError("killed")
        return pickle.loads(pickle.dumps(work()))  # noqa: S301 - our own

    def first(self, pieces):
        return len(pieces) - 1


def double(number):
    if number == 13:
        raise BadImageError("broken", "x.png", got="13", expected="another", remedy="mend it, or set on_bad_image=skip")
    return 2 * number


@given(st.integers(1, 5), st.integers(0, 30), st.sets(st.integers(1, 40)))
def test_results_come_in_order_and_lost_pieces_are_done_again(workers, count, lost):
    engine = Deferred(workers, lost)
    numbers = [number for number in range(count) if number != 13]
    assert list(in_order(engine, double, numbers, retries=50)) == [2 * number for number in numbers]
    assert engine.most <= 2 * workers


@given(st.integers(1, 5), st.integers(0, 30), st.sets(st.integers(1, 40)))
def test_results_come_as_they_end_each_with_what_it_is_of(workers, count, lost):
    engine = Deferred(workers, lost)
    numbers = [number for number in range(count) if number != 13]
    assert sorted(as_they_end(engine, double, numbers, retries=50)) == [(number, 2 * number) for number in numbers]
    assert engine.most <= workers


def test_a_piece_that_always_kills_its_worker_is_given_up():
    with pytest.raises(ClusterError, match=r"died 3 times \(killed\)"):
        list(in_order(Deferred(2, range(100)), double, [1], retries=2))


def test_an_error_comes_back_as_it_was_raised():
    with pytest.raises(BadImageError) as caught:
        list(in_order(Deferred(2), double, [1, 13], retries=0))
    assert (caught.value.kind, caught.value.got, caught.value.advice) == ("broken", "13", "mend it")
    assert str(caught.value) == "x.png: got 13; expected another; mend it, or set on_bad_image=skip"


@pytest.mark.parametrize("kind", [DataError, ConfigError, ClusterError])
def test_errors_travel_by_pickle(kind):
    error = kind("a", got="b", expected="c", remedy="d")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("submitit", "submitit")])
def test_without_its_package_an_engine_is_refused(engine, package, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with (
        pytest.raises(ConfigError, match=rf"no package {package};.*lrface\[cluster\]"),
        engine_of(ClusterSettings(engine=engine)),
    ):
        pass
