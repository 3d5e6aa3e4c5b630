import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_curve, top_k_accuracy_score
from torch.overrides import TorchFunctionMode

from lrface.errors import EvaluationError
from lrface.metrics.identification import (
    cmc,
    false_alarm,
    outcomes,
    rank_rate,
    search,
    tpir_at_fpir,
)


def units(rng, count, width=16):
    return F.normalize(torch.from_numpy(rng.normal(size=(count, width))).float())


def case(seed=0, probes=120, templates=40, noise=0.25):
    rng = np.random.default_rng(seed)
    gallery = units(rng, templates)
    mates = torch.from_numpy(rng.integers(0, templates, probes))
    jitter = torch.from_numpy(rng.normal(size=(probes, 16))).float() * noise
    return F.normalize(gallery[mates] + jitter), gallery, mates


def test_ranks_agree_with_sklearn():
    probes, gallery, mates = case()
    found = search(probes, gallery, mates)
    scores = (probes @ gallery.T).numpy()
    for k in (1, 5, 10):
        expected = top_k_accuracy_score(mates.numpy(), scores, k=k, labels=np.arange(40))
        assert rank_rate(found, k) == pytest.approx(expected, abs=1e-6)
    curve = cmc(found, 40)
    assert curve[-1] == 1.0
    assert (np.diff(curve) >= 0).all()


def test_blocks_and_the_whole_matrix_say_the_same():
    probes, gallery, mates = case(1)
    mates[::7] = -1
    whole = search(probes, gallery, mates)  # one block holds all
    steps = []
    blocks = search(probes, gallery, mates, probe_batch=11, gallery_batch=7, progress=lambda *told: steps.append(told))
    for name in ("rank", "named"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(blocks, name))
    for name in ("best", "mate", "stranger"):
        np.testing.assert_allclose(getattr(whole, name), getattr(blocks, name), atol=1e-6)
    assert steps[-1] == (120, 120)
    np.testing.assert_array_equal(whole.mated, mates.numpy() >= 0)


def test_the_best_score_and_the_name_are_those_of_a_plain_search():
    probes, gallery, mates = case(2, noise=0.6)
    found = search(probes, gallery, mates)
    scores = (probes @ gallery.T).numpy()
    np.testing.assert_allclose(found.best, scores.max(axis=1), atol=1e-6)
    np.testing.assert_array_equal(found.named, scores.argmax(axis=1))
    scores[np.arange(len(mates)), mates] = -np.inf
    np.testing.assert_allclose(found.stranger, scores.max(axis=1), atol=1e-6)


def test_a_collapsed_network_gets_no_credit_from_ties():
    point = F.normalize(torch.ones(1, 16))
    found = search(point.repeat(6, 1), point.repeat(3, 1), torch.tensor([0, 1, 2, 0, 1, 2]))
    assert rank_rate(found, 1) == 0.0
    assert set(found.rank) == {3}
    assert not (found.named == np.array([0, 1, 2, 0, 1, 2])).any()


def test_outcomes_sum_to_one_and_follow_the_definition():
    probes, gallery, mates = case(3, noise=0.5)
    found = search(probes, gallery, mates)
    share = outcomes(found, 0.6)
    scores = (probes @ gallery.T).numpy()
    named, right = scores.max(axis=1) >= 0.6, scores.argmax(axis=1) == mates.numpy()
    assert (share.correct, share.wrong, share.unknown) == pytest.approx(
        (np.mean(named & right), np.mean(named & ~right), np.mean(~named))
    )
    assert share.correct + share.wrong + share.unknown == pytest.approx(1.0)
    assert outcomes(found, -1.0).unknown == 0.0
    assert outcomes(found, 1.1).unknown == 1.0


def test_open_set_rates_use_the_threshold_that_strangers_set():
    gallery = torch.eye(4)
    probes = F.normalize(torch.tensor([[0.9, 0.1, 0, 0], [0.1, 0.5, 0.4, 0], [0.0, 0.6, 0.5, 0]]))
    found = search(probes, gallery, torch.tensor([0, 1, 2]))
    strangers = np.array([0.95, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert false_alarm(strangers, 0.4) == pytest.approx(0.3)
    point = tpir_at_fpir(found, strangers, 0.1)
    assert point.value == pytest.approx(2 / 3)
    assert np.mean(strangers >= point.threshold) <= 0.1
    assert "non-mated" in tpir_at_fpir(found, strangers, 0.01).reason
    assert math.isnan(false_alarm(np.empty(0), 0.4))


@pytest.mark.parametrize("fpir", [0.3, 0.1, 0.01])
def test_open_set_rates_agree_with_the_steps_of_the_sklearn_curve(fpir):
    probes, gallery, mates = case(5, noise=0.6)
    found = search(probes, gallery, mates)
    strangers = np.random.default_rng(6).normal(0.3, 0.1, 500).astype(np.float32)
    right = np.where(found.rank == 1, found.best, -2.0)
    labels = np.r_[np.ones(right.size), np.zeros(strangers.size)]
    false, true, _ = roc_curve(labels, np.r_[right, strangers], drop_intermediate=False)
    expected = true[false <= fpir + 1e-12].max()
    assert 0.0 < expected < 1.0
    assert tpir_at_fpir(found, strangers, fpir).value == pytest.approx(expected, abs=1e-6)


def test_one_subject_and_no_mated_probe_have_answers():
    alone = search(torch.eye(4)[:2], torch.eye(4)[:1], torch.tensor([0, 0]))
    assert rank_rate(alone, 1) == 1.0
    assert np.isneginf(alone.stranger).all()
    nobody = search(torch.eye(4)[:2], torch.eye(4)[2:], torch.tensor([-1, -1]))
    assert "no probe" in tpir_at_fpir(nobody, nobody.best, 0.5).reason
    with pytest.raises(EvaluationError, match="second image"):
        rank_rate(nobody, 1)


@pytest.mark.parametrize(
    ("gallery", "mates", "message"),
    [
        (torch.empty(0, 4), torch.tensor([0]), "no template"),
        (torch.eye(4), torch.tensor([4]), "-1 to 3"),
        (torch.eye(4), torch.tensor([0, 1]), "shape"),
    ],
)
def test_a_search_that_does_not_fit_is_refused(gallery, mates, message):
    with pytest.raises(EvaluationError, match=message):
        search(torch.eye(4)[:1], gallery, mates)


class Largest(TorchFunctionMode):
    """Remembers the most numbers that any one result held."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


def test_no_block_is_larger_than_asked_for():
    rng = np.random.default_rng(0)
    probes, gallery = units(rng, 300, width=4), units(rng, 400, width=4)
    with Largest() as largest:
        search(probes, gallery, torch.zeros(300, dtype=torch.int64), probe_batch=20, gallery_batch=30)
    assert 20 * 30 <= largest.numbers <= max(20 * 30, 400 * 4)
