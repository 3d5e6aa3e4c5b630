"""Operating points in an evaluation: found on calibration people, size by size, and held against those who are tested.

For each rate of false alarms that is asked for: the threshold by size, the rate that strangers of the test have there,
and what is named rightly; beside them the same with the one threshold that gives that rate over all sizes together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.figures.results import AUTO, ONE, Cell, Held, Kept, Operating
from lrface.evaluation.protocol.conditions import CLEAN
from lrface.evaluation.settings import EvaluationSettings
from lrface.metrics.open_set import Alarms, share_interval
from lrface.metrics.statistics import Interval, mean_interval
from lrface.naming.asked import Asked
from lrface.naming.calibration import Origin, points_from
from lrface.naming.operating_points import OperatingPoints

NAN = math.nan


@dataclass(frozen=True, eq=False)
class Tested:
    """How often strangers are named in one cell.

    Attributes:
        calibration: By calibration people; None where there are none, or the cell is of another condition.
        test: By the people of the test, for the spread of their rate.
        people: Calibration people.
    """

    calibration: Alarms | None
    test: Alarms | None
    people: int


@dataclass(frozen=True, eq=False)
class _Test:
    """What all cells share: who was searched for, and the bootstrap's weights."""

    gallery: int
    mated: np.ndarray
    strangers: np.ndarray
    weights: np.ndarray
    settings: EvaluationSettings


def hold(
    kept: Mapping[Cell, Kept],
    tested: Mapping[Cell, Tested],
    gallery: int,
    subjects: tuple[np.ndarray, np.ndarray],
    weights: np.ndarray,
    settings: EvaluationSettings,
) -> Operating:
    """Find the operating points of each arm and hold them against its cells.

    Args:
        kept: Scores by cell.
        tested: Alarms by cell.
        gallery: People in the gallery of the test.
        subjects: Whose the mated probes are, and whose the searches of strangers.
        weights: Bootstrap over subjects.
        settings: Rates and confidence.
    """
    test = _Test(gallery, *subjects, weights, settings)
    points, held, notes = dict[str, OperatingPoints](), list[Held](), list[str]()
    for arm in dict.fromkeys(cell.arm for cell in kept):
        cells = [cell for cell in kept if cell.arm == arm]
        calibrated = {float(cell.size): found for cell in cells if (found := tested[cell].calibration) is not None}
        if not calibrated:
            continue
        people = max(tested[cell].people for cell in cells)
        points[arm] = points_from(calibrated, people, Origin("0" * 64, "none"), settings.level)
        for rate in settings.open_fpirs:
            one = _one_threshold(list(calibrated.values()), gallery, rate)
            for cell in cells:
                point = points[arm].at(cell.size, gallery, Asked(fpir=rate))
                if point.rate is None:
                    notes.append(f"{cell} threshold_auto_{rate_name(rate)}: {point.reason}")
                    continue
                for way, threshold in ((AUTO, point.threshold), (ONE, one)):
                    held.append(_held(cell, way, rate, threshold, kept[cell], tested[cell], test))
    return Operating(points, tuple(held), tuple(notes))


def _one_threshold(found: Sequence[Alarms], gallery: int, rate: float) -> float:
    """The threshold that gives a rate over all sizes together; NaN where it cannot be told."""
    known = found[0].galleries
    people = min(known, key=lambda size: abs(math.log(size / gallery)))
    levels = np.unique(np.concatenate([item.thresholds for item in found]))
    place = known.index(people)
    rates = np.mean([np.interp(levels, item.thresholds, item.rates[place]) for item in found], axis=0)
    # in a gallery of another size than was calibrated, as many times the alarms
    rates = -np.expm1(np.log1p(-np.minimum(rates, 1 - 1e-12)) * gallery / people)
    if not rates[-1] <= rate <= rates[0]:
        return NAN
    return float(np.interp(-math.log(rate), -np.log(np.maximum(rates, 1e-12)), levels))


def _held(cell: Cell, way: str, rate: float, threshold: float, kept: Kept, tested: Tested, test: _Test) -> Held:
    if math.isnan(threshold):
        empty = Interval(NAN, NAN, NAN)
        return Held(cell, way, rate, threshold, empty, empty, 0, 0)
    value = float(np.mean(kept.strangers >= threshold)) if kept.strangers.size else NAN
    error, groups = NAN, 2
    if tested.test is not None:
        error, groups = tested.test.rate_at(tested.test.galleries[-1], threshold)[1], tested.test.groups
    had = share_interval(value, error, kept.strangers.size, groups, test.settings.level)
    named = Interval(NAN, NAN, NAN)
    if kept.mated.rank.size:
        right = (kept.mated.rank == 1) & (kept.mated.best >= threshold)
        named = mean_interval(right, test.mated, test.weights, test.settings.level)
    return Held(cell, way, rate, threshold, had, named, kept.strangers.size, kept.mated.rank.size)


@dataclass(frozen=True)
class GroupRate:
    """How often strangers of one group are named.

    Attributes:
        group: Its name, as the file of groups has it.
        asked: The rate asked for.
        had: The rate over all sizes of the arm.
        searches: Searches behind it.
        people: People behind it.
    """

    group: str
    asked: float
    had: Interval
    searches: int
    people: int


def by_group(
    operating: Operating,
    kept: Mapping[Cell, Kept],
    arm: str,
    strangers: Sequence[str],
    groups: Mapping[str, str],
    settings: EvaluationSettings,
) -> list[GroupRate]:
    """Tell whether one group is falsely named more often than another, over all sizes of an arm.

    Args:
        operating: The points.
        kept: Scores by cell.
        arm: The arm.
        strangers: Who was searched for.
        groups: Group by subject; who is in none is left out.
        settings: Confidence.
    """
    found = []
    of = np.array([groups.get(name, "") for name in strangers])
    persons = np.unique(np.array(strangers), return_inverse=True)[1]
    for rate in settings.open_fpirs:
        held = [item for item in operating.held if item.cell.arm == arm and item.way == AUTO and item.asked == rate]
        held = [item for item in held if item.cell.degradation == CLEAN and not math.isnan(item.threshold)]
        if not held:
            continue
        alarms = np.mean([kept[item.cell].strangers >= item.threshold for item in held], axis=0)
        for group in sorted(set(of.tolist()) - {""}):
            mine = of == group
            each = [float(alarms[mine & (persons == person)].mean()) for person in np.unique(persons[mine])]
            value = float(alarms[mine].mean())
            error = float(np.std(each, ddof=1) / math.sqrt(len(each))) if len(each) > 1 else NAN
            had = share_interval(value, error, int(mine.sum()), len(each), settings.level)
            found.append(GroupRate(group, rate, had, int(mine.sum()), len(each)))
    return found
