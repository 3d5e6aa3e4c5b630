"""All pairs of HR faces and probes: verification figures and their bootstrap over subjects.

The threshold of a rate such as TAR at FAR 0.001 is found anew in each replicate, from that replicate's impostors.
For that the scores are put into some two hundred classes at the sample's own quantiles; a replicate's counts are then
sums of the subjects' counts, weighted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from lrface.errors import EvaluationError
from lrface.metrics.statistics import rates_at
from lrface.metrics.verification import checked_scores, threshold_at_far

CLASSES = 192


@dataclass(frozen=True)
class PairScores:
    """Scores of every HR face against every probe.

    Attributes:
        scores: Cosines; shape n x m.
        left: Subject of each HR face, 0 to s - 1; shape n.
        right: Subject of each probe, 0 to s - 1; shape m.
        left_rows: Picture of each HR face: a picture is not compared with itself; shape n.
        right_rows: Picture of each probe; shape m.
    """

    scores: Float[np.ndarray, "n m"]
    left: Int[np.ndarray, " n"]
    right: Int[np.ndarray, " m"]
    left_rows: Int[np.ndarray, " n"]
    right_rows: Int[np.ndarray, " m"]

    @cached_property
    def _same(self) -> np.ndarray:
        return np.asarray(self.left[:, None] == self.right[None, :])

    @cached_property
    def _genuine(self) -> np.ndarray:
        return np.asarray(self._same & (self.left_rows[:, None] != self.right_rows[None, :]))

    @cached_property
    def genuine(self) -> np.ndarray:
        """Scores of two pictures of one person; flat."""
        return np.asarray(self.scores[self._genuine])

    @cached_property
    def impostor(self) -> np.ndarray:
        """Scores of two people; flat."""
        return np.asarray(self.scores[~self._same])

    @property
    def subjects(self) -> int:
        """Number of subjects, counted by their highest label."""
        return int(max(self.left.max(initial=-1), self.right.max(initial=-1))) + 1


class PairBootstrap:
    """Replicates of every pair statistic from one table of classed scores.

    Args:
        pairs: The scores; at least one genuine and one impostor pair.
        subjects: Number of subjects that the weights are about.

    Raises:
        EvaluationError: No genuine or no impostor pair, or a score that is not finite.
    """

    def __init__(self, pairs: PairScores, subjects: int) -> None:
        genuine, impostor = checked_scores(pairs.genuine, "genuine"), checked_scores(pairs.impostor, "impostor")
        if pairs.subjects > subjects:
            raise EvaluationError(
                "bootstrap of pairs",
                got=f"labels up to {pairs.subjects - 1}",
                expected=f"under {subjects}",
                remedy="number the subjects from 0",
            )
        self._count = subjects
        self._cuts = _class_limits(impostor, genuine)
        own_left, own_right = np.nonzero(pairs._genuine)
        self._genuine_of = pairs.left[own_left]
        own = pairs.scores[own_left, own_right]
        self._genuine_counts = self._classed(own, self._genuine_of)
        left, right = np.nonzero(~pairs._same)
        self._left, self._right = pairs.left[left], pairs.right[right]
        self._impostor = impostor
        self._genuine_scores = own

    def _classed(self, scores: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Counts, for each subject, the scores at or above each limit; subjects x limits (falling)."""
        width = len(self._cuts) + 1
        place = width - 1 - np.searchsorted(self._cuts[::-1], scores, side="right")
        flat = np.bincount(group.astype(np.int64) * width + place, minlength=self._count * width)
        return np.asarray(np.cumsum(flat.reshape(self._count, width), axis=1)[:, : len(self._cuts)], np.float64)

    @cached_property
    def _impostor_counts(self) -> np.ndarray:
        """The impostor pairs that a subject is in, on either side; subjects x limits."""
        scores = self._impostor
        return np.asarray(self._classed(scores, self._left) + self._classed(scores, self._right))

    @staticmethod
    def _linear(weights: np.ndarray, of_each: np.ndarray) -> np.ndarray:
        """Sums w_i + w_j - 1 over pairs; each pair is counted with both its subjects in `of_each`."""
        return np.asarray(weights.astype(np.float64) @ of_each - of_each.sum(axis=0) / 2.0)

    def _impostor_sum(self, weights: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        of_each = sum(np.bincount(side, weights=values, minlength=self._count) for side in (self._left, self._right))
        return self._linear(weights, np.asarray(of_each, np.float64))

    def curves(self, weights: Float[np.ndarray, "b s"]) -> tuple[np.ndarray, np.ndarray]:
        """Gives FAR and TAR at the class limits in each replicate; both b x k, rising; NaN where undefined."""
        counts = np.maximum.accumulate(np.maximum(self._linear(weights, self._impostor_counts), 0.0), axis=1)
        pairs = self._impostor_sum(weights)
        genuine_pairs = weights @ np.bincount(self._genuine_of, minlength=self._count)
        far = counts / np.where(pairs > 0, pairs, np.nan)[:, None]
        tar = (weights @ self._genuine_counts) / np.where(genuine_pairs > 0, genuine_pairs, np.nan)[:, None]
        zero = np.zeros((len(weights), 1))
        return np.hstack([zero, far]), np.hstack([zero, tar])

    def tar_at_far(self, weights: Float[np.ndarray, "b s"], fars: Sequence[float]) -> Float[np.ndarray, "b f"]:
        """Computes TAR at each FAR in each replicate."""
        far, tar = self.curves(weights)
        return rates_at(far, tar, np.asarray(fars, np.float64))

    def eer(self, weights: Float[np.ndarray, "b s"]) -> Float[np.ndarray, " b"]:
        """Computes the equal error rate in each replicate."""
        far, tar = self.curves(weights)
        excess = far + tar - 1.0
        after = np.argmax(excess >= 0.0, axis=1)
        row = np.arange(len(far))
        before = np.maximum(after - 1, 0)
        step = excess[row, after] - excess[row, before]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(step > 0, -excess[row, before] / step, np.nan)
        return np.asarray(far[row, before] + share * (far[row, after] - far[row, before]))

    def impostor_mean(self, weights: Float[np.ndarray, "b s"]) -> Float[np.ndarray, " b"]:
        """Computes the mean impostor score in each replicate."""
        pairs = self._impostor_sum(weights)
        total = self._impostor_sum(weights, self._impostor.astype(np.float64))
        return np.asarray(np.divide(total, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))

    def dprime(self, weights: Float[np.ndarray, "b s"]) -> Float[np.ndarray, " b"]:
        """Computes d' in each replicate."""
        impostor = self._impostor.astype(np.float64)
        own = self._genuine_scores.astype(np.float64)
        # Squares are taken about the sample's mean, so that nothing is lost in their difference.
        impostor, shift = impostor - impostor.mean(), float(impostor.mean())
        own = own - shift

        def per_subject(values: np.ndarray) -> np.ndarray:
            sums = np.bincount(self._genuine_of, weights=values, minlength=self._count)
            return np.asarray(weights.astype(np.float64) @ sums)

        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = self._impostor_sum(weights)
            low = self._impostor_sum(weights, impostor) / pairs
            low_spread = self._impostor_sum(weights, impostor**2) / pairs - low**2
            count = per_subject(np.ones_like(own))
            high = per_subject(own) / count
            high_spread = per_subject(own**2) / count - high**2
            found = (high - low) / np.sqrt((low_spread + high_spread) / 2.0)
        return np.where(pairs > 0, found, np.nan)


def _class_limits(impostor: np.ndarray, genuine: np.ndarray) -> np.ndarray:
    """Chooses falling limits: evenly over the logarithm of FAR, and over the genuine scores below."""
    rarest = math.log10(1.0 / impostor.size)
    fars = np.logspace(rarest, 0.0, CLASSES)[:-1]
    falling = np.sort(impostor)[::-1]
    allowed = np.minimum((fars * impostor.size + 1e-9).astype(np.int64), impostor.size - 1)
    limits = np.nextafter(falling[allowed], falling.dtype.type(np.inf))
    exact = [
        np.asarray(threshold_at_far(impostor, far)[0], falling.dtype)
        for far in (1e-1, 1e-2, 1e-3, 1e-4)
        if far * impostor.size >= 1.0
    ]
    lowest = np.asarray(min(float(falling[-1]), float(genuine.min())), falling.dtype)
    return np.unique(np.array([*limits, *exact, lowest], falling.dtype))[::-1]
