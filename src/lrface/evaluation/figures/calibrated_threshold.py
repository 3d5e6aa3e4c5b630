"""The threshold that calibration subjects choose: never the people whom it is reported on.

Where people were set aside for it (or come from the validation split) there is one threshold. Where there are too few
people for that, it is cross-fitted: subjects are dealt out to folds, and the threshold of a fold is chosen on the
strangers of the others.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lrface.metrics.verification import threshold_at_far

FOLDS = 5


@dataclass(frozen=True)
class Calibrated:
    """A threshold, or one per fold.

    Attributes:
        threshold: The threshold, the mean over probes where it was cross-fitted; NaN where it cannot be told.
        mated: The threshold of each mated probe.
        strangers: The threshold of each search of somebody who is not enrolled.
        reason: Why it cannot be told, else None.
    """

    threshold: float
    mated: Float[np.ndarray, " n"]
    strangers: Float[np.ndarray, " m"]
    reason: str | None = None


def _untold(mated: int, strangers: int, reason: str) -> Calibrated:
    return Calibrated(math.nan, np.full(mated, np.nan), np.full(strangers, np.nan), reason)


def calibrated_on(scores: Float[np.ndarray, " c"], rate: float, mated: int, strangers: int) -> Calibrated:
    """Takes the lowest threshold at which calibration probes are named at most at a rate.

    Args:
        scores: Best score of each calibration probe; none of them is enrolled.
        rate: Share of them that may be named, in (0, 1].
        mated: Number of mated probes that it is for.
        strangers: Number of searches of others that it is for.
    """
    threshold, reason = threshold_at_far(scores, rate)
    if reason is not None:
        return _untold(mated, strangers, reason.replace("impostor scores", "calibration probes"))
    return Calibrated(threshold, np.full(mated, threshold), np.full(strangers, threshold))


def cross_fitted(
    scores: Float[np.ndarray, " m"],
    stranger_subjects: Int[np.ndarray, " m"],
    mated_subjects: Int[np.ndarray, " n"],
    rate: float,
    folds: int = FOLDS,
) -> Calibrated:
    """Takes, for the subjects of each fold, the threshold that the strangers of the other folds choose.

    Args:
        scores: Best score of each search of somebody who is not enrolled.
        stranger_subjects: Who was searched for.
        mated_subjects: Subject of each mated probe.
        rate: Share of strangers that may be named, in (0, 1].
        folds: Number of folds; no more than there are subjects.
    """
    subjects = np.unique(np.concatenate([stranger_subjects, mated_subjects]))
    used = min(folds, subjects.size)
    if used < 2:
        return _untold(mated_subjects.size, scores.size, f"too few: {subjects.size} subjects, 2 needed")
    fold_of = dict(zip(subjects.tolist(), (np.arange(subjects.size) % used).tolist(), strict=True))
    of_strangers, of_mated = (
        np.array([fold_of[subject] for subject in part.tolist()], np.int64)
        for part in (stranger_subjects, mated_subjects)
    )
    thresholds = np.empty(used)
    for fold in range(used):
        thresholds[fold], reason = threshold_at_far(scores[of_strangers != fold], rate)
        if reason is not None:
            reason = reason.replace("impostor scores", "searches of strangers of the other folds")
            return _untold(mated_subjects.size, scores.size, reason)
    mated, strangers = thresholds[of_mated], thresholds[of_strangers]
    return Calibrated(float(mated.mean() if mated.size else strangers.mean()), mated, strangers)
