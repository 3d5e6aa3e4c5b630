"""Whether embeddings still tell people apart: effective rank, mean score between different people."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrface.errors import EvaluationError


def effective_rank(embeddings: Float[Tensor, "n d"]) -> float:
    """Computes how many directions the embeddings really use, from 1 to min(n, d).

    exp of the entropy of the normalised singular values: Roy and Vetterli, "The effective rank", EUSIPCO
    2007, equations 2 to 4. The mean is not taken out: a network that gives every face one point must score 1.

    Raises:
        EvaluationError: No embedding, or one that is not finite, or all zero.
    """
    values = embeddings.detach().to(torch.float64)
    if values.numel() == 0 or not bool(torch.isfinite(values).all()) or not bool(values.any()):
        raise EvaluationError(
            "effective rank",
            got=f"{tuple(values.shape)} embeddings, empty, zero or not finite",
            expected="finite embeddings that are not all zero",
            remedy="look for a collapsed or diverged network",
        )
    if values.shape[0] > 4 * values.shape[1]:
        singular = torch.linalg.eigvalsh(values.T @ values).clamp_min(0.0).sqrt()
    else:
        singular = torch.linalg.svdvals(values)
    share = singular / singular.sum()
    share = share[share > 0.0]
    return math.exp(float(-(share * share.log()).sum()))


def impostor_mean(
    left: Float[Tensor, "n d"],
    right: Float[Tensor, "m d"],
    left_labels: Int[np.ndarray, " n"],
    right_labels: Int[np.ndarray, " m"],
) -> float:
    """Computes the mean cosine between faces of different people, without forming the n x m pairs.

    Args:
        left: Unit embeddings.
        right: Unit embeddings.
        left_labels: Subject of each left face.
        right_labels: Subject of each right face.

    Returns:
        The mean in [-1, 1], NaN where all faces are of one person.
    """
    labels = np.unique(np.concatenate([left_labels, right_labels]))

    def sums(embeddings: Tensor, of: np.ndarray) -> tuple[Tensor, Tensor]:
        place = torch.from_numpy(np.searchsorted(labels, of)).to(embeddings.device)
        total = torch.zeros(len(labels), embeddings.shape[1], dtype=torch.float64, device=embeddings.device)
        total.index_add_(0, place, embeddings.to(torch.float64))
        return total, torch.bincount(place, minlength=len(labels)).to(torch.float64)

    left_sum, left_count = sums(left, left_labels)
    right_sum, right_count = sums(right, right_labels)
    pairs = left_count.sum() * right_count.sum() - (left_count * right_count).sum()
    total = (left_sum.sum(dim=0) * right_sum.sum(dim=0)).sum() - (left_sum * right_sum).sum()
    return float(total / pairs) if float(pairs) > 0.0 else math.nan
