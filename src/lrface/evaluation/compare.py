"""Two arms on the same probes: differences with intervals, an exact test, and the faces only one of them gets."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lrface.errors import EvaluationError
from lrface.evaluation.measure import Ruler
from lrface.evaluation.results import Cell, Kept, Results
from lrface.evaluation.settings import EvaluationSettings
from lrface.metrics.statistics import (
    Interval,
    McNemar,
    expanded_interval,
    mcnemar,
    paired_interval,
)

WORST_SHARE = 0.1


@dataclass(frozen=True)
class Difference:
    """One metric of two arms.

    Attributes:
        first: The figure of the first.
        second: The figure of the second.
        change: first - second, with its paired interval.
    """

    first: float
    second: float
    change: Interval


@dataclass(frozen=True)
class Comparison:
    """Two cells on one protocol; every difference is first - second.

    Attributes:
        first: What is judged.
        second: What it is held against.
        protocol: Hash of the protocol of both.
        probes: Number of mated probes.
        subjects: Number of their subjects.
        differences: By metric: rank1, correct, wrong, unknown, similarity, psnr, eer, dprime, tar_at_far_..., and
            poor_subjects (share of subjects named rightly less often than the setting) and worst_tenth (mean
            accuracy of each arm's own worst tenth of the subjects).
        test: McNemar's exact test on rank-1.
        only_first: Rows of the probes that the first alone ranks first.
        only_second: Rows of the probes that the second alone ranks first.
        table: Per subject: probes, accuracy of both, change; worst change first.
    """

    first: Cell
    second: Cell
    protocol: str
    probes: int
    subjects: int
    differences: Mapping[str, Difference]
    test: McNemar
    only_first: tuple[int, ...]
    only_second: tuple[int, ...]
    table: pd.DataFrame

    def lines(self) -> list[str]:
        """Gives the comparison in words, one figure per line."""
        found = [f"{self.first} against {self.second}: {self.probes} probes of {self.subjects} subjects"]
        for name, difference in self.differences.items():
            change = difference.change
            found.append(
                f"{name}: {difference.first:.4f} against {difference.second:.4f}, "
                f"change {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
            )
        found.append(
            f"only the first gets {self.test.only_first} probes, only the second {self.test.only_second}; "
            f"McNemar's exact p = {self.test.probability:.3g} (probes taken as independent)"
        )
        return found


def check_same_protocol(first: Results, second: Results) -> None:
    """Refuses two evaluations that asked different questions.

    Raises:
        EvaluationError: The hashes differ, or the bootstraps do.
    """
    if first.protocol.digest != second.protocol.digest:
        raise EvaluationError(
            "comparison",
            got=f"protocols {first.protocol.digest[:12]} and {second.protocol.digest[:12]}",
            expected="one protocol",
            remedy="evaluate both on the same protocol file",
        )
    if (first.seed, first.replicates) != (second.seed, second.replicates):
        raise EvaluationError(
            "comparison",
            got=f"bootstraps of seeds {first.seed}, {second.seed} and {first.replicates}, {second.replicates} draws",
            expected="one bootstrap",
            remedy="evaluate both with the same seed and number of replicates",
        )


def _by_subject(right: np.ndarray, subjects: np.ndarray) -> pd.Series:
    return pd.Series(right.astype(np.float64)).groupby(subjects).mean()


def _worst(accuracy: np.ndarray) -> float:
    """Gives the mean of the lowest tenth, at least one."""
    count = max(1, round(WORST_SHARE * accuracy.size))
    return float(np.sort(accuracy)[:count].mean())


def _worst_change(first: np.ndarray, second: np.ndarray, weights: np.ndarray, level: float) -> Difference:
    """Compares the worst tenths; each replicate finds its own."""
    value = _worst(first) - _worst(second)
    drawn = weights[:, : first.size].astype(np.int64)
    replicates = np.array(
        [_worst(np.repeat(first, row)) - _worst(np.repeat(second, row)) if row.any() else np.nan for row in drawn]
    )
    return Difference(_worst(first), _worst(second), expanded_interval(value, replicates, first.size, level))


class _Pairing:
    """Compares two cells figure by figure."""

    def __init__(self, ruler: Ruler, first: Kept, second: Kept, settings: EvaluationSettings) -> None:
        self.ruler, self.first, self.second, self.settings = ruler, first, second, settings
        self.found: dict[str, Difference] = {}

    def mean(self, name: str, first: np.ndarray, second: np.ndarray, subjects: np.ndarray) -> None:
        if first.size == 0 or first.shape != second.shape:
            return
        if not (np.isfinite(first).all() and np.isfinite(second).all()):
            return
        interval = paired_interval(first, second, subjects, self.ruler.weights, self.settings.level)
        self.found[name] = Difference(float(first.mean()), float(second.mean()), interval)

    def probes(self) -> None:
        subjects, threshold = self.ruler.mated_subjects, self.settings.threshold
        one, two = self.first.mated, self.second.mated
        named_one, named_two = one.best >= threshold, two.best >= threshold
        right_one, right_two = one.rank == 1, two.rank == 1
        self.mean("rank1", right_one, right_two, subjects)
        self.mean("correct", named_one & right_one, named_two & right_two, subjects)
        self.mean("wrong", named_one & ~right_one, named_two & ~right_two, subjects)
        self.mean("unknown", ~named_one, ~named_two, subjects)

    def pairs(self, values: Mapping[str, tuple[float | None, float | None]]) -> None:
        """Compares figures of pairs: both bootstraps drew the same subjects, so replicates pair up."""
        count = int(np.unique(self.ruler.pair_subjects).size)
        for name, (one, two) in values.items():
            if one is None or two is None:
                continue
            replicates = self.first.replicates[name].astype(np.float64) - self.second.replicates[name]
            interval = expanded_interval(one - two, replicates, count, self.settings.level)
            self.found[name] = Difference(one, two, interval)

    def worst(self, table: pd.DataFrame, present: np.ndarray) -> None:
        poor = self.settings.poor_subject
        first, second = table["first"].to_numpy(), table["second"].to_numpy()
        self.mean("poor_subjects", first < poor, second < poor, present)
        weights = self.ruler.weights[:, present]
        self.found["worst_tenth"] = _worst_change(first, second, weights, self.settings.level)


def compare(
    first: Results,
    first_cell: Cell,
    second: Results,
    second_cell: Cell,
    settings: EvaluationSettings | None = None,
) -> Comparison:
    """Compares two cells, of one evaluation or of two on the same protocol.

    Args:
        first: The evaluation that holds what is judged.
        first_cell: What is judged.
        second: The evaluation that holds the reference; may be the same.
        second_cell: The reference.
        settings: Confidence and the bound of a poor subject; threshold, seed and replicates are the evaluation's.

    Raises:
        EvaluationError: Other protocols or bootstraps, a cell that was not evaluated, or no mated probe.
    """
    check_same_protocol(first, second)
    about = {"threshold": first.threshold, "seed": first.seed, "replicates": first.replicates}
    chosen = (settings or EvaluationSettings()).model_copy(update=about)
    one = first.cell(first_cell.arm, first_cell.size, first_cell.degradation)
    two = second.cell(second_cell.arm, second_cell.size, second_cell.degradation)
    ruler = Ruler(first.protocol, chosen)
    subjects = ruler.mated_subjects
    if not subjects.size:
        raise EvaluationError(
            "comparison",
            got="no probe of an enrolled subject",
            expected="at least one",
            remedy="draw a protocol with mated probes",
        )
    pairing = _Pairing(ruler, one, two, chosen)
    pairing.probes()
    pairing.mean("similarity", one.similarity, two.similarity, ruler.pair_subjects)
    pairing.mean("psnr", one.psnr, two.psnr, ruler.pair_subjects)
    shared = [name for name in one.replicates if name in two.replicates]
    pairing.pairs({name: (_value(first, first_cell, name), _value(second, second_cell, name)) for name in shared})
    right_one = (one.mated.rank == 1) & (one.mated.best >= chosen.threshold)
    right_two = (two.mated.rank == 1) & (two.mated.best >= chosen.threshold)
    present = np.unique(subjects)
    table = pd.DataFrame(
        {
            "subject": [ruler.names[number] for number in present],
            "probes": np.bincount(subjects)[present],
            "first": _by_subject(right_one, subjects).to_numpy(),
            "second": _by_subject(right_two, subjects).to_numpy(),
        }
    )
    pairing.worst(table, present)
    table["change"] = table["first"] - table["second"]
    only_one = (one.mated.rank == 1) & (two.mated.rank != 1)
    only_two = (two.mated.rank == 1) & (one.mated.rank != 1)
    rows = np.asarray(first.protocol.mated.rows)
    return Comparison(
        first=first_cell,
        second=second_cell,
        protocol=first.protocol.digest,
        probes=int(subjects.size),
        subjects=int(present.size),
        differences=pairing.found,
        test=mcnemar(one.mated.rank == 1, two.mated.rank == 1),
        only_first=tuple(rows[only_one].tolist()),
        only_second=tuple(rows[only_two].tolist()),
        table=table.sort_values(["change", "subject"], ignore_index=True),
    )


def _value(results: Results, cell: Cell, metric: str) -> float | None:
    return results.find(cell.arm, cell.size, metric, cell.degradation).value
