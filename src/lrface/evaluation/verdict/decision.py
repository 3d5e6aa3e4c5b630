"""Whether a pair goes to production: the rule on the gain, and the gates that no gain may jump."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lrface.errors import EvaluationError
from lrface.evaluation.settings import DecisionSettings
from lrface.evaluation.verdict.compare import Comparison, Difference, title
from lrface.evaluation.verdict.gates import SLACK, Gate, Side, gate
from lrface.metrics.statistics import Interval

GAINS = ("rank", "tar_at_far_", "tpir_at_fpir_", "correct")
"""What a gain may be measured in starts so; five points of PSNR would be five hundredths of a dB."""

DIRECT_GATE = "gain_low.direct"
"""The gate that a pair fails where a recogniser that was shown small faces directly is as good."""


class Decision(StrEnum):
    """What the rule says about a gain."""

    PROMOTE = "promote"
    TUNE = "tune"
    KEEP = "keep"
    REVERT = "revert"


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why.

    Attributes:
        decision: What the rule says about the gain over the pair in place.
        promoted: Whether the rule says promote and every gate holds.
        gain: The gain over the pair in place (bicubic where there is none), first - second.
        low: Lower end of its interval.
        high: Upper end of its interval.
        gates: Every gate, passed or not.
        protocol: Hash of the protocol.
        lines: All of it in words.
        sentence: The decision and its reason in one sentence.
    """

    decision: Decision
    promoted: bool
    gain: float
    low: float
    high: float
    gates: tuple[Gate, ...]
    protocol: str
    lines: tuple[str, ...]
    sentence: str = ""

    @property
    def recommends_direct(self) -> bool:
        """Whether the direct recogniser alone is as good as the pair."""
        return any(map(_is_direct, self.failed))

    @property
    def failed(self) -> tuple[Gate, ...]:
        """The gates that do not hold."""
        return tuple(held for held in self.gates if not held.passed)

    def tags(self) -> dict[str, str]:
        """Gives decision, gain, interval and every gate as tags of a model version."""
        tags = {
            "verdict": self.decision.value,
            "verdict.promoted": str(self.promoted).lower(),
            "verdict.gain": f"{self.gain:+.4f}",
            "verdict.interval": f"[{self.low:+.4f}, {self.high:+.4f}]",
            "verdict.protocol": self.protocol,
        }
        for held in self.gates:
            tags[f"gate.{held.name}"] = f"{'passed' if held.passed else 'failed'}: {held.line}"
        return tags


def rule_on_gain(gain: float, settings: DecisionSettings | None = None) -> Decision:
    """Applies the rule: over 5 points promote, 2 to 5 tune, under 2 keep, negative revert."""
    chosen = settings or DecisionSettings()
    if gain > chosen.promote_over + SLACK:
        return Decision.PROMOTE
    if gain >= chosen.tune_from - SLACK:
        return Decision.TUNE
    return Decision.KEEP if gain >= -SLACK else Decision.REVERT


def _needed(comparison: Comparison, metric: str) -> Difference:
    if metric not in comparison.differences:
        raise EvaluationError(
            f"verdict on {title(comparison.first)}",
            got=f"no {metric} in the comparison",
            expected=f"one of {', '.join(comparison.differences)}",
            remedy="choose another metric, or evaluate it for both",
        )
    return comparison.differences[metric]


def _harm(who: str, comparison: Comparison, settings: DecisionSettings) -> list[Gate]:
    """Lists what must not get worse, whatever was gained."""

    def held(metric: str, about: str, bound: float, side: Side) -> Gate:
        change = _needed(comparison, metric).change
        words = f"{about}, against {_said(who)}"
        return gate(f"{metric}.{who}", words, change, bound, side, comparison.subjects)

    return [
        held("unknown", "faces left without a name", settings.unknown_slack, Side.AT_MOST),
        held("poor_subjects", "people hardly ever named rightly", settings.poor_slack, Side.AT_MOST),
        held("worst_tenth", "the worst tenth of the people", 0.0 - settings.worst_slack, Side.AT_LEAST),
    ]


def _gain(who: str, comparison: Comparison, metric: str) -> Gate:
    change = _needed(comparison, metric).change
    about = f"gain in {shown_metric(metric)} over {_said(who)}"
    return gate(f"gain_low.{who}", about, change, 0.0, Side.ABOVE, comparison.subjects)


def _said(who: str) -> str:
    return {"champion": "the champion", "direct": "direct, which has no super-resolver"}.get(who, who)


