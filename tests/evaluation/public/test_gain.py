"""Gains on labelled pairs: what they are, how sure, and of whom the bootstrap is."""

import numpy as np
import pytest

from lrface.evaluation.public.gain import gain_lines, gain_records, gains, pair_weights
from lrface.evaluation.public.sets import PairSet
from lrface.evaluation.public.settings import PairSettings
from lrface.metrics.statistics import Interval
from lrface.metrics.verification import tar_at_far

FOLDS, PAIRS = 5, 60


def made(people=True):
    """Pairs of 40 people, folds of genuine and impostor ones in turn."""
    rng = np.random.default_rng(0)
    own = rng.integers(0, 40, FOLDS * PAIRS)
    other = np.where(np.arange(FOLDS * PAIRS) % 2 == 0, own, (own + rng.integers(1, 40, FOLDS * PAIRS)) % 40)
    owner = np.concatenate([own, other])
    first, second = np.arange(len(own)), len(own) + np.arange(len(own))
    faces = np.zeros((len(owner), 1, 1, 3), np.uint8)
    return PairSet("set", faces, first, second, own == other, FOLDS, owner if people else None)


def scores(pairs, apart, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(np.where(pairs.same, apart, 0.0), 1.0)


@pytest.mark.parametrize("people", [True, False])
def test_an_arm_over_itself_gains_nothing_and_a_clear_gain_is_shown(people):
    pairs, settings = made(people), PairSettings(fars=(0.1,), replicates=200)
    poor, good = scores(pairs, 0.5, 1), scores(pairs, 3.0, 2)

    same, better = gains(good, good, pairs, settings), gains(good, poor, pairs, settings)

    assert set(better) == {"accuracy", "tar_at_far_1e-1"}
    for change in same.values():
        assert (change.value, change.low, change.high) == (0.0, 0.0, 0.0)
    for change in better.values():
        assert 0 < change.low < change.value < change.high


def test_the_gain_in_tar_is_that_of_the_two_figures():
    pairs, settings = made(), PairSettings(fars=(0.1,), replicates=200)
    one, other = scores(pairs, 2.0, 3), scores(pairs, 1.0, 4)

    found = gains(one, other, pairs, settings)["tar_at_far_1e-1"]

    tar = [tar_at_far(values[pairs.same], values[~pairs.same], 0.1).value for values in (one, other)]
    assert found.value == pytest.approx(tar[0] - tar[1])


def test_each_replicate_finds_the_threshold_of_its_own_impostors(monkeypatch):
    """With every pair drawn once a replicate is the sample."""
    pairs = made(people=False)
    one, other = scores(pairs, 2.0, 3), scores(pairs, 1.0, 4)
    seen = []
    monkeypatch.setattr("lrface.evaluation.public.gain.pair_weights", lambda *_: (np.ones((2, len(pairs.same))), 9))
    monkeypatch.setattr(
        "lrface.evaluation.public.gain.expanded_interval",
        lambda value, replicates, units: seen.append((value, replicates)) or Interval(value, 0, 0),
    )

    gains(one, other, pairs, PairSettings(fars=(0.1, 0.05)))

    for value, replicates in seen:
        np.testing.assert_allclose(replicates, value)


def test_a_rate_that_too_few_impostors_tell_is_left_out():
    pairs = made()
    assert set(gains(scores(pairs, 1, 1), scores(pairs, 1, 2), pairs, PairSettings(fars=(1e-3,)))) == {"accuracy"}


def test_people_are_drawn_whole():
    pairs = made()
    weights, units = pair_weights(pairs, 50, 0)

    assert units == 40
    for person in range(40):
        own = pairs.same & (pairs.people[pairs.first] == person)
        assert np.all(weights[:, own] == weights[:, own][:, :1])
    assert pair_weights(made(people=False), 50, 0)[1] == FOLDS * PAIRS


def test_the_answer_names_the_sizes():
    found = gain_records("lfw", "dsr", 8, {"accuracy": Interval(0.03, 0.01, 0.05)}, 300)
    found += gain_records("lfw", "dsr", 12, {"accuracy": Interval(0.01, -0.01, 0.03)}, 300)
    found += gain_records("lfw", "dsr", 16, {"accuracy": Interval(-0.03, -0.05, -0.01)}, 300)

    lines = gain_lines(found, "lfw")

    assert lines[0].endswith("accuracy of dsr over bicubic-direct: better at 8 px, worse at 16 px")
    assert any("+3.00 [+1.00, +5.00]" in line for line in lines)
    assert gain_lines(found, "other") == []


def test_what_the_intervals_are_drawn_over_is_told():
    gain = {"accuracy": Interval(0.03, 0.01, 0.05)}
    named, unnamed = gain_records("lfw", "dsr", 8, gain, 300), gain_records("bin", "dsr", 8, gain, 300, "pairs")
    assert "95 % intervals over people:" in "\n".join(gain_lines([*named, *unnamed], "lfw"))
    assert "95 % intervals over pairs:" in "\n".join(gain_lines([*named, *unnamed], "bin"))
