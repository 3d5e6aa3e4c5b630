"""Operating points from calibration people: everybody is enrolled, and everybody is searched for among the others.

A picture's own person is left out of its search, so each picture is a search of a stranger and each comparison is one
of two people (`metrics.open_set`). Along the sides of the face the thresholds are made monotone by isotonic regression,
up or down as fits all of them better (Barlow et al., "Statistical inference under order restrictions", 1972).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import isotonic_regression
from scipy.stats import t as student

from lrface.errors import DataError, EvaluationError
from lrface.metrics.open_set import Alarms, Strangers
from lrface.naming.operating_points import FEWEST, Curve, OperatingPoints

RATES: Final = tuple(float(f"{digit}e{power}") for power in range(-6, 0) for digit in (1, 2, 5))
_FEWEST_PEOPLE: Final = 5
_SHALLOWEST: Final = 0.1  # above this rate a growing gallery saturates, which says nothing about rare alarms


@dataclass(frozen=True, eq=False)
class CalibrationFaces:
    """Calibration people, embedded.

    Attributes:
        templates: Unit templates from HR faces, one a person.
        probes: Unit embeddings of pictures by side in pixels; at each side the same pictures in the same order.
        people: Place of each picture's person among the templates.
    """

    templates: Float[np.ndarray, "g d"]
    probes: Mapping[float, Float[np.ndarray, "n d"]]
    people: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Origin:
    """What points are of.

    Attributes:
        edgeface: Sha256 of the recogniser's weights.
        dsr: Sha256 of the super-resolver's, or none.
        pack: Digest of the pack that the people are in.
        condition: How their faces were made small.
    """

    edgeface: str
    dsr: str
    pack: str = ""
    condition: str = ""


def calibrate(faces: CalibrationFaces, origin: Origin, *, seed: int = 0, level: float = 0.95) -> OperatingPoints:
    """Find the thresholds by side, gallery and rate.

    A rate is told where at least 10 searches, of at least 5 people, name somebody at its threshold at every side: fewer
    tell nothing about it. Where nothing can be told there are no curves and a note.

    Args:
        faces: The people; nobody of them is tested with what comes of it.
        origin: What it is of.
        seed: Deals people out to the groups of the jackknife.
        level: Confidence of the intervals.

    Raises:
        DataError: No side, or embeddings that do not belong together.
    """
    sides = tuple(sorted(faces.probes))
    counts = {len(faces.probes[side]) for side in sides} | {len(faces.people)}
    if not sides or len(counts) != 1:
        raise DataError(
            "calibration faces",
            got=f"{sorted(counts)} pictures at {len(sides)} sides",
            expected="the same pictures at each side",
            remedy="embed all of them",
        )
    try:
        found = {
            side: Strangers(faces.probes[side], faces.templates, faces.people, faces.people, seed) for side in sides
        }
    except EvaluationError as error:
        return nothing(origin, f"too few: {error.got}", sides, len(faces.templates), len(faces.people), level)
    galleries = found[sides[0]].galleries()
    alarms = {side: found[side].alarms(galleries) for side in sides}
    return points_from(alarms, len(faces.templates), origin, level)


def points_from(found: Mapping[float, Alarms], people: int, origin: Origin, level: float = 0.95) -> OperatingPoints:
    """Find the thresholds from the rates at each side, all of them in the same galleries.

    Args:
        found: By side in pixels.
        people: Calibration people.
        origin: What it is of.
        level: Confidence of the intervals.
    """
    sides = tuple(sorted(found))
    alarms = [found[side] for side in sides]
    galleries = alarms[0].galleries
    largest = galleries[-1]
    curves = _monotone([_curve(alarms, gallery, rate, level) for gallery in galleries for rate in RATES])
    if not curves:
        words = f"too few: {alarms[0].count} searches of {people} people tell no rate"
        return nothing(origin, words, sides, people, alarms[0].count, level)
    deep = [curve.rate for curve in curves if curve.gallery == largest and curve.rate <= _SHALLOWEST]
    return OperatingPoints(
        edgeface=origin.edgeface,
        dsr=origin.dsr,
        sides=tuple(map(float, sides)),
        people=people,
        searches=alarms[0].count,
        impostors=alarms[0].comparisons,
        growth=tuple(float(np.mean([item.growth(rate) for rate in deep])) if deep else 1.0 for item in alarms),
        curves=curves,
        level=level,
        pack=origin.pack,
        condition=origin.condition,
        notes=_notes(curves, galleries),
    )


def nothing(
    origin: Origin, words: str, sides: Sequence[float] = (), people: int = 0, searches: int = 0, level: float = 0.95
) -> OperatingPoints:
    """Points that tell nothing, and why: 0.35 holds then, and whoever names with it is told."""
    return OperatingPoints(
        edgeface=origin.edgeface,
        dsr=origin.dsr,
        sides=tuple(map(float, sides)),
        people=people,
        searches=searches,
        impostors=0,
        growth=(1.0,) * len(sides),
        curves=(),
        level=level,
        pack=origin.pack,
        condition=origin.condition,
        notes=(words,),
    )


def _curve(alarms: Sequence[Alarms], gallery: int, rate: float, level: float) -> Curve | None:
    """Thresholds at each side; None where a side cannot tell them."""
    thresholds, halves, searches = [], [], []
    for found in alarms:
        threshold, error = found.threshold_at(gallery, rate)
        if not (np.isfinite(threshold) and np.isfinite(error)):
            return None
        behind, people = (
            float(np.interp(threshold, found.thresholds, part)) for part in (found.searches, found.people)
        )
        if behind < FEWEST - 0.5 or people < _FEWEST_PEOPLE - 0.5:
            return None
        thresholds.append(threshold)
        halves.append(float(student.ppf(0.5 + level / 2, found.groups - 1)) * error)
        searches.append(round(behind))
    return Curve(
        gallery=gallery,
        rate=rate,
        thresholds=tuple(thresholds),
        low=tuple(value - half for value, half in zip(thresholds, halves, strict=True)),
        high=tuple(value + half for value, half in zip(thresholds, halves, strict=True)),
        alarms=tuple(searches),
    )


def _monotone(found: Sequence[Curve | None]) -> tuple[Curve, ...]:
    """The curves with thresholds that go one way along the sides, and rise with the gallery and with a falling rate."""
    curves = [curve for curve in found if curve is not None]
    if not curves:
        return ()
    raw = np.array([curve.thresholds for curve in curves])
    up, down = (
        np.array([isotonic_regression(row, increasing=increasing).x for row in raw]) for increasing in (True, False)
    )
    fitted = up if np.square(up - raw).sum() <= np.square(down - raw).sum() else down
    done = []
    for place, curve in enumerate(curves):
        # what is asked more of, by a lower rate or a larger gallery, cannot be laxer
        laxer = [other for other in range(len(curves)) if curves[other].gallery <= curve.gallery]
        laxer = [other for other in laxer if curves[other].rate >= curve.rate]
        values = fitted[laxer].max(axis=0)
        moved = values - raw[place]
        done.append(
            curve.model_copy(
                update={
                    "thresholds": _rounded(values),
                    "low": _rounded(np.array(curve.low) + moved),
                    "high": _rounded(np.array(curve.high) + moved),
                }
            )
        )
    return tuple(done)


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(values, 5).tolist())


def _notes(curves: Sequence[Curve], galleries: Sequence[int]) -> tuple[str, ...]:
    notes = []
    for gallery in (1, galleries[-1]):
        told = [curve.rate for curve in curves if curve.gallery == gallery]
        what = "FMR" if gallery == 1 else f"FPIR in a gallery of {gallery}"
        notes.append(f"{what}: told down to {min(told):g}" if told else f"{what}: too few")
    return tuple(notes)
