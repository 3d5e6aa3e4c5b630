import numpy as np
import pytest

from lrface.errors import EvaluationError
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


def weighted(pairs, weight):
    """Scores with their weights, pair by pair: genuine w, impostor w + w - 1."""
    same = pairs.left[:, None] == pairs.right[None]
    genuine = same & (pairs.left_rows[:, None] != pairs.right_rows[None])
    both = weight[pairs.left][:, None] + weight[pairs.right][None] - 1.0
    own = np.broadcast_to(weight[pairs.left][:, None], same.shape)
    return pairs.scores[genuine], own[genuine], pairs.scores[~same], both[~same]


def weighted_tar(genuine, own, impostor, both, far):
    """TAR at the lowest impostor score whose weighted share above it is within the rate."""
    order = np.argsort(-impostor)
    share = np.cumsum(both[order]) / both.sum()
    highest_refused = impostor[order][np.flatnonzero(share > far)[0]]
    return own[genuine > highest_refused].sum() / own.sum()


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


def test_replicates_agree_with_pairs_weighted_one_by_one():
    pairs = scores_of()
    weights = draw_weights(15, 12, seed=1)
    bootstrap = PairBootstrap(pairs, 15)
    tars, primes, means = (
        bootstrap.tar_at_far(weights, FARS),
        bootstrap.dprime(weights),
        bootstrap.impostor_mean(weights),
    )
    for place, weight in enumerate(weights):
        genuine, own, impostor, both = weighted(pairs, weight)
        low, high = np.average(impostor, weights=both), np.average(genuine, weights=own)
        spreads = np.average((impostor - low) ** 2, weights=both), np.average((genuine - high) ** 2, weights=own)
        assert means[place] == pytest.approx(low, abs=1e-6)
        assert primes[place] == pytest.approx((high - low) / np.sqrt(np.mean(spreads)), abs=1e-5)
        for column, far in enumerate(FARS):
            # A class holds some impostors, and the curve is steep for so few pairs.
            assert tars[place, column] == pytest.approx(weighted_tar(genuine, own, impostor, both, far), abs=0.05)


def test_the_linear_weights_spread_like_the_written_out_pairs():
    pairs = scores_of(seed=4, subjects=20)
    weights = draw_weights(20, 60, seed=2)
    bootstrap = PairBootstrap(pairs, 20)
    written_out = [resampled(pairs, weight) for weight in weights]
    expected = np.array([tar_at_far(genuine, impostor, 0.1).value for genuine, impostor in written_out])
    found = bootstrap.tar_at_far(weights, [0.1])[:, 0]
    assert np.corrcoef(found, expected)[0, 1] > 0.9
    assert found.std() == pytest.approx(expected.std(), rel=0.2)
    rates = np.array([eer(genuine, impostor) for genuine, impostor in written_out])
    assert np.corrcoef(bootstrap.eer(weights), rates)[0, 1] > 0.9


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
