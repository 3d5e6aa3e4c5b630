"""Whether a super-resolver earns its place: the pair against a recogniser that was shown small faces directly.

Beating bicubic before a frozen recogniser says little, for a recogniser that was trained on small faces needs no
super-resolver to read them. So the pair is held against that one, size by size, and its cost stands beside its gain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lrface.evaluation.figures.results import Cell, Results
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison, compare

METRIC = "rank1"
BESIDE = "tar_at_far_1e-2"
NAMES = {METRIC: "rank-1", BESIDE: "TAR at FAR .01"}
QUESTION = "Does super-resolution earn its place here?"


@dataclass(frozen=True)
class Cost:
    """What one face costs on one arm.

    Attributes:
        mmac: Millions of multiply-adds; None where they cannot be counted.
        ms: Time on one thread of the CPU [ms].
    """

    mmac: float | None
    ms: float


@dataclass(frozen=True)
class Worth:
    """The pair held against the direct recogniser.

    Attributes:
        pair: Arm with the super-resolver.
        direct: Arm of bicubic and the recogniser that was shown small faces directly.
        whole: Both over all sizes.
        at: Both at each size.
        costs: By arm.
        seen: By arm, how many faces its networks were shown, in words.
    """

    pair: str
    direct: str
    whole: Comparison
    at: Mapping[int, Comparison]
    costs: Mapping[str, Cost] = field(default_factory=dict)
    seen: Mapping[str, str] = field(default_factory=dict)

    @property
    def earns(self) -> bool:
        """Whether the pair is shown to be better, over all sizes."""
        return self.whole.differences[METRIC].change.low > 0.0

    @property
    def better_at(self) -> tuple[int, ...]:
        """Sizes at which the pair is shown to be better."""
        return tuple(size for size, found in self.at.items() if found.differences[METRIC].change.low > 0.0)

    @property
    def worse_at(self) -> tuple[int, ...]:
        """Sizes at which it is shown to be worse."""
        return tuple(size for size, found in self.at.items() if found.differences[METRIC].change.high < 0.0)

    def answer(self) -> str:
        """The answer in a few words."""
        where = listed(self.better_at)
        if self.earns:
            return f"yes, at {where}" if where else "yes, over all sizes together"
        if where:
            return f"at {where} alone, not over all sizes together"
        if self.whole.differences[METRIC].change.high < 0.0:
            return "no, it does harm"
        return f"no gain is shown, and it does harm at {listed(self.worse_at)}" if self.worse_at else "no gain is shown"

    def lines(self) -> list[str]:
        """All of it in words, the answer first."""
        answer, sizes = self.answer(), ", ".join(map(str, self.at))
        lines = [
            f"{QUESTION} {answer[0].upper()}{answer[1:]}: {self.pair} over {self.direct}, mean over {sizes} px, "
            f"{_all_said(self.whole)}"
        ]
        lines += [f"at {size} px: {_all_said(found)}" for size, found in self.at.items()]
        return lines + [line for line in (self.cost_line(), self.seen_line(), self.recommendation()) if line]

    def cost_line(self) -> str:
        """What both cost, in words."""
        if not {self.pair, self.direct} <= set(self.costs):
            return ""
        pair, direct = self.costs[self.pair], self.costs[self.direct]
        parts = [f"{pair.ms:.1f} against {direct.ms:.1f} ms a face (one CPU thread, this machine)"]
        if pair.mmac is not None and direct.mmac is not None:
            parts.insert(
                0, f"{pair.mmac:,.0f} against {direct.mmac:,.0f} MMAC a face, {pair.mmac / direct.mmac:.1f} times"
            )
        return "it costs " + "; ".join(parts)

    def seen_line(self) -> str:
        """How many faces both were shown, in words."""
        return "faces seen: " + "; ".join(f"{arm}: {said}" for arm, said in self.seen.items()) if self.seen else ""

    def recommendation(self) -> str:
        """What to do where the pair is not shown to be better; nothing where it is."""
        return "" if self.earns else "recommended: direct alone, which costs less and is not shown to be worse"


def weigh(
    results: Results,
    pair: str,
    direct: str,
    sizes: Sequence[int],
    condition: str,
    settings: EvaluationSettings,
    *,
    costs: Mapping[str, Cost] | None = None,
    seen: Mapping[str, str] | None = None,
) -> Worth:
    """Hold a pair against the direct recogniser, both measured in one evaluation.

    Raises:
        EvaluationError: An arm was not evaluated at one of the sizes, or there are no mated probes.
    """

    def against(at: Sequence[int]) -> Comparison:
        one, two = ([Cell(arm, size, condition) for size in at] for arm in (pair, direct))
        return compare(results, one, results, two, settings)

    return Worth(pair, direct, against(sizes), {size: against([size]) for size in sizes}, costs or {}, seen or {})


def present(comparison: Comparison) -> list[str]:
    """The figures that pair and direct are held against each other by, as far as they were told."""
    return [name for name in (METRIC, BESIDE) if name in comparison.differences]


def _all_said(comparison: Comparison) -> str:
    return "; ".join(_said(name, comparison) for name in present(comparison))


def _said(name: str, comparison: Comparison) -> str:
    found = comparison.differences[name]
    change = found.change
    return (
        f"{NAMES[name]} {100 * found.first:.1f} against {100 * found.second:.1f} %, {100 * change.value:+.1f} points "
        f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
    )


def listed(sizes: Sequence[int]) -> str:
    """Names sizes as a sentence does: 8, 12 and 16 px."""
    if not sizes:
        return ""
    *before, last = map(str, sizes)
    return f"{', '.join(before)} and {last} px" if before else f"{last} px"
