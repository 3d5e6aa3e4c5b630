"""The threshold from -1 to 1: what is named rightly, wrongly, not at all, and who is taken for somebody else."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from lrface.base.settings import Settings
from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Kept
from lrface.metrics.verification import threshold_at_far


class SweepSettings(Settings):
    """How the threshold is swept."""

    steps: int = Field(default=401, ge=3, description="thresholds from -1 to 1, both included")
    false_alarm: float = Field(default=0.01, gt=0.0, le=1.0, description="false alarm rate to stay at or under")


@dataclass(frozen=True)
class SweepPoint:
    """The shares at one threshold.

    Attributes:
        threshold: Scores at or above it name somebody.
        correct: Share of mated probes named rightly.
        wrong: Share of mated probes named wrongly.
        unknown: Share of mated probes not named.
        false_alarm: Share of strangers named; NaN where there is no stranger.
    """

    threshold: float
    correct: float
    wrong: float
    unknown: float
    false_alarm: float


@dataclass(frozen=True)
class Sweep:
    """A sweep and its two best thresholds.

    Attributes:
        table: threshold, correct, wrong, unknown, false_alarm; one row per threshold.
        by_correct: Most correct identifications; among equals the highest threshold, to the exact score.
        by_false_alarm: The lowest threshold within the wanted false alarm rate; None where too few strangers.
        reason: Why `by_false_alarm` is None, else None.
    """

    table: pd.DataFrame
    by_correct: SweepPoint
    by_false_alarm: SweepPoint | None
    reason: str | None


def point_at(kept: Kept, threshold: float) -> SweepPoint:
    """Computes the shares at one threshold.

    Raises:
        EvaluationError: No mated probe.
    """
    found = kept.mated
    if found.rank.size == 0:
        raise EvaluationError(
            "sweep", got="no probe of an enrolled subject", expected="at least one", remedy="use another protocol"
        )
    named, right = found.best >= threshold, found.rank == 1
    return SweepPoint(
        float(threshold),
        float(np.mean(named & right)),
        float(np.mean(named & ~right)),
        float(np.mean(~named)),
        float(np.mean(kept.strangers >= threshold)) if kept.strangers.size else float("nan"),
    )


def sweep(kept: Kept, settings: SweepSettings | None = None) -> Sweep:
    """Sweeps the threshold over one cell.

    Both best thresholds are chosen on the probes that they are reported on and are a little too good for that; beside
    them stands the one that calibration subjects choose (`threshold_calibrated` of the evaluation).

    Raises:
        EvaluationError: No mated probe.
    """
    chosen = settings or SweepSettings()
    points = [point_at(kept, threshold) for threshold in np.linspace(-1.0, 1.0, chosen.steps)]
    right = kept.mated.best[kept.mated.rank == 1]
    # Raising the threshold can only lose right names: all are kept up to the lowest score among them.
    by_correct = point_at(kept, float(right.min()) if right.size else 1.0)
    limit, reason = threshold_at_far(kept.strangers, chosen.false_alarm)
    return Sweep(
        table=pd.DataFrame([vars(point) for point in points]),
        by_correct=by_correct,
        by_false_alarm=point_at(kept, limit) if reason is None else None,
        reason=reason,
    )
