"""The four arms that answer the question: bicubic as it was, direct, the pair, and HR as the ceiling.

Eight arms within each other's bands say nothing. These four are what the terminal, the first screen of a report and the
parent run of a cycle show; all others are one step away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrface.evaluation.figures.results import Cell, Record, Results
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.verdict.compare import Comparison, compare
from lrface.evaluation.verdict.decision import Verdict, shown_metric
from lrface.evaluation.verdict.worth import Worth
from lrface.images.sizes import FACE_SIZE
from lrface.metrics.statistics import Interval

METRIC = "rank1"
CURVES = (METRIC, "tar_at_far_1e-2")
BICUBIC, DIRECT, PAIR, HIGH = "bicubic", "direct", "pair", "HR"
ABOUT = {
    BICUBIC: "small faces enlarged by bicubic, before the recogniser that there was before",
    DIRECT: "the same, before a recogniser that was shown small faces; no super-resolver",
    PAIR: "the super-resolver and its recogniser",
    HIGH: "the faces at full size: the ceiling",
}


@dataclass(frozen=True)
class Lead:
    """The arms by what they are.

    Attributes:
        arms: Names of arms by `bicubic`, `direct`, `pair` and `HR`, in this order, as far as they were measured;
            where the pair is held against another pair, that one too, under its own name.
        own: Which of them is judged: `pair` where there is a super-resolver.
        condition: How the small faces were made.
        sizes: Sides at which they were measured [pixels].
    """

    arms: Mapping[str, str]
    own: str
    condition: str
    sizes: tuple[int, ...]

    def figures(self, results: Results, metric: str = METRIC) -> dict[str, dict[int, Record]]:
        """Gives, by what an arm is, its figures by size, those that could be told."""
        wanted = {arm: name for name, arm in self.arms.items()}
        found: dict[str, dict[int, Record]] = {name: {} for name in self.arms}
        for entry in results.records:
            if entry.metric != metric or entry.value is None or entry.arm not in wanted:
                continue
            if wanted[entry.arm] == HIGH or (entry.degradation == self.condition and entry.size in self.sizes):
                found[wanted[entry.arm]][entry.size] = entry
        return {name: by_size for name, by_size in found.items() if by_size}


@dataclass(frozen=True)
class Gain:
    """A difference between two arms with its paired interval.

    Attributes:
        over: What the pair is held against, in words.
        at: At which size, in words.
        change: pair - reference, a share.
        whole: Whether it is over all sizes.
    """

    over: str
    at: str
    change: Interval
    whole: bool = False


def lead_of(
    results: Results,
    arms: Sequence[Arm],
    headline: Cell,
    worth: Worth | None = None,
    comparisons: Sequence[Comparison] = (),
) -> Lead:
    """Finds the four among the arms that were measured.

    Args:
        results: The evaluation.
        arms: The arms of it.
        headline: The pair at the size and under the condition that a report is about.
        worth: The pair against direct, if that was measured.
        comparisons: What the pair was held against; the first that is bicubic is the one that the gain is told over.
    """
    known = {arm.name: arm for arm in arms}
    judged = known.get(headline.arm)
    floors = [arm.name for arm in arms if arm.upscaler is bicubic and not arm.judges]
    held = [other.second[0].arm for other in comparisons if other.first[0].arm == headline.arm]
    direct = worth.direct if worth is not None else None
    own = PAIR if judged is not None and judged.upscaler not in {None, bicubic} else headline.arm
    named: dict[str, str] = {}
    floor = next((name for name in [*held, *floors] if name in floors and name not in {direct, headline.arm}), None)
    if floor is not None:
        named[BICUBIC] = floor
    if direct is not None:
        named[DIRECT] = direct
    others = held or [arm.name for arm in arms if floor is None and not arm.is_ceiling and not arm.judges][:1]
    named |= {name: name for name in others if name not in {*named.values(), headline.arm}}
    named[own] = headline.arm
    ceilings = [arm for arm in arms if arm.is_ceiling and not arm.judges]
    same = [arm.name for arm in ceilings if judged is not None and arm.embedder is judged.embedder]
    high = next(iter([*same, *(arm.name for arm in ceilings)]), None)
    if high is not None and high not in named.values():
        named[HIGH] = high
    shown = {name for name in named.values() if name != high}
    sizes = {cell.size for cell in results.cells if cell.arm in shown and cell.degradation == headline.degradation}
    return Lead(named, own, headline.degradation, tuple(sorted(sizes)))


def gains(results: Results, lead: Lead, verdict: Verdict | None) -> list[Gain]:
    """What the judged arm gains over each other at each size and over all, and what it loses at full size."""
    if not results.protocol.mated.rows:
        return []
    pair = lead.arms[lead.own]
    others = {f"over {name}": arm for name, arm in lead.arms.items() if name not in {lead.own, HIGH}}
    found: list[Gain] = []
    for over, reference in others.items():
        both = [
            size
            for size in lead.sizes
            if all(Cell(arm, size, lead.condition) in results.kept for arm in (pair, reference))
        ]
        groups = [(f"{size} px", [size]) for size in both] + ([("all sizes", both)] if len(both) > 1 else [])
        for at, group in groups:
            one, two = ([Cell(arm, size, lead.condition) for size in group] for arm in (pair, reference))
            change = compare(results, one, results, two).differences[METRIC].change
            found.append(Gain(over, at, change, len(group) > 1))
    full = [held for held in (verdict.gates if verdict is not None else ()) if held.name == "hr_rank1"]
    found += [
        Gain("full size, before and after", f"{FACE_SIZE} px", Interval(held.figure, held.low, held.high))
        for held in full
    ]
    return found


def table_rows(results: Results, lead: Lead, metric: str = METRIC) -> list[list[str]]:
    """Gives the heads and a row for each of the four: per cent by size with 95 % intervals; nothing if none is told."""
    figures = lead.figures(results, metric)
    sizes = sorted({size for by_size in figures.values() for size in by_size})
    if not sizes:
        return []
    rows = [[f"{shown_metric(metric)} %, [95 % interval]", *(f"{size} px" for size in sizes)]]
    return rows + [[name, *(_told(by_size.get(size)) for size in sizes)] for name, by_size in figures.items()]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Gives rows as lines, with their columns one beneath the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _told(entry: Record | None) -> str:
    if entry is None or entry.value is None:
        return ""
    if entry.low is None or entry.high is None:
        return f"{100 * entry.value:.1f}"
    return f"{100 * entry.value:.1f} [{100 * entry.low:.1f}, {100 * entry.high:.1f}]"


def curves(results: Results, lead: Lead) -> dict[int, dict[str, float]]:
    """Gives the figures of the four by size, for a tracker that draws a metric over its steps: `by_size/rank1_pair`.

    HR has one size, and stands apart: `full_size/rank1`.
    """
    found: dict[int, dict[str, float]] = {}
    for metric in CURVES:
        for name, by_size in lead.figures(results, metric).items():
            for size, entry in by_size.items():
                key = f"full_size/{metric}" if name == HIGH else f"by_size/{metric}_{name}"
                found.setdefault(size, {})[key] = float(entry.value or 0.0)
    return dict(sorted(found.items()))
