import numpy as np
import pytest

from lrface.errors import EvaluationError
from lrface.metrics import pairs as module
from lrface.metrics.pairs import PairBootstrap, PairScores
from lrface.metrics.statistics import draw_weights
from lrface.metrics.verification import dprime, eer, tar_at_far

FARS = (0.1, 0.01)


def scores_of(seed=0, subjects=15, each=4):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(subjects), each)
    people, jitter = rng.normal(size=(subjects, 6)), rng.normal(size=(2, labels.size, 6))
    high, low = (people[labels] + amount * noise for amount, noise in zip((0.4, 0.8), jitter, strict=True))
    high, low = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (high, low))
    rows = np.arange(labels.size)
    return PairScores((high @ low.T).astype(np.float32), labels, labels, rows, rows)


def resampled(pairs, weight):
    """The pairs of one replicate, written out: no copy of a subject meets another copy of itself."""
    drawn = np.repeat(np.arange(len(weight)), weight.astype(int))
    genuine, impostor = [], []
    for left in range(len(drawn)):
        for right in range(len(drawn)):
            rows, columns = pairs.left == drawn[left], pairs.right == drawn[right]
            block = pairs.scores[np.ix_(rows, columns)]
            if left == right:
                genuine.append(block[~np.eye(len(block), dtype=bool)])
            elif drawn[left] != drawn[right]:
                impostor.append(block.ravel())
    return np.concatenate(genuine), np.concatenate(impostor)


def test_a_picture_is_not_compared_with_itself():
    pairs = scores_of(subjects=3, each=2)
    assert pairs.genuine.size == 3 * 2
    assert pairs.impostor.size == 6 * 6 - 3 * 4


def test_replicates_agree_with_pairs_written_out():
    pairs = scores_of()
    weights = draw_weights(15, 12, seed=1)
    bootstrap = PairBootstrap(pairs, 15)
    tars, eers = bootstrap.tar_at_far(weights, FARS), bootstrap.eer(weights)
    primes, means = bootstrap.dprime(weights), bootstrap.impostor_mean(weights)
    written_out = []
    for place, weight in enumerate(weights):
        genuine, impostor = resampled(pairs, weight)
        assert means[place] == pytest.approx(impostor.mean(), abs=1e-6)
        assert primes[place] == pytest.approx(dprime(genuine, impostor), abs=1e-5)
        assert eers[place] == pytest.approx(eer(genuine, impostor), abs=0.01)
        written_out.append([tar_at_far(genuine, impostor, far).value for far in FARS])
    expected = np.array(written_out)
    assert np.abs(tars - expected).max() < 0.06  # a class holds some impostors; the curve is steep for so few pairs
    assert np.abs(tars - expected).mean() < 0.02
    assert all(np.corrcoef(tars[:, column], expected[:, column])[0, 1] > 0.95 for column in range(len(FARS)))


def test_many_subjects_are_counted_to_first_order(monkeypatch):
    pairs = scores_of(subjects=60, each=3)
    weights = draw_weights(60, 300, seed=2)
    exact = PairBootstrap(pairs, 60).tar_at_far(weights, FARS)
    monkeypatch.setattr(module, "EXACT_SUBJECTS", 10)
    first_order = PairBootstrap(pairs, 60).tar_at_far(weights, FARS)
    np.testing.assert_allclose(first_order.std(axis=0), exact.std(axis=0), rtol=0.15)
    np.testing.assert_allclose(first_order.mean(axis=0), exact.mean(axis=0), atol=0.02)


def test_weights_of_one_give_the_sample():
    pairs = scores_of(3)
    bootstrap = PairBootstrap(pairs, 15)
    whole = np.ones((1, 15), np.float32)
    assert bootstrap.dprime(whole)[0] == pytest.approx(dprime(pairs.genuine, pairs.impostor), abs=1e-5)
    assert bootstrap.eer(whole)[0] == pytest.approx(eer(pairs.genuine, pairs.impostor), abs=0.005)


def test_what_has_no_impostors_or_too_many_subjects_is_refused():
    alone = scores_of(subjects=1)
    with pytest.raises(EvaluationError, match="impostor"):
        PairBootstrap(alone, 1)
    with pytest.raises(EvaluationError, match="under 3"):
        PairBootstrap(scores_of(), 3)
