import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy

from lrface.errors import EvaluationError
from lrface.metrics.diversity import effective_rank, impostor_mean


def units(seed, count, width=12):
    return F.normalize(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("count", [5, 200])
def test_effective_rank_agrees_with_scipy(count):
    values = units(0, count)
    singular = np.linalg.svd(values.double().numpy(), compute_uv=False)
    assert effective_rank(values) == pytest.approx(np.exp(entropy(singular)), abs=1e-6)


def test_effective_rank_knows_collapse_and_full_use():
    assert effective_rank(torch.eye(12)) == pytest.approx(12.0)
    assert effective_rank(units(1, 1).repeat(30, 1)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("bad", [torch.empty(0, 4), torch.zeros(3, 4), torch.full((2, 4), math.nan)])
def test_effective_rank_refuses_what_has_none(bad):
    with pytest.raises(EvaluationError):
        effective_rank(bad)


def test_impostor_mean_agrees_with_all_pairs():
    left, right = units(2, 30), units(3, 20)
    left_labels = np.arange(30) % 7
    right_labels = np.arange(20) % 5
    scores = (left @ right.T).numpy()
    different = left_labels[:, None] != right_labels[None]
    expected = scores[different].mean()
    assert impostor_mean(left, right, left_labels, right_labels) == pytest.approx(expected, abs=1e-6)


def test_one_person_has_no_impostors():
    zeros = np.zeros(4, int)
    assert math.isnan(impostor_mean(units(4, 4), units(5, 4), zeros, zeros))
