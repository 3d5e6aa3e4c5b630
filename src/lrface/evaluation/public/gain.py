"""What one arm gains over another on the same labelled pairs, with its interval over people."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.public.records import PublicRecord, made
from lrface.evaluation.public.sets import PairSet
from lrface.evaluation.public.settings import PairSettings
from lrface.evaluation.verdict.worth import QUESTION, listed
from lrface.metrics.statistics import Interval, draw_weights, expanded_interval, rates_at
from lrface.metrics.verification import fold_accuracy, tar_at_far

OVER = "_over_direct"


def pair_weights(pairs: PairSet, replicates: int, seed: int) -> tuple[Float[np.ndarray, "b p"], int]:
    """How often each pair counts in each bootstrap replicate, and how many units were drawn.

    Units are people: a pair counts as often as both of its people were drawn together. Where a set does not say whose
    faces it holds, each pair is a unit of its own.
    """
    if pairs.people is None:
        return draw_weights(len(pairs.same), replicates, seed), len(pairs.same)
    labels = np.unique(pairs.people, return_inverse=True)[1]
    drawn = draw_weights(int(labels.max()) + 1, replicates, seed)
    one, other = drawn[:, labels[pairs.first]], drawn[:, labels[pairs.second]]
    return np.where(pairs.same, one, one * other), int(labels.max()) + 1


def gains(
    first: Float[np.ndarray, " p"], second: Float[np.ndarray, " p"], pairs: PairSet, settings: PairSettings
) -> dict[str, Interval]:
    """Accuracy (each fold at the thresholds of the others, which are held) and TAR at each FAR, first - second.

    In each replicate the threshold of a FAR is found anew. A rate that too few impostors could tell is left out.

    Raises:
        EvaluationError: Scores that are not finite, or fewer pairs than folds.
    """
    weights, units = pair_weights(pairs, settings.replicates, settings.seed)
    right = [_right(scores, pairs) for scores in (first, second)]
    change = right[0].astype(np.float64) - right[1]
    replicates = weights @ change / weights.sum(axis=1)
    found = {"accuracy": expanded_interval(float(change.mean()), replicates, units)}
    same = pairs.same
    for far in settings.fars:
        points = [tar_at_far(scores[same], scores[~same], far) for scores in (first, second)]
        if any(point.reason for point in points):
            continue
        drawn = [tar_replicates(scores, same, weights, far) for scores in (first, second)]
        value = points[0].value - points[1].value
        found[f"tar_at_far_{rate_name(far)}"] = expanded_interval(value, drawn[0] - drawn[1], units)
    return found


def _right(scores: np.ndarray, pairs: PairSet) -> np.ndarray:
    """Whether each pair is told rightly, at the threshold of its fold."""
    thresholds = fold_accuracy(scores, pairs.same, pairs.folds).thresholds
    parts = np.array_split(np.arange(scores.size), pairs.folds)
    bound = np.concatenate([np.full(len(part), value) for part, value in zip(parts, thresholds, strict=True)])
    return np.asarray((scores >= bound) == pairs.same)


def tar_replicates(scores: np.ndarray, same: np.ndarray, weights: np.ndarray, far: float) -> Float[np.ndarray, " b"]:
    """TAR at a FAR in each replicate: the lowest threshold above the first impostor that may not be let in."""
    falling = np.argsort(-scores[~same], kind="stable")
    impostor, genuine = scores[~same][falling], scores[same]
    others = weights[:, ~same][:, falling].astype(np.float64)
    zero = np.zeros((len(weights), 1))
    let_in = np.concatenate([zero, np.cumsum(others, axis=1)], axis=1) / others.sum(axis=1, keepdims=True)
    order = np.argsort(-genuine, kind="stable")
    own = weights[:, same][:, order].astype(np.float64)
    passed = np.concatenate([zero, np.cumsum(own, axis=1)], axis=1) / own.sum(axis=1, keepdims=True)
    # how many genuine scores lie above the next impostor, for every number of impostors let in
    above = np.searchsorted(-genuine[order], -np.append(impostor, -np.inf), side="left")
    return rates_at(let_in, passed[:, above], np.array([far]))[:, 0]


def gain_records(
    name: str, arm: str, size: int, found: dict[str, Interval], pairs: int, drawn: str = "people"
) -> list[PublicRecord]:
    """Gains of an arm at a size as records; the metric says over whom, `drawn` what the bootstrap draws."""
    return [
        replace(made((name, arm, size), f"{metric}{OVER}", change.value, pairs, (change.low, change.high)), over=drawn)
        for metric, change in found.items()
    ]


def gain_table(records: Sequence[PublicRecord], name: str) -> pd.DataFrame:
    """Gains on a set in points with their intervals, a row per arm and size; empty where there are none."""
    rows: dict[tuple[str, int], dict[str, str]] = {}
    for entry in records:
        if entry.set == name and entry.metric.endswith(OVER) and entry.value is not None:
            text = f"{100 * entry.value:+.2f}"
            if entry.low is not None and entry.high is not None:
                text += f" [{100 * entry.low:+.2f}, {100 * entry.high:+.2f}]"
            rows.setdefault((entry.arm, entry.size), {})[entry.metric.removesuffix(OVER)] = text
    return pd.DataFrame([{"arm": arm, "px": size, **figures} for (arm, size), figures in rows.items()])


def drawn_of(records: Sequence[PublicRecord], name: str) -> str:
    """What the intervals of the gains on a set are drawn over: people, or pairs where nobody is named."""
    return next((entry.over for entry in records if entry.set == name and entry.over), "people")


def gain_lines(records: Sequence[PublicRecord], name: str) -> list[str]:
    """Whether super-resolution earns its place on a set, in words, and by how much."""
    table = gain_table(records, name)
    if table.empty:
        return []
    lines = []
    leading = "accuracy" if "accuracy" in table else "rank1"
    for arm in dict.fromkeys(table["arm"]):
        own = [e for e in records if (e.set, e.arm, e.metric) == (name, arm, f"{leading}{OVER}")]
        better = [entry.size for entry in own if entry.low is not None and entry.low > 0]
        worse = [entry.size for entry in own if entry.high is not None and entry.high < 0]
        parts = [f"better at {listed(better)}" if better else "", f"worse at {listed(worse)}" if worse else ""]
        said = ", ".join(part for part in parts if part) or "no difference is shown at any size"
        lines.append(f"{QUESTION} {name}, {leading} of {arm} over bicubic-direct: {said}")
    return [
        *lines,
        f"{name}, points over bicubic-direct, 95 % intervals over {drawn_of(records, name)}:",
        *table.to_string(index=False).splitlines(),
    ]
