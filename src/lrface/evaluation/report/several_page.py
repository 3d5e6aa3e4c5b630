"""The table of probes of several pictures, for the page and the terminal."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from lrface.evaluation.figures.several import OVER_MEAN, OVER_ONE
from lrface.evaluation.page import ABSENT, escaped, table_tag

TITLE = "Several pictures a probe"


class Entry(Protocol):
    """A figure of an arm at a size."""

    @property
    def arm(self) -> str:
        """The arm."""

    @property
    def size(self) -> int:
        """Side of the faces, pixels."""

    @property
    def metric(self) -> str:
        """The metric."""

    @property
    def value(self) -> float | None:
        """The figure."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end."""


def is_of_several(metric: str) -> bool:
    """Tells whether a metric is of probes of several pictures."""
    return "_of_" in metric


def is_gain_of_several(metric: str) -> bool:
    """Tells whether a metric says what they gain."""
    return metric.endswith((OVER_ONE, OVER_MEAN))


def several_section(entries: Iterable[Entry]) -> str:
    """Lays out what probes of several pictures give, by arm and size, as HTML; empty where none were measured."""
    by_cell: dict[tuple[str, int], dict[str, Entry]] = {}
    for entry in entries:
        by_cell.setdefault((entry.arm, entry.size), {})[entry.metric] = entry
    names = dict.fromkeys(metric for found in by_cell.values() for metric in found)
    own = [name for name in names if is_of_several(name) and not is_gain_of_several(name)]
    tables = []
    for base in dict.fromkeys(name.rpartition("_of_")[0] for name in own):
        counts = sorted({int(name.rpartition("_of_")[2]) for name in own if name.rpartition("_of_")[0] == base})
        rows = [
            [escaped(f"{arm}, {size} px"), _share(found.get(base)), *_of_counts(found, base, counts)]
            for (arm, size), found in by_cell.items()
            if any(f"{base}_of_{count}" in found for count in counts)
        ]
        columns = [label for k in counts for label in (f"{k} pictures", "over one", "over the plain mean")]
        tables.append(table_tag([f"{base} %", "1 picture", *columns], rows))
    if not tables:
        return ""
    words = (
        "Each column is of the people who have as many pictures; <em>over one</em> is the gain over the same pictures "
        "one by one, <em>over the plain mean</em> what weights and agreement add, in points, 95 % intervals."
    )
    return f'<p class="soft">{words}</p><div class="wide">{"".join(tables)}</div>'


def _of_counts(found: Mapping[str, Entry], base: str, counts: list[int]) -> list[str]:
    cells = []
    for count in counts:
        name = f"{base}_of_{count}"
        cells += [_share(found.get(name)), *(_share(found.get(name + over), "+") for over in (OVER_ONE, OVER_MEAN))]
    return cells


def _share(entry: Entry | None, sign: str = "") -> str:
    if entry is None or entry.value is None:
        return ABSENT
    text = f"{100 * entry.value:{sign}.1f}"
    if entry.low is None or entry.high is None:
        return text
    return f"{text} <small>[{100 * entry.low:{sign}.1f}, {100 * entry.high:{sign}.1f}]</small>"
