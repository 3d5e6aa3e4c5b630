"""How far a figure would move with other people: the bootstrap over subjects, and paired tests.

Faces of one person are alike, so people are drawn, not faces: a replicate gives every subject a weight, how often
it was drawn. Every figure here is a function of those weights, which makes 2,000 replicates a matrix product.

Pairs have two subjects. A subject drawn w_i times brings its genuine pairs w_i times (the subsets bootstrap: Bolle,
Ratha, Pankanti, CVIU 93, 2004). An impostor pair of i and j would come w_i w_j times, but that bootstrap counts the
chance that is in each single pair three times (Owen, "The pigeonhole bootstrap", 2007) and its intervals are too wide;
here it comes w_i + w_j - 1 times, the part of w_i w_j that is linear in the draws. Pairs between two copies of one
subject are the same person against itself and do not occur.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.stats import binomtest, norm, t

from lrface.errors import EvaluationError

LEVEL = 0.95
LIMIT = 1e-12
ALIKE = 0.2  # correlation within subjects; up to 0.19 was measured on differences of rank-1 on real faces


@dataclass(frozen=True)
class Interval:
    """A figure with its confidence interval; the ends are NaN where there is no telling.

    Attributes:
        value: The figure on the sample.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class McNemar:
    """Exact test of two arms on the same probes.

    Attributes:
        only_first: Probes that the first alone gets right.
        only_second: Probes that the second alone gets right.
        probability: Two-sided p of a split at least so uneven, if both were equally good.
    """

    only_first: int
    only_second: int
    probability: float


def draw_weights(subjects: int, replicates: int, seed: int) -> Float[np.ndarray, "replicates subjects"]:
    """Draws how often each subject appears in each bootstrap replicate; rows sum to the number of subjects.

    Raises:
        EvaluationError: No subject.
    """
    if subjects < 1:
        raise EvaluationError("bootstrap", got="no subject", expected="at least 1", remedy="give probes")
    generator = np.random.default_rng(seed)
    return generator.multinomial(subjects, np.full(subjects, 1.0 / subjects), size=replicates).astype(np.float32)


def sums_by_subject(
    values: Shaped[np.ndarray, " n"], subjects: Int[np.ndarray, " n"], count: int
) -> Float[np.ndarray, " count"]:
    """Adds up the values of each subject.

    Args:
        values: One per probe.
        subjects: Subject of each probe, 0 to count - 1.
        count: Number of subjects.
    """
    counted = np.bincount(subjects, weights=np.asarray(values, np.float64), minlength=count)
    return counted.astype(np.float64)  # without any probe numpy counts in whole numbers


def mean_replicates(
    values: Shaped[np.ndarray, " n"], subjects: Int[np.ndarray, " n"], weights: Float[np.ndarray, "b s"]
) -> Float[np.ndarray, " b"]:
    """Computes the mean over probes in each replicate; NaN where a replicate drew none of their subjects."""
    totals = weights @ sums_by_subject(values, subjects, weights.shape[1])
    counts = weights @ sums_by_subject(np.ones(len(subjects)), subjects, weights.shape[1])
    return np.asarray(np.divide(totals, counts, out=np.full(len(weights), np.nan), where=counts > 0))


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise EvaluationError("confidence level", got=f"{level}", expected="between 0 and 1", remedy="0.95 is usual")


def _spread(replicates: np.ndarray, subjects: int) -> float:
    """Standard error with the bootstrap's known shortage for few subjects made good: root of s / (s - 1)."""
    return float(np.std(replicates, ddof=1)) * math.sqrt(subjects / (subjects - 1))


def proportion_interval(
    value: float,
    replicates: Float[np.ndarray, " b"],
    subjects: int,
    level: float = LEVEL,
    *,
    probes: int | None = None,
) -> Interval:
    """Gives the interval of a share in [0, 1] from its bootstrap over subjects.

    The bootstrap tells how many independent probes the sample is worth, value (1 - value) / se^2; that number
    goes into Wilson's interval (1927), with Student's quantile for the few subjects that se rests on. Percentiles
    of the replicates themselves end at 100 % where all probes are right, and cover the truth in 80 % instead of
    95 % of the cases beside it. Where no replicate differs, probes of one subject are taken to be as alike as
    `ALIKE` says (Kish's design effect).

    Args:
        value: The share on the sample.
        replicates: The share in each replicate; NaN ones are left out.
        subjects: Number of subjects that the share is made of.
        level: Confidence.
        probes: Number of faces that the share is made of; None counts each subject as one.
    """
    _check_level(level)
    known = replicates[np.isfinite(replicates)]
    if math.isnan(value) or subjects < 2 or known.size < 2:
        return Interval(value, math.nan, math.nan)
    normal, student = float(norm.ppf(0.5 + level / 2.0)), float(t.ppf(0.5 + level / 2.0, subjects - 1))
    error = _spread(known, subjects)
    faces = float(probes or subjects)
    if error > LIMIT and LIMIT < value < 1.0 - LIMIT:
        worth = min(value * (1.0 - value) / error**2, faces)
    else:
        worth = faces / (1.0 + (faces / subjects - 1.0) * ALIKE)
    worth *= (normal / student) ** 2
    scale = 1.0 + normal**2 / worth
    centre = (value + normal**2 / (2.0 * worth)) / scale
    half = normal / scale * math.sqrt(value * (1.0 - value) / worth + normal**2 / (4.0 * worth**2))
    return Interval(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))