def shown_metric(metric: str) -> str:
    """Names a metric as a sentence does."""
    return {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10"}.get(metric, metric)


def _check(comparisons: Sequence[Comparison]) -> None:
    if len({comparison.protocol for comparison in comparisons}) != 1:
        raise EvaluationError(
            "verdict",
            got="comparisons on several protocols",
            expected="one protocol",
            remedy="evaluate candidate, champion and bicubic on the same protocol file",
        )


def decide(
    against_bicubic: Comparison,
    against_champion: Comparison | None,
    high_resolution: Comparison,
    settings: DecisionSettings | None = None,
    against_direct: Comparison | None = None,
) -> Verdict:
    """Decides about a candidate pair.

    The rule is applied to the gain over the champion, or over bicubic where no champion is in place. Beyond it the
    interval of the gain over each of the two must lie above zero, and none of the gates may fail. A pair must also be
    better than a recogniser that was shown small faces directly, which costs less: where it is not, that one is
    recommended.

    Args:
        against_bicubic: Candidate against bicubic with the recogniser that is in place.
        against_champion: Candidate against the champion; None where there is none.
        high_resolution: HR of the candidate's recogniser against HR of the one in place.
        settings: Bounds.
        against_direct: Candidate against bicubic with the direct recogniser; None where there is none, or where the
            candidate is that recogniser.

    Raises:
        EvaluationError: Comparisons on different protocols, or a metric that one of them lacks.
    """
    chosen = settings or DecisionSettings()
    if not chosen.metric.startswith(GAINS):
        raise EvaluationError(
            "verdict",
            got=f"decision.metric={chosen.metric}",
            expected=f"a share of which more is better, as its bounds are points: one of {', '.join(GAINS)}...",
            remedy="choose rank1, tar_at_far_1e-2 or correct",
        )
    references = {"bicubic": against_bicubic}
    if against_champion is not None:
        references["champion"] = against_champion
    direct = [] if against_direct is None else [against_direct]
    _check([*references.values(), *direct, high_resolution])
    gates: list[Gate] = []
    for who, comparison in references.items():
        gates += [_gain(who, comparison, chosen.metric), *_harm(who, comparison, chosen)]
    gates += [_gain("direct", comparison, chosen.metric) for comparison in direct]
    change = _needed(high_resolution, "rank1").change
    bound = 0.0 - chosen.hr_slack
    gates.append(gate("hr_rank1", "rank-1 at full size", change, bound, Side.AT_LEAST, high_resolution.subjects))
    in_place = against_champion or against_bicubic
    gain = _needed(in_place, chosen.metric).change
    decision = rule_on_gain(gain.value, chosen)
    promoted = decision is Decision.PROMOTE and all(held.passed for held in gates)
    name = "the champion" if against_champion else "bicubic"
    return Verdict(
        decision=decision,
        promoted=promoted,
        gain=gain.value,
        low=gain.low,
        high=gain.high,
        gates=tuple(gates),
        protocol=in_place.protocol,
        lines=tuple(_words(decision, promoted, name, in_place, chosen, gates, against_direct)),
        sentence=_sentence(decision, promoted, name, gain, gates, chosen),
    )


def _sentence(
    decision: Decision,
    promoted: bool,
    over: str,
    gain: Interval,
    gates: Sequence[Gate],
    settings: DecisionSettings,
) -> str:
    """Says what was decided and why."""
    failed = [held for held in gates if not held.passed]
    gained = (
        f"{100 * gain.value:+.1f} points of {shown_metric(settings.metric)} over {over} "
        f"[{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    )
    if promoted:
        return f"Promoted: {gained}, and all {len(gates)} gates hold."
    if decision is Decision.PROMOTE:
        reasons = "; ".join(f"{held.about}: {held.found}, {held.answer}" for held in failed)
        hold = "does not hold" if len(failed) == 1 else "do not hold"
        return f"Not promoted: {gained}, but {len(failed)} of {len(gates)} gates {hold}: {reasons}."
    wanted = f"promotion asks for more than {100 * settings.promote_over:g}"
    direct = (
        "; direct alone is not shown to be worse and costs less" if any(_is_direct(held) for held in failed) else ""
    )
    return f"Not promoted: {gained}, and {wanted}{direct}."


def _is_direct(held: Gate) -> bool:
    return held.name == DIRECT_GATE


def _words(
    decision: Decision,
    promoted: bool,
    name: str,
    in_place: Comparison,
    settings: DecisionSettings,
    gates: Sequence[Gate],
    direct: Comparison | None,
) -> list[str]:
    gain = in_place.differences[settings.metric].change
    failed = [held for held in gates if not held.passed]
    lines = [
        f"{settings.metric} of {title(in_place.first)}: {100 * gain.value:+.1f} points over {name}, "
        f"interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}: the rule says {decision.value}",
    ]
    lines += [f"gate {held.name}: {held.line}" for held in gates]
    if direct is not None and any(map(_is_direct, failed)):
        over = direct.differences[settings.metric].change
        lines.append(
            f"recommended: {title(direct.second)}, without a super-resolver: over it {title(direct.first)} gains "
            f"{100 * over.value:+.1f} points, interval {100 * over.low:+.1f} to {100 * over.high:+.1f}, and costs more"
        )
    if promoted:
        lines.append("verdict: promote; the rule says so and every gate holds")
    elif decision is Decision.PROMOTE:
        lines.append(f"verdict: do not promote; not held: {', '.join(held.name for held in failed)}")
    else:
        lines.append(f"verdict: do not promote; the rule says {decision.value}")
    return lines
