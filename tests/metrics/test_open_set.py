import itertools

import numpy as np
import pytest

from lrface.errors import EvaluationError
from lrface.metrics.open_set import NOT_ENROLLED, Strangers, share_interval


def unit(rng, count, width=8):
    drawn = rng.normal(size=(count, width))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_rate_in_a_smaller_gallery_is_that_of_every_gallery_that_can_be_drawn(rng):
    templates, probes = unit(rng, 8), unit(rng, 8)
    people = np.arange(8)
    found = Strangers(probes, templates, people, people).alarms((2, 3), np.array([0.2, 0.5], np.float32))
    scores = probes @ templates.T
    for place, size in enumerate((2, 3)):
        for at, threshold in enumerate((0.2, 0.5)):
            alarms = [
                max(scores[probe, list(chosen)]) >= threshold
                for probe in range(8)
                for chosen in itertools.combinations([other for other in range(8) if other != probe], size)
            ]
            assert found.rates[place, at] == pytest.approx(np.mean(alarms))


def test_who_is_not_enrolled_is_searched_for_among_all(rng):
    templates = unit(rng, 6)
    found = Strangers(templates[:2], templates, np.array([NOT_ENROLLED, 1]), np.array([6, 1]))
    assert found.best[0] == pytest.approx(1)
    assert found.best[1] < 1


def test_each_person_counts_once_however_many_pictures_there_are(rng):
    templates = unit(rng, 5)
    probes = np.concatenate([np.repeat(templates[1:2], 9, axis=0), -templates[2:3]])
    people = np.array([0] * 9 + [3])
    found = Strangers(probes, templates, people, people).alarms((1,), np.array([0.999], np.float32))
    # all nine of person 0 are like template 1, one of the four others; person 3 is like nobody
    assert found.rates[0, 0] == pytest.approx(0.5 * 0.25)
    assert found.searches[0] == 9
    assert found.people[0] == 1


def test_a_threshold_gives_the_rate_that_it_was_asked_for(rng):
    people = np.arange(300)
    found = Strangers(unit(rng, 300), unit(rng, 300), people, people)
    alarms = found.alarms(found.galleries(50))
    threshold, error = alarms.threshold_at(50, 0.05)
    assert 0 < error < 0.1
    assert alarms.rate_at(50, threshold)[0] == pytest.approx(0.05, rel=0.02)
    assert np.isnan(alarms.threshold_at(50, 1e-9)[0])
    assert (np.diff(alarms.rates, axis=0) >= -1e-12).all()
    assert (np.diff(alarms.rates, axis=1) <= 1e-12).all()


def test_alarms_grow_with_the_gallery_where_comparisons_are_independent_and_not_where_one_picture_is_like_all(rng):
    people = np.arange(400)
    independent = Strangers(unit(rng, 400, 12), unit(rng, 400, 12), people, people)
    assert independent.alarms(independent.galleries()).growth(0.05) > 0.85
    alike = unit(rng, 400, 12)
    some = alike.copy()
    some[:, 0] += np.where(np.arange(400) < 40, 6.0, 0.0)
    alike[:, 0] += 6.0
    some, alike = (values / np.linalg.norm(values, axis=1, keepdims=True) for values in (some, alike))
    dependent = Strangers(some, alike, people, people)
    assert dependent.alarms(dependent.galleries()).growth(0.1) < 0.3


def test_the_error_is_that_of_other_people():
    """The jackknife's error against the spread over people drawn anew."""
    found, errors = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        people = np.arange(120)
        alarms = Strangers(unit(rng, 120), unit(rng, 120), people, people, seed).alarms((20,))
        rate, error = alarms.rate_at(20, 0.8)
        found.append(rate)
        errors.append(error)
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.4)


def test_nobody_to_be_taken_for_is_refused(rng):
    with pytest.raises(EvaluationError, match="give more people"):
        Strangers(unit(rng, 3), unit(rng, 1), np.zeros(3, int), np.zeros(3, int))
    with pytest.raises(EvaluationError, match="0 searches"):
        Strangers(unit(rng, 0), unit(rng, 9), np.empty(0, int), np.empty(0, int))


def test_the_interval_of_a_share_holds_no_more_searches_than_there_are():
    exact = share_interval(0.0, float("nan"), 300, 20)
    assert exact.low == 0
    assert 0.01 < exact.high < 0.02
    wide = share_interval(0.1, 0.05, 300, 20)
    assert wide.low < share_interval(0.1, 0.0, 300, 20).low
    assert np.isnan(share_interval(float("nan"), 0.1, 300, 20).low)
