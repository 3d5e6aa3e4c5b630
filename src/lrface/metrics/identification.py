"""One-to-many search: ranks, the cumulative match curve, named / misnamed / unknown, open-set rates.

Ties are settled against the probe: a stranger's template that scores as high as the own one is ranked before
it. A network that gives all faces one embedding must not look right by the order of the gallery.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.metrics.verification import OperatingPoint, threshold_at_far

TIE = 1e-6  # cosines closer than this differ by rounding only
NOT_MATED = -1


@dataclass(frozen=True)
class Identification:
    """What a search found for each of n probes.

    Attributes:
        rank: Place of the own template, from 1; 0 for a probe without one. Shape n.
        best: Highest score in the gallery. Shape n.
        named: The template that is answered, an index into the gallery. Shape n.
        mate: Score of the own template; NaN for a probe without one. Shape n.
        stranger: Highest score among the templates of other people, -inf where there is none. Shape n.
    """

    rank: np.ndarray
    best: np.ndarray
    named: np.ndarray
    mate: np.ndarray
    stranger: np.ndarray

    @property
    def mated(self) -> np.ndarray:
        """Which probes have a template in the gallery; bool, shape n."""
        return self.rank > 0


@dataclass(frozen=True)
class Outcomes:
    """Shares of mated probes at a threshold; the three sum to one.

    Attributes:
        correct: Named, and rightly.
        wrong: Named, and wrongly.
        unknown: Not named: the best score is under the threshold.
    """

    correct: float
    wrong: float
    unknown: float


class _Running:
    """The search of one batch of probes, gallery chunk by gallery chunk."""

    def __init__(self, mate: Tensor, mates: Tensor) -> None:
        self.mate, self.mates = mate, mates
        self.before = torch.zeros_like(mates)
        self.stranger = torch.full_like(mate, -math.inf)
        self.stranger_at = torch.full_like(mates, NOT_MATED)

    def add(self, scores: Tensor, start: int, mask: Tensor) -> None:
        """Takes in the scores (probes x templates) of the templates from `start` on; overwrites them and the mask."""
        own = self.mates - start
        here = (own >= 0) & (own < scores.shape[1])
        scores[here, own[here]] = -math.inf
        self.before += torch.ge(scores, (self.mate - TIE).unsqueeze(1), out=mask).sum(dim=1)
        highest, at = scores.max(dim=1)
        better = highest > self.stranger
        self.stranger = torch.where(better, highest, self.stranger)
        self.stranger_at = torch.where(better, at + start, self.stranger_at)

    def result(self) -> list[np.ndarray]:
        """Gives rank, best, named, mate and stranger of the batch."""
        has_mate = self.mates >= 0
        rank = torch.where(has_mate, self.before + 1, 0)
        best = torch.where(has_mate, torch.maximum(self.mate, self.stranger), self.stranger)
        named = torch.where(rank == 1, self.mates, self.stranger_at)
        mate = torch.where(has_mate, self.mate, math.nan)
        return [part.cpu().numpy() for part in (rank, best, named, mate, self.stranger)]


def _check_mates(mates: Tensor, probes: int, templates: int) -> None:
    if templates == 0:
        raise EvaluationError("gallery", got="no template", expected="at least one", remedy="enrol somebody first")
    if mates.shape != (probes,):
        raise EvaluationError(
            "mates of the probes",
            got=f"shape {tuple(mates.shape)}",
            expected=f"({probes},)",
            remedy="give one template index per probe, -1 where there is none",
        )
    if probes and not NOT_MATED <= int(mates.min()) <= int(mates.max()) < templates:
        raise EvaluationError(
            "mates of the probes",
            got=f"{int(mates.min())} to {int(mates.max())}",
            expected=f"-1 to {templates - 1}",
            remedy="give indices into the gallery, -1 for a probe that is not in it",
        )


class _Blocks:
    """Scores and mask of one block, allocated once: made anew for each they would leave the heap in pieces."""

    def __init__(self, probes: int, templates: int, like: Tensor) -> None:
        self.scores = like.new_empty(probes * templates)
        self.mask = torch.empty(probes * templates, dtype=torch.bool, device=like.device)

    def shaped(self, probes: int, templates: int) -> tuple[Tensor, Tensor]:
        """Gives both as probes x templates."""
        count = probes * templates
        return self.scores[:count].view(probes, templates), self.mask[:count].view(probes, templates)


def search(
    probes: Float[Tensor, "n d"],
    templates: Float[Tensor, "g d"],
    mates: Int[Tensor, " _"],
    *,
    probe_batch: int = 2048,
    gallery_batch: int = 8192,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Identification:
    """Searches each probe in the gallery, in blocks: memory grows with the blocks, not with n x g.

    Args:
        probes: Unit embeddings of the probes.
        templates: Unit embeddings, one per enrolled subject.
        mates: Index of each probe's own template, -1 where it has none.
        probe_batch: Probes per block.
        gallery_batch: Templates per block; a block of scores takes 4 x probe_batch x gallery_batch bytes.
        device: Where to compute; None is where the templates are.
        progress: Told (probes done, all probes).

    Raises:
        EvaluationError: An empty gallery, or mates that do not fit it.
    """
    _check_mates(mates, len(probes), len(templates))
    where = templates.device if device is None else torch.device(device)
    templates = templates.to(where)
    types = (np.int64, np.float32, np.int64, np.float32, np.float32)
    found = [np.empty(len(probes), kind) for kind in types]
    blocks = _Blocks(min(probe_batch, len(probes)), min(gallery_batch, len(templates)), templates)
    with torch.inference_mode():
        for start in range(0, len(probes), probe_batch):
            batch = probes[start : start + probe_batch].to(where)
            own = mates[start : start + probe_batch].to(where, torch.int64)
            mate = (batch * templates[own.clamp_min(0)]).sum(dim=1)
            running = _Running(torch.where(own >= 0, mate, math.inf), own)
            for first in range(0, len(templates), gallery_batch):
                chunk = templates[first : first + gallery_batch]
                scores, mask = blocks.shaped(len(batch), len(chunk))
                running.add(torch.mm(batch, chunk.T, out=scores), first, mask)
            for whole, part in zip(found, running.result(), strict=True):
                whole[start : start + probe_batch] = part
            if progress is not None:
                progress(min(start + probe_batch, len(probes)), len(probes))
    return Identification(*found)


def cmc(found: Identification, up_to: int) -> Float[np.ndarray, " up_to"]:
    """Computes the cumulative match curve: share of mated probes with their template in the first k.

    Raises:
        EvaluationError: No mated probe.
    """
    ranks = found.rank[found.mated]
    if ranks.size == 0:
        raise EvaluationError(
            "cumulative match curve",
            got="no probe of an enrolled subject",
            expected="at least one",
            remedy="give enrolled subjects a second image",
        )
    counts = np.bincount(np.minimum(ranks, up_to + 1), minlength=up_to + 2)[1 : up_to + 1]
    return np.asarray(np.cumsum(counts) / ranks.size)


def rank_rate(found: Identification, k: int) -> float:
    """Computes the share of mated probes whose own template is among the first k.

    Raises:
        EvaluationError: No mated probe.
    """
    return float(cmc(found, k)[-1])


def outcomes(found: Identification, threshold: float) -> Outcomes:
    """Splits the mated probes into correct, wrong and unknown at a threshold.

    Raises:
        EvaluationError: No mated probe.
    """
    cmc(found, 1)
    named = found.best[found.mated] >= threshold
    right = found.rank[found.mated] == 1
    return Outcomes(float(np.mean(named & right)), float(np.mean(named & ~right)), float(np.mean(~named)))


def false_alarm(strangers: Float[np.ndarray, " n"], threshold: float) -> float:
    """Computes the share of searches of people who are not enrolled that end in a name.

    Args:
        strangers: The best score of each such search.
        threshold: Scores at or above it name somebody.

    Returns:
        The share, NaN where there is no such search.
    """
    return float(np.mean(strangers >= threshold)) if len(strangers) else math.nan


def tpir_at_fpir(found: Identification, strangers: Float[np.ndarray, " n"], fpir: float) -> OperatingPoint:
    """Computes the share of mated probes that are named rightly while strangers are named at most `fpir`.

    ISO/IEC 19795-1: the true-positive identification rate counts rank 1 at or above the threshold.

    Args:
        found: The search of the mated probes.
        strangers: Best score of each search of somebody who is not enrolled.
        fpir: False-positive identification rate, in (0, 1].

    Returns:
        The rate, NaN with the reason where there are fewer than 1/fpir strangers or no mated probe.
    """
    threshold, reason = threshold_at_far(strangers, fpir)
    count = int(found.mated.sum())
    if reason is not None:
        return OperatingPoint(math.nan, math.nan, count, reason.replace("impostor scores", "non-mated probes"))
    if count == 0:
        return OperatingPoint(math.nan, threshold, 0, "too few: no probe of an enrolled subject")
    return OperatingPoint(outcomes(found, threshold).correct, threshold, count)
