"""What a super-resolver gains for a recogniser that nobody retrains: SR faces against bicubic ones, size by size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lrface.evaluation.figures.results import Cell, Results
from lrface.evaluation.page import ABSENT, escaped, table_tag
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison, Difference, compare

METRICS: Final = {"rank1": "rank-1", "tar_at_far_1e-2": "TAR at FAR 0.01"}
TITLE: Final = "What the super-resolver gains for a recogniser that nobody retrained"


@dataclass(frozen=True)
class StrangerGain:
    """One super-resolver before one recogniser that took no part in any training.

    Attributes:
        who: The recogniser: its origin.
        arm: The arm with the super-resolver.
        sizes: Sides of the probes in pixels; the last comparison is of all of them together.
        comparisons: That arm against bicubic, one for each size, then one over all where they are several.
    """

    who: str
    arm: str
    sizes: tuple[int, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def whole(self) -> Comparison:
        """The comparison over all sizes."""
        return self.comparisons[-1]

    def lines(self) -> list[str]:
        """Gives the gain over all sizes in words, a line for each figure."""
        sizes = ", ".join(map(str, self.sizes))
        return [
            f"{self.who}, which nobody retrained: {label} at {sizes} px with {self.arm} {100 * found.first:.1f} "
            f"against {100 * found.second:.1f}, {100 * found.change.value:+.1f} points over bicubic, interval "
            f"{100 * found.change.low:+.1f} to {100 * found.change.high:+.1f}"
            for metric, label in METRICS.items()
            if (found := self.whole.differences.get(metric)) is not None
        ]


def stranger_gain(
    results: Results,
    who: str,
    arm: str,
    bicubic: str,
    sizes: Sequence[int],
    degradation: str,
    settings: EvaluationSettings,
) -> StrangerGain | None:
    """Compares an arm with bicubic under the same recogniser; None where there is no size or no mated probe.

    Raises:
        EvaluationError: A cell was not evaluated.
    """
    if not sizes or not results.protocol.mated.rows:
        return None
    groups = [(size,) for size in sizes] + ([tuple(sizes)] if len(sizes) > 1 else [])

    def at(group: Sequence[int]) -> Comparison:
        one, two = ([Cell(name, size, degradation) for size in group] for name in (arm, bicubic))
        return compare(results, one, results, two, settings)

    return StrangerGain(who, arm, tuple(sizes), tuple(at(group) for group in groups))


def stranger_section(gains: Sequence[StrangerGain]) -> str:
    """Gives the section of a report, as HTML; nothing where there is no such recogniser."""
    rows = []
    for gain in gains:
        for comparison in gain.comparisons:
            sizes = "+".join(str(cell.size) for cell in comparison.first)
            cells = [_cell(comparison.differences.get(metric)) for metric in METRICS]
            rows.append([escaped(gain.who), escaped(gain.arm), f"{sizes} px", *cells])
    if not rows:
        return ""
    heads = [f"{label} %: SR, bicubic, gain" for label in METRICS.values()]
    return table_tag(["recogniser", "arm", "side", *heads], rows)


def _cell(found: Difference | None) -> str:
    if found is None:
        return ABSENT
    change = found.change
    return (
        f"{100 * found.first:.1f}, {100 * found.second:.1f}, <strong>{100 * change.value:+.1f}</strong> "
        f"<small>[{100 * change.low:+.1f}, {100 * change.high:+.1f}]</small>"
    )
