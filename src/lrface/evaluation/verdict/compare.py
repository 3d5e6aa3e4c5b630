"""Two arms on the same probes: differences with intervals, an exact test, and the faces only one of them gets.

Arms may be compared at several sizes at once. A probe then counts with its mean over the sizes, so that the verdict
does not hang on one size that somebody chose, and rests on more than one look at each probe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lrface.errors import EvaluationError
from lrface.evaluation.figures.measure import Ruler
from lrface.evaluation.figures.results import Cell, Kept, Results
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
    """Two arms on one protocol; every difference is first - second, the mean over the cells.

    Attributes:
        first: What is judged: a cell per size or condition.
        second: What it is held against: as many cells.
        protocol: Hash of the protocol of both.
        probes: Number of mated probes.
        subjects: Number of their subjects.
        differences: By metric: rank1, correct, wrong, unknown, similarity, psnr, eer, dprime, tar_at_far_..., and
            poor_subjects (share of subjects named rightly less often than the setting) and worst_tenth (mean
            accuracy of each arm's own worst tenth of the subjects).
        test: McNemar's exact test on rank-1, each probe in each cell a trial.
        only_first: Rows of the probes that the first ranks first in more cells than the second.
        only_second: Rows of the probes that the second ranks first in more cells than the first.
        table: Per subject: probes, accuracy of both, change; worst change first.
    """

    first: tuple[Cell, ...]
    second: tuple[Cell, ...]
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
        found = [f"{title(self.first)} against {title(self.second)}: {self.probes} probes of {self.subjects} subjects"]
        for name, difference in self.differences.items():
            change = difference.change
            found.append(
                f"{name}: {difference.first:.4f} against {difference.second:.4f}, "
                f"change {change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]"
            )
        found.append(
            f"only the first gets {self.test.only_first} searches, only the second {self.test.only_second}; "
            f"McNemar's exact p = {self.test.probability:.3g} (searches taken as independent)"
        )
        return found


def title(cells: Sequence[Cell]) -> str:
    """Names some cells in short: dsr_cycle/8+12+16/clean."""
    parts = [
        "+".join(dict.fromkeys(str(getattr(cell, name)) for cell in cells)) for name in ("arm", "size", "degradation")
    ]
    return "/".join(parts)


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


def _worst(accuracy: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gives the mean of the lowest tenth of the drawn subjects, at least one, in each replicate."""
    rising = np.argsort(accuracy, kind="stable")
    drawn = weights[:, rising].astype(np.float64)
    before = np.cumsum(drawn, axis=1) - drawn
    wanted = np.maximum(1.0, np.round(WORST_SHARE * drawn.sum(axis=1)))
    taken = np.clip(wanted[:, None] - before, 0.0, drawn)
    with np.errstate(invalid="ignore"):
        return np.asarray((taken @ accuracy[rising]) / taken.sum(axis=1))


def _alike(first: Kept, second: Kept) -> bool:
    """Tells whether every score of two cells is the same: one network twice leaves nothing to chance."""
    pairs = ((getattr(first.mated, name), getattr(second.mated, name)) for name in ("mate", "best", "stranger"))
    return all(np.array_equal(one, two, equal_nan=True) for one, two in pairs)


class _Side:
    """One side of a comparison: per probe and per face, the mean over its cells."""

    def __init__(self, results: Results, cells: Sequence[Cell], threshold: float) -> None:
        self.results, self.cells = results, cells
        self.kept = kept = [results.cell(cell.arm, cell.size, cell.degradation) for cell in cells]
        self.trials = np.stack([scores.mated.rank == 1 for scores in kept])
        named = np.stack([scores.mated.best >= threshold for scores in kept])
        self.probes = {
            "rank1": self.trials.mean(axis=0),
            "correct": (named & self.trials).mean(axis=0),
            "wrong": (named & ~self.trials).mean(axis=0),
            "unknown": (~named).mean(axis=0),
        }
        self.faces = {
            name: np.mean([getattr(scores, name) for scores in kept], axis=0)
            for name in ("similarity", "psnr")
            if len({getattr(scores, name).shape for scores in kept}) == 1
        }
        shared = set.intersection(*(set(scores.replicates) for scores in kept))
        self.replicates = {
            name: np.mean([scores.replicates[name].astype(np.float64) for scores in kept], axis=0)
            for name in kept[0].replicates
            if name in shared
        }

    def value(self, metric: str) -> float | None:
        """Gives a figure of pairs, the mean over the cells; None where one of them has none."""
        found = [self.results.find(cell.arm, cell.size, metric, cell.degradation).value for cell in self.cells]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if len(known) == len(found) else None


class _Pairing:
    """Compares two sides figure by figure."""

    def __init__(self, ruler: Ruler, first: _Side, second: _Side, settings: EvaluationSettings) -> None:
        self.ruler, self.first, self.second, self.settings = ruler, first, second, settings
        self.same = all(map(_alike, first.kept, second.kept))
        self.found: dict[str, Difference] = {}
        for name, values in first.probes.items():
            self._mean(name, values, second.probes[name], ruler.mated_subjects, shares=True)
        for name, values in first.faces.items():
            if name in second.faces:
                self._mean(name, values, second.faces[name], ruler.pair_subjects)
        for name in first.replicates:
            if name in second.replicates:
                self._pairs(name)

    def _mean(
        self, name: str, first: np.ndarray, second: np.ndarray, subjects: np.ndarray, *, shares: bool = False
    ) -> None:
        if first.size == 0 or first.shape != second.shape:
            return
        if not (np.isfinite(first).all() and np.isfinite(second).all()):
            return
        shares = shares and not self.same
        interval = paired_interval(first, second, subjects, self.ruler.weights, self.settings.level, shares=shares)
        self.found[name] = Difference(float(first.mean()), float(second.mean()), interval)

    def _pairs(self, name: str) -> None:
        """Compares a figure of pairs: both bootstraps drew the same subjects, so replicates pair up."""
        one, two = self.first.value(name), self.second.value(name)
        if one is None or two is None:
            return
        replicates = self.first.replicates[name] - self.second.replicates[name]
        count = int(np.unique(self.ruler.pair_subjects).size)
        interval = expanded_interval(one - two, replicates, count, self.settings.level)
        self.found[name] = Difference(one, two, interval)

    def subjects(self) -> pd.DataFrame:
        """Compares subject by subject, and the worst of each side."""
        labels = self.ruler.mated_subjects
        present, place = np.unique(labels, return_inverse=True)
        counts = np.bincount(place)
        first, second = (
            np.bincount(place, weights=side.probes["correct"]) / counts for side in (self.first, self.second)
        )
        poor = self.settings.poor_subject
        self._mean("poor_subjects", first < poor, second < poor, present, shares=True)
        whole, weights = np.ones((1, present.size)), self.ruler.weights[:, present]
        one, two = float(_worst(first, whole)[0]), float(_worst(second, whole)[0])
        replicates = _worst(first, weights) - _worst(second, weights)
        interval = expanded_interval(one - two, replicates, present.size, self.settings.level)
        self.found["worst_tenth"] = Difference(one, two, interval)
        table = pd.DataFrame(
            {
                "subject": [self.ruler.names[number] for number in present],
                "probes": counts,
                "first": first,
                "second": second,
                "change": first - second,
            }
        )
        return table.sort_values(["change", "subject"], ignore_index=True)


def _cells(cells: Cell | Sequence[Cell]) -> tuple[Cell, ...]:
    return (cells,) if isinstance(cells, Cell) else tuple(cells)


def compare(
    first: Results,
    first_cells: Cell | Sequence[Cell],
    second: Results,
    second_cells: Cell | Sequence[Cell],
    settings: EvaluationSettings | None = None,
) -> Comparison:
    """Compares two arms, of one evaluation or of two on the same protocol, at one size or at several.

    Args:
        first: The evaluation that holds what is judged.
        first_cells: What is judged, a cell per size.
        second: The evaluation that holds the reference; may be the same.
        second_cells: The reference, a cell per size, at the same sizes under the same conditions.
        settings: Confidence and the bound of a poor subject; threshold, seed and replicates are the evaluation's.

    Raises:
        EvaluationError: Other protocols, bootstraps or numbers of cells, a cell that was not evaluated, or no mated
            probe.
    """
    check_same_protocol(first, second)
    ones, twos = _cells(first_cells), _cells(second_cells)
    if not ones or len(ones) != len(twos):
        raise EvaluationError(
            "comparison",
            got=f"{len(ones)} cells against {len(twos)}",
            expected="as many on both sides, at least one",
            remedy="compare the same sizes and conditions",
        )
    about = {"threshold": first.threshold, "seed": first.seed, "replicates": first.replicates}
    chosen = (settings or EvaluationSettings()).model_copy(update=about)
    ruler = Ruler(first.protocol, chosen)
    if not ruler.mated_subjects.size:
        raise EvaluationError(
            "comparison",
            got="no probe of an enrolled subject",
            expected="at least one",
            remedy="draw a protocol with mated probes",
        )
    one, two = _Side(first, ones, chosen.threshold), _Side(second, twos, chosen.threshold)
    pairing = _Pairing(ruler, one, two, chosen)
    table = pairing.subjects()
    more = one.trials.sum(axis=0, dtype=np.int64) - two.trials.sum(axis=0, dtype=np.int64)
    rows = np.asarray(first.protocol.mated.rows)
    return Comparison(
        first=ones,
        second=twos,
        protocol=first.protocol.digest,
        probes=int(ruler.mated_subjects.size),
        subjects=len(table),
        differences=pairing.found,
        test=mcnemar(one.trials.ravel(), two.trials.ravel()),
        only_first=tuple(rows[more > 0].tolist()),
        only_second=tuple(rows[more < 0].tolist()),
        table=table,
    )
