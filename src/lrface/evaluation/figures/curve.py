"""The resolution curve: how small may a face be before we no longer know who it is."""

import pandas as pd

from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Results
from lrface.evaluation.figures.shown import unit_of
from lrface.evaluation.protocol.conditions import CLEAN


def curve_table(results: Results, metric: str = "rank1") -> pd.DataFrame:
    """Gives the curve of one metric: arm, degradation, size, value, low, high; sorted by size.

    Raises:
        EvaluationError: No arm has that metric.
    """
    table = results.table()
    chosen = table[(table["metric"] == metric) & table["value"].notna()]
    if chosen.empty:
        raise EvaluationError(
            "resolution curve",
            got=f"no {metric}",
            expected=f"one of {', '.join(sorted(set(table['metric'])))}",
            remedy="choose a metric that was measured",
        )
    columns = ["arm", "degradation", "size", "value", "low", "high", "n"]
    return chosen[columns].sort_values(["arm", "degradation", "size"], ignore_index=True)


def curve_lines(table: pd.DataFrame, metric: str = "rank1") -> list[str]:
    """Gives the curve as lines for a terminal: its unit, then a row per condition and arm, a column per size."""
    scale, digits, unit = unit_of(metric)
    wide = table.assign(value=scale * table["value"]).pivot(
        index=["degradation", "arm"], columns="size", values="value"
    )
    order = table.set_index(["degradation", "arm"]).index.unique()
    text: str = wide.reindex(order).round(digits).to_string(na_rep="")
    return [f"{metric}{f', {unit}' if unit else ''}, by side of the face in pixels:", *text.splitlines()]


def smallest_size(table: pd.DataFrame, arm: str, wanted: float, degradation: str = CLEAN) -> float | None:
    """Reads off the side in pixels above which an arm stays at or over a wanted figure.

    Between two measured sizes the curve is taken as straight. None where it falls short at the largest size; the
    smallest measured size where it never does.
    """
    rows = table[(table["arm"] == arm) & (table["degradation"] == degradation)].sort_values("size", ascending=False)
    reached: float | None = None
    previous: tuple[float, float] | None = None
    for size, value in zip(rows["size"].astype(float), rows["value"].astype(float), strict=True):
        if value < wanted:
            if previous is None:
                return None
            share = (wanted - value) / (previous[1] - value)
            return float(size + share * (previous[0] - size))
        reached, previous = size, (size, value)
    return reached
