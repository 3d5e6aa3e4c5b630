"""How a figure is written: in its unit, with its interval."""

from lrface.evaluation.page import ABSENT
from lrface.evaluation.results import Record

SHARES = ("rank", "tar_", "correct", "wrong", "unknown", "false_alarm", "tpir_", "eer")


def is_share(metric: str) -> bool:
    """Tells whether a metric is a share, to be shown in per cent."""
    return metric.startswith(SHARES)


def shown(entry: Record | None) -> str:
    """Gives a figure with its interval, as HTML; a dash where it could not be told."""
    if entry is None or entry.value is None:
        return ABSENT
    scale, digits = (100.0, 1) if is_share(entry.metric) else (1.0, 3)
    if entry.metric in ("psnr", "effective_rank", "dprime"):
        digits = 2
    if entry.metric == "subjects_under_15":
        digits = 0
    text = f"{scale * entry.value:.{digits}f}"
    if entry.low is None or entry.high is None:
        return text
    return f"{text} <small>[{scale * entry.low:.{digits}f}, {scale * entry.high:.{digits}f}]</small>"
