"""How a figure is written: in its unit, with its interval."""

from lrface.evaluation.figures.results import Record
from lrface.evaluation.page import ABSENT

SHARES = ("rank", "tar_", "correct", "wrong", "unknown", "false_alarm", "tpir_", "eer")


def is_share(metric: str) -> bool:
    """Tells whether a metric is a share, to be shown in per cent."""
    return metric.startswith(SHARES)


def unit_of(metric: str) -> tuple[float, int, str]:
    """Gives by what a metric is multiplied to be read, its digits after the point, and its unit in words."""
    if is_share(metric):
        return 100.0, 1, "per cent"
    if metric == "psnr":
        return 1.0, 2, "dB"
    return 1.0, 0 if metric == "subjects_under_15" else 2 if metric in ("effective_rank", "dprime") else 3, ""


def shown(entry: Record | None) -> str:
    """Gives a figure with its interval, as HTML; a dash where it could not be told."""
    if entry is None or entry.value is None:
        return ABSENT
    scale, digits, _ = unit_of(entry.metric)
    text = f"{scale * entry.value:.{digits}f}"
    if entry.low is None or entry.high is None:
        return text
    return f"{text} <small>[{scale * entry.low:.{digits}f}, {scale * entry.high:.{digits}f}]</small>"