def expanded_interval(
    value: float, replicates: Float[np.ndarray, " b"], subjects: int, level: float = LEVEL
) -> Interval:
    """Gives the expanded percentile interval: Hesterberg, "What teachers should know about the bootstrap", 2015.

    Percentiles further out than the level says, by Student's quantile and the root of s / (s - 1): plain ones
    are too short where there are few subjects.

    Args:
        value: The figure on the sample.
        replicates: The figure in each replicate; NaN ones are left out.
        subjects: Number of subjects that the figure is made of.
        level: Confidence.
    """
    _check_level(level)
    known = replicates[np.isfinite(replicates)]
    if math.isnan(value) or subjects < 2 or known.size < 2:
        return Interval(value, math.nan, math.nan)
    student = float(t.ppf(0.5 + level / 2.0, subjects - 1))
    tail = float(norm.cdf(-math.sqrt(subjects / (subjects - 1)) * student))
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high))


def mean_interval(
    values: Shaped[np.ndarray, " n"],
    subjects: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, "b s"],
    level: float = LEVEL,
) -> Interval:
    """Gives the mean over probes with its interval; shares (all values 0 or 1) by Wilson, else percentiles.

    Raises:
        EvaluationError: No value, or a level outside (0, 1).
    """
    values = np.asarray(values, np.float64)
    if values.size == 0:
        raise EvaluationError("mean", got="no probe", expected="at least 1", remedy="give probes")
    replicates = mean_replicates(values, subjects, weights)
    count = int(np.unique(subjects).size)
    value = float(values.mean())
    if np.isin(values, (0.0, 1.0)).all():
        return proportion_interval(value, replicates, count, level, probes=values.size)
    return expanded_interval(value, replicates, count, level)


def paired_interval(
    first: Shaped[np.ndarray, " _"],
    second: Shaped[np.ndarray, " _"],
    subjects: Int[np.ndarray, " _"],
    weights: Float[np.ndarray, "b s"],
    level: float = LEVEL,
    *,
    shares: bool = False,
) -> Interval:
    """Gives the mean of first - second over the same probes, with its interval over subjects.

    Where hardly a probe differs the bootstrap has nothing to draw from, and none lost of ten would pass for none lost
    at all. The interval of a difference of shares is therefore no shorter than that of independent probes by Agresti
    and Min ("Simple improved confidence intervals for comparing matched proportions", Stat. Med. 24, 2005), who add
    half a probe to each of the four cells of the table.

    Args:
        first: One value per probe.
        second: As many.
        subjects: Subject of each probe.
        weights: Draws of the bootstrap.
        level: Confidence.
        shares: Whether values lie in [0, 1]: right or wrong, or how often.

    Raises:
        EvaluationError: The two are not about the same probes.
    """
    if first.shape != second.shape or first.shape != subjects.shape or first.size == 0:
        raise EvaluationError(
            "paired comparison",
            got=f"{first.size} and {second.size} probes of {subjects.size} labels",
            expected="the same probes, at least one",
            remedy="evaluate both on one protocol",
        )
    difference = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    replicates = mean_replicates(difference, subjects, weights)
    drawn = expanded_interval(float(difference.mean()), replicates, int(np.unique(subjects).size), level)
    if not shares or math.isnan(drawn.low):
        return drawn
    low, high = _matched_shares(difference, level)
    return Interval(drawn.value, max(-1.0, min(drawn.low, low)), min(1.0, max(drawn.high, high)))


def _matched_shares(difference: Float[np.ndarray, " n"], level: float) -> tuple[float, float]:
    """Gives Agresti and Min's interval of matched shares; half a probe more was won, half lost, one the same."""
    count = difference.size + 2.0
    centre = float(difference.sum()) / count
    error = math.sqrt(max(0.0, (float(np.square(difference).sum()) + 1.0) / count - centre**2) / count)
    half = float(norm.ppf(0.5 + level / 2.0)) * error
    return centre - half, centre + half


def mcnemar(first: Bool[np.ndarray, " _"], second: Bool[np.ndarray, " _"]) -> McNemar:
    """Does McNemar's exact test: are the probes that only one arm gets right split evenly?

    It takes probes as independent, which those of one subject are not; the interval over subjects decides.

    Raises:
        EvaluationError: The two are not about the same probes.
    """
    if first.shape != second.shape:
        raise EvaluationError(
            "McNemar's test",
            got=f"{first.size} and {second.size} probes",
            expected="the same probes",
            remedy="evaluate both on one protocol",
        )
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(~first & second))
    apart = only_first + only_second
    probability = float(binomtest(only_first, apart, 0.5).pvalue) if apart else 1.0
    return McNemar(only_first, only_second, probability)


def rates_at(
    false_rates: Float[np.ndarray, "b k"],
    true_rates: Float[np.ndarray, "b k"],
    wanted: Float[np.ndarray, " f"],
) -> Float[np.ndarray, "b f"]:
    """Reads each replicate's curve at wanted rates of errors: the last point that does not exceed them.

    Args:
        false_rates: Rising along k, from 0.
        true_rates: Rising along k.
        wanted: Rates of false accepts.
    """
    return np.stack([_last_within(false_rates, true_rates, rate) for rate in wanted], axis=1)


def _last_within(false_rates: np.ndarray, true_rates: np.ndarray, rate: float) -> np.ndarray:
    within = np.maximum((false_rates <= rate + LIMIT).sum(axis=1) - 1, 0)
    found = np.take_along_axis(true_rates, within[:, None], axis=1)[:, 0]
    return np.where(np.isnan(false_rates[:, -1]), np.nan, found)
