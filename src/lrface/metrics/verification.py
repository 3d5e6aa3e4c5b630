"""One-to-one comparison: ROC, equal error rate, true accepts at fixed false accepts, d-prime, accuracies.

A pair is accepted when its score is at or above the threshold. Every figure is read off the exact steps of
the empirical curve; tied scores are accepted or refused together.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lrface.errors import EvaluationError

FLOOR_SLACK = 1e-9  # 0.29 * 100 is 28.999999999999996 in floats and means 29


@dataclass(frozen=True)
class OperatingPoint:
    """A rate read at a fixed rate of errors.

    Attributes:
        value: The rate in [0, 1], or NaN where it cannot be told.
        threshold: Scores at or above it are accepted; NaN where it cannot be told.
        n: How many comparisons the rate is a share of.
        reason: Why the value is NaN, else None.
    """

    value: float
    threshold: float
    n: int
    reason: str | None = None


@dataclass(frozen=True)
class Roc:
    """The exact steps of a receiver operating characteristic, from strict to lax.

    Attributes:
        thresholds: Distinct scores, falling, headed by infinity (nothing accepted); shape k.
        far: Share of impostors at or above each threshold; shape k, rising from 0 to 1.
        tar: Share of genuine pairs at or above each threshold; shape k, rising from 0 to 1.
    """

    thresholds: np.ndarray
    far: np.ndarray
    tar: np.ndarray


def checked_scores(scores: np.ndarray, name: str, least: int = 1) -> np.ndarray:
    """Gives the scores as a flat array, or says what is wrong with them.

    Raises:
        EvaluationError: Fewer than `least` scores, or one that is not finite.
    """
    flat = np.asarray(scores).reshape(-1)
    if flat.size < least:
        raise EvaluationError(
            f"{name} scores",
            got=f"{flat.size}",
            expected=f"at least {least}",
            remedy="give more subjects, or more images of each",
        )
    if not np.isfinite(flat).all():
        raise EvaluationError(
            f"{name} scores",
            got="a score that is not finite",
            expected="numbers",
            remedy="look for a collapsed or diverged network, or an empty embedding",
        )
    return flat


def roc(genuine: Float[np.ndarray, " g"], impostor: Float[np.ndarray, " i"]) -> Roc:
    """Computes every step of the ROC.

    Args:
        genuine: Scores of pairs of the same person.
        impostor: Scores of pairs of different people.

    Raises:
        EvaluationError: One of the two is empty or not finite.
    """
    genuine = checked_scores(genuine, "genuine")
    impostor = checked_scores(impostor, "impostor")
    scores = np.concatenate([genuine, impostor])
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    is_genuine = order < genuine.size
    last_of_tie = np.append(np.flatnonzero(np.diff(falling)), falling.size - 1)
    accepted_genuine = np.cumsum(is_genuine)[last_of_tie]
    accepted_impostor = last_of_tie + 1 - accepted_genuine
    return Roc(
        thresholds=np.concatenate([[np.inf], falling[last_of_tie]]),
        far=np.concatenate([[0.0], accepted_impostor / impostor.size]),
        tar=np.concatenate([[0.0], accepted_genuine / genuine.size]),
    )


def eer(genuine: Float[np.ndarray, " g"], impostor: Float[np.ndarray, " i"]) -> float:
    """Computes the equal error rate, where the ROC (joined by straight lines) has FAR = 1 - TAR.

    Raises:
        EvaluationError: One of the two is empty or not finite.
    """
    return eer_of(roc(genuine, impostor))


def eer_of(curve: Roc) -> float:
    """Computes the equal error rate of a curve that is at hand."""
    excess = curve.far + curve.tar - 1.0  # rises from -1 to 1
    after = int(np.argmax(excess >= 0.0))
    before = after - 1
    share = -excess[before] / (excess[after] - excess[before])
    return float(curve.far[before] + share * (curve.far[after] - curve.far[before]))


def threshold_at_far(impostor: np.ndarray, far: float) -> tuple[float, str | None]:
    """Finds the lowest threshold that accepts no more than floor(far * n) of the impostors.

    Returns:
        The threshold and None, or NaN and the reason why there are too few scores to tell.
    """
    if not 0.0 < far <= 1.0:
        raise EvaluationError(
            "false accept rate", got=f"{far}", expected="above 0 and up to 1", remedy="choose another rate"
        )
    flat = np.asarray(impostor).reshape(-1)
    least = math.ceil(1.0 / far - FLOOR_SLACK)
    if flat.size < least:
        return math.nan, f"too few: {flat.size} impostor scores, at least {least} needed for a rate of {far:g}"
    checked_scores(flat, "impostor")
    allowed = math.floor(far * flat.size + FLOOR_SLACK)
    if allowed >= flat.size:
        return -math.inf, None
    position = flat.size - 1 - allowed
    highest_refused = np.partition(flat, position)[position]
    return float(np.nextafter(highest_refused, highest_refused.dtype.type(np.inf))), None


def tar_at_far(genuine: Float[np.ndarray, " g"], impostor: Float[np.ndarray, " i"], far: float) -> OperatingPoint:
    """Computes the share of genuine pairs accepted at the lowest threshold that keeps FAR at or under `far`.

    Where there are fewer than 1/far impostors the rate is NaN, with the reason.

    Raises:
        EvaluationError: A score that is not finite, or a rate outside (0, 1].
    """
    genuine = np.asarray(genuine).reshape(-1)
    threshold, reason = threshold_at_far(impostor, far)
    if reason is not None:
        return OperatingPoint(math.nan, math.nan, int(genuine.size), reason)
    if genuine.size == 0:
        return OperatingPoint(math.nan, threshold, 0, "too few: no genuine pair")
    checked_scores(genuine, "genuine")
    return OperatingPoint(float(np.mean(genuine >= threshold)), threshold, int(genuine.size))


def dprime(genuine: Float[np.ndarray, " g"], impostor: Float[np.ndarray, " i"]) -> float:
    """Computes d' = (mean of genuine - mean of impostor) / root of the mean of both variances.

    Both variances are those of the sample as a population (division by n). NaN where neither side spreads.

    Raises:
        EvaluationError: One of the two is empty or not finite.
    """
    genuine = checked_scores(genuine, "genuine").astype(np.float64)
    impostor = checked_scores(impostor, "impostor").astype(np.float64)
    spread = math.sqrt((genuine.var() + impostor.var()) / 2.0)
    return float((genuine.mean() - impostor.mean()) / spread) if spread > 0.0 else math.nan


def best_threshold(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """Finds the best accuracy on labelled pairs and a threshold that reaches it.

    Candidates lie half-way between neighbouring distinct scores, and beyond both ends. Among equals the
    middle one is taken: the ends of a plateau are where a new pair would be lost first.

    Returns:
        Accuracy in [0, 1] and the threshold.

    Raises:
        EvaluationError: No pairs, or a score that is not finite.
    """
    scores = checked_scores(scores, "pair").astype(np.float64)
    same = np.asarray(same, dtype=bool).reshape(-1)
    distinct, place = np.unique(scores, return_inverse=True)
    genuine_at = np.bincount(place, weights=same, minlength=distinct.size)
    impostor_at = np.bincount(place, weights=~same, minlength=distinct.size)
    # Right answers when everything from distinct[k] upward is accepted, k = 0..number of distinct scores.
    refused_impostors = np.concatenate([[0.0], np.cumsum(impostor_at)])
    accepted_genuine = np.concatenate([np.cumsum(genuine_at[::-1])[::-1], [0.0]])
    right = refused_impostors + accepted_genuine
    plateau = np.flatnonzero(right == right.max())
    chosen = int(plateau[plateau.size // 2])
    between = (distinct[1:] + distinct[:-1]) / 2.0
    candidates = np.concatenate([[distinct[0] - 1.0], between, [distinct[-1] + 1.0]])
    return float(right[chosen] / scores.size), float(candidates[chosen])


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy over folds.

    Attributes:
        mean: Mean over the folds, in [0, 1].
        deviation: Standard deviation over the folds (division by n).
        accuracies: One per fold.
        thresholds: The threshold of each fold, chosen on the other folds.
    """

    mean: float
    deviation: float
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]


def fold_accuracy(scores: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"], folds: int = 10) -> FoldAccuracy:
    """Computes the accuracy of the LFW protocol: folds in file order, the threshold from the other folds.

    Huang, Ramesh, Berg, Learned-Miller, "Labeled Faces in the Wild", 2007, View 2.

    Raises:
        EvaluationError: Fewer pairs than folds, fewer than two folds, or a score that is not finite.
    """
    scores = checked_scores(scores, "pair", least=max(folds, 2))
    if folds < 2:
        raise EvaluationError("folds", got=f"{folds}", expected="at least 2", remedy="use more folds")
    same = np.asarray(same, dtype=bool).reshape(-1)
    accuracies, thresholds = [], []
    for held_out in np.array_split(np.arange(scores.size), folds):
        others = np.ones(scores.size, dtype=bool)
        others[held_out] = False
        _, threshold = best_threshold(scores[others], same[others])
        thresholds.append(threshold)
        accuracies.append(float(np.mean((scores[held_out] >= threshold) == same[held_out])))
    return FoldAccuracy(float(np.mean(accuracies)), float(np.std(accuracies)), tuple(accuracies), tuple(thresholds))
