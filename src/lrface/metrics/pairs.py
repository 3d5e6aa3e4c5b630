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
EXACT_SUBJECTS = 200  # up to here impostor counts are kept for each two subjects: 200 x 200 x 200 x 4 bytes


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
        self._exact = subjects <= EXACT_SUBJECTS

    def _classed(self, scores: np.ndarray, group: np.ndarray, groups: int | None = None) -> np.ndarray:
        """Counts, for each group, the scores at or above each limit; float32, groups x limits (falling)."""
        width = len(self._cuts) + 1
        rising = self._cuts[::-1]
        place = width - 1 - np.searchsorted(rising, scores, side="right")
        count = self._count if groups is None else groups
        flat = np.bincount(group.astype(np.int64) * width + place, minlength=count * width)
        return np.asarray(np.cumsum(flat.reshape(count, width), axis=1)[:, : len(self._cuts)], np.float32)

    @cached_property
    def _impostor_counts(self) -> np.ndarray:
        if self._exact:
            both = self._left.astype(np.int64) * self._count + self._right
            return self._classed(self._impostor, both, self._count**2).reshape(self._count, self._count, -1)
        by_left = self._classed(self._impostor, self._left)
        return np.asarray(by_left + self._classed(self._impostor, self._right), np.float32)

    @cached_property
    def _impostor_pairs(self) -> np.ndarray:
        flat = np.bincount(self._left.astype(np.int64) * self._count + self._right, minlength=self._count**2)
        return np.asarray(flat.reshape(self._count, self._count), np.float64)

    def _impostor_moment(self, values: np.ndarray) -> np.ndarray:
        both = self._left.astype(np.int64) * self._count + self._right
        sums = np.bincount(both, weights=values, minlength=self._count**2)
        return np.asarray(sums.reshape(self._count, self._count))

    @staticmethod
    def _two_way(weights: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Sums w_i w_j table_ij in each replicate."""
        return np.asarray(((weights @ table) * weights).sum(axis=1))

    def curves(self, weights: Float[np.ndarray, "b s"]) -> tuple[np.ndarray, np.ndarray]:
        """Gives FAR and TAR at the class limits in each replicate; both b x k, rising; NaN where undefined."""
        pairs = self._two_way(weights.astype(np.float64), self._impostor_pairs)
        if self._exact:
            counts = np.stack(
                [self._two_way(weights, self._impostor_counts[:, :, k]) for k in range(len(self._cuts))], axis=1
            )
        else:
            # First order in the weights, w_i w_j = w_i + w_j - 1 + (w_i - 1)(w_j - 1): with so many subjects the
            # last term is small beside the others.
            counts = weights @ self._impostor_counts - self._impostor_counts.sum(axis=0) / 2.0
            counts = np.maximum.accumulate(np.maximum(counts, 0.0), axis=1)
            of_each = self._impostor_pairs.sum(axis=0) + self._impostor_pairs.sum(axis=1)
            pairs = weights @ of_each - self._impostor_pairs.sum()
        genuine_pairs = weights @ np.bincount(self._genuine_of, minlength=self._count)
        with np.errstate(divide="ignore", invalid="ignore"):
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
        wide = weights.astype(np.float64)
        pairs = self._two_way(wide, self._impostor_pairs)
        total = self._two_way(wide, self._impostor_moment(self._impostor.astype(np.float64)))
        return np.asarray(np.divide(total, pairs, out=np.full(len(weights), np.nan), where=pairs > 0))

    def dprime(self, weights: Float[np.ndarray, "b s"]) -> Float[np.ndarray, " b"]:
        """Computes d' in each replicate."""
        wide = weights.astype(np.float64)
        impostor = self._impostor.astype(np.float64)
        own = self._genuine_scores.astype(np.float64)

        def per_subject(values: np.ndarray) -> np.ndarray:
            return np.asarray(wide @ np.bincount(self._genuine_of, weights=values, minlength=self._count))

        with np.errstate(divide="ignore", invalid="ignore"):
            pairs = self._two_way(wide, self._impostor_pairs)
            low = self._two_way(wide, self._impostor_moment(impostor)) / pairs
            low_spread = self._two_way(wide, self._impostor_moment(impostor**2)) / pairs - low**2
            count = per_subject(np.ones_like(own))
            high = per_subject(own) / count
            high_spread = per_subject(own**2) / count - high**2
            return np.asarray((high - low) / np.sqrt((low_spread + high_spread) / 2.0))


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
