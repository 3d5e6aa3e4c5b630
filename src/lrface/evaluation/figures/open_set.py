"""TPIR over FPIR in each bootstrap replicate: the curve that all open-set figures of a cell are read from."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from lrface.metrics.identification import Identification
from lrface.metrics.statistics import sums_by_subject


def rate_name(rate: float) -> str:
    """Gives 1e-3 for 0.001 and 3e-3 for 0.003."""
    mantissa, exponent = f"{rate:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def open_curve(
    found: Identification,
    strangers: Float[np.ndarray, " s"],
    subjects: tuple[Int[np.ndarray, " m"], Int[np.ndarray, " s"]],
    weights: Float[np.ndarray, "b p"],
    fpirs: Sequence[float],
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """Gives FPIR and TPIR in each replicate at the scores of strangers (rising rates).

    Args:
        found: The search of the mated probes.
        strangers: Best score of each search of somebody who is not enrolled.
        subjects: Whose the mated probes are, and whose those searches.
        weights: How often each subject was drawn in each replicate.
        fpirs: Rates that are going to be read from it.
    """
    of_mated, of_strangers = subjects
    count = weights.shape[1]
    levels = np.unique(np.concatenate([np.logspace(-4, 0, 80), np.asarray(fpirs)]))
    falling = np.sort(strangers)[::-1]
    place = np.minimum((levels * strangers.size + 1e-9).astype(np.int64), strangers.size - 1)
    limits = np.unique(falling[place])[::-1]
    alarms = weights @ sums_by_subject(np.ones(strangers.size), of_strangers, count)
    probes = weights @ sums_by_subject(np.ones(found.rank.size), of_mated, count)
    # Counts are whole numbers, so one product of matrices gives to the bit what one for each limit would.
    named = [sums_by_subject(strangers > limit, of_strangers, count) for limit in limits]
    right = [sums_by_subject((found.best > limit) & (found.rank == 1), of_mated, count) for limit in limits]
    none = np.zeros((len(weights), 1))
    false = weights @ np.stack(named, axis=1) / np.maximum(alarms, 1.0)[:, None]
    true = weights @ np.stack(right, axis=1) / np.maximum(probes, 1.0)[:, None]
    return np.concatenate([none, false], axis=1), np.concatenate([none, true], axis=1)
