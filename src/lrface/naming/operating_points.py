"""Operating points: the threshold for a false alarm rate, by size of the face and of the gallery.

A threshold is told where calibration people could tell it, and nowhere else. Between calibrated sides it follows a
monotone cubic in log side (Fritsch and Carlson, SIAM J. Numer. Anal. 17, 1980), between rates and between gallery
sizes a straight line in their logarithms. FMR is FPIR in a gallery of one.

A gallery larger than the calibration people could fill has more chances of a false alarm. H = -log(1 - FPIR) would grow
as N if the comparisons of one search were independent; here H(N) = H(N0) (N / N0) ** growth, with the exponent measured
on sub-galleries of the calibration people. What is asked of the largest calibrated gallery is then a lower rate, which
the calibration people must still be able to tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from scipy.interpolate import PchipInterpolator

from lrface.base.settings import Settings, first_problem
from lrface.errors import WeightsError
from lrface.models.pair import DSR, stands_for_bicubic
from lrface.models.store import read_spec, write_whole
from lrface.naming.asked import AUTO, FIXED, Asked, Kind

POINTS_NAME: Final = "operating_points.json"
NO_DSR: Final = "none"
"""What stands for the super-resolver of a pair that enlarges by bicubic."""
FEWEST: Final = 10
"""False alarms that must stand behind a rate, or it is not told."""
_MOST_BYTES: Final = 8 * 2**20

Rate = Annotated[float, Field(gt=0, le=1)]
Cosine = Annotated[float, Field(ge=-2, le=2)]


class Curve(Settings):
    """Thresholds by side, at one rate in a gallery of one size."""

    gallery: int = Field(ge=1, description="People in the gallery")
    rate: Rate = Field(description="Share of searches of strangers that end in a name")
    thresholds: tuple[Cosine, ...] = Field(description="Cosine by side")
    low: tuple[Cosine, ...] = Field(description="Lower end of the interval of each")
    high: tuple[Cosine, ...] = Field(description="Upper end of the interval of each")
    alarms: tuple[int, ...] = Field(description="Searches that name somebody at each, in the largest gallery")


@dataclass(frozen=True)
class Point:
    """A threshold, and what it stands for.

    Attributes:
        threshold: Cosine from which a face is named.
        rate: False alarm rate that it stands for; None where that cannot be told.
        kind: ``fixed`` (a number was asked for, or there are no points), ``fpir`` or ``fmr``.
        low: Lower end of the threshold's 95 % interval; None where it has none.
        high: Upper end.
        impostors: Searches of strangers behind it (FPIR), or comparisons of two people (FMR).
        side: Side that it is for, pixels.
        reason: What is to be known of it, else None.
    """

    threshold: float
    rate: float | None
    kind: Kind
    low: float | None
    high: float | None
    impostors: int
    side: float
    reason: str | None = None


class OperatingPoints(Settings):
    """The operating points of a pair."""

    format_version: Literal[1] = Field(default=1, description="Version of this layout")
    edgeface: str = Field(description="Sha256 of the recogniser's weights that they are of")
    dsr: str = Field(description="Sha256 of the super-resolver's weights, or none: bicubic")
    sides: tuple[float, ...] = Field(description="Calibrated sides of a face, pixels, rising")
    people: int = Field(ge=0, description="Calibration people")
    searches: int = Field(ge=0, description="Searches of strangers at each side")
    impostors: int = Field(ge=0, description="Comparisons of two people at each side")
    growth: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        description="By side, the exponent by which false alarms grow with a larger gallery"
    )
    curves: tuple[Curve, ...] = Field(description="Thresholds by gallery and rate")
    level: float = Field(default=0.95, gt=0, lt=1, description="Confidence of the intervals")
    pack: str = Field(default="", description="Digest of the pack that the calibration people are in")
    condition: str = Field(default="", description="How their faces were made small")
    notes: tuple[str, ...] = Field(default=(), description="What could not be told")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        count = len(self.sides)
        lengths = {len(self.growth)} | {
            len(values) for curve in self.curves for values in (curve.thresholds, curve.low, curve.high, curve.alarms)
        }
        if lengths != {count} or (self.curves and not count):
            raise ValueError(f"values for {sorted(lengths)} sides; {count} sides are named")
        if any(after <= before for before, after in zip(self.sides, self.sides[1:], strict=False)):
            raise ValueError("sides that do not rise")
        return self

    def lines(self, rates: Sequence[float] = (0.01, 0.001)) -> list[str]:
        """Gives the points in words, a line for each rate and one for what could not be told."""
        if not self.curves:
            return [f"no operating points: {'; '.join(self.notes)}; {FIXED} holds"]
        people = min(100, self.galleries[-1])
        told = []
        for asked in [Asked(fpir=rate) for rate in rates] + [Asked(fmr=rate) for rate in (0.001, 0.0001)]:
            what = f"FPIR {asked.rate:g} in a gallery of {people}" if asked.kind == "fpir" else f"FMR {asked.rate:g}"
            points = [self.at(side, people, asked) for side in self.sides]
            if any(point.rate is None for point in points):
                told.append(f"{what}: {points[0].reason}")
                continue
            told.append(
                f"{what}: "
                + ", ".join(
                    f"{point.side:g} px {point.threshold:.3f} [{point.low:.3f}, {point.high:.3f}]" for point in points
                )
            )
        behind = f"{self.searches} searches and {self.impostors} comparisons of {self.people} calibration people"
        return [*told, f"behind them: {behind}; {'; '.join(self.notes)}"]

    @cached_property
    def galleries(self) -> tuple[int, ...]:
        """Gallery sizes that were calibrated, rising."""
        return tuple(sorted({curve.gallery for curve in self.curves}))

    def at(self, side: float, gallery: int, asked: Asked) -> Point:
        """The threshold for a face, or what a fixed one stands for.

        Args:
            side: Effective side of the face, pixels; outside of the calibrated ones the nearest of them holds.
            gallery: People in the gallery; of no importance for an FMR.
            asked: What is wanted.

        Returns:
            The point. Where the rate asked for cannot be told it is the strictest threshold that can be, with `rate`
            None and the reason; where nothing was told at all, 0.35.
        """
        people = 1 if asked.kind == "fmr" else max(1, gallery)
        count = self.impostors if people == 1 else self.searches
        line = self._line(side, people)
        if line is None or not line.rates.size:
            fixed = FIXED if asked.threshold == AUTO else float(asked.threshold)
            words = f"{'; '.join(self.notes) or 'too few calibration people'}: {fixed:g} holds, its rate is not known"
            return Point(fixed, None, "fixed", None, None, count, side, words)
        if asked.threshold != AUTO:
            threshold = float(asked.threshold)
            return Point(threshold, line.rate_of(threshold), "fixed", None, None, count, side, None)
        wanted = asked.rate or 0.0
        if wanted < line.rates[0] * (1 - 1e-9):
            words = f"too few: {self.searches} searches of {self.people} calibration people tell {asked.kind} "
            words += f"{line.rates[0]:.2g} at least" + ("" if people == 1 else f" in a gallery of {people}")
            words += f", not {wanted:.2g}"
            threshold, low, high = (float(values[0]) for values in (line.thresholds, line.low, line.high))
            return Point(threshold, None, asked.kind, low, high, count, side, words)
        rate = min(wanted, float(line.rates[-1]))
        threshold, low, high = (line.read(values, rate) for values in (line.thresholds, line.low, line.high))
        return Point(threshold, rate, asked.kind, low, high, count, side, self._reason(side))

    def _reason(self, side: float) -> str | None:
        if side < self.sides[0] - 0.5:
            return f"smaller than the {self.sides[0]:g} px that were calibrated"
        return None

    def _line(self, side: float, people: int) -> "_Line | None":
        """The thresholds by rate at one side, in a gallery of some size."""
        largest = self.galleries[-1] if self.galleries else 0
        if not largest:
            return None
        if people >= largest:
            line = self._calibrated(side, largest)
            return line.grown((people / largest) ** self._growth(side))
        above = next(size for size in self.galleries if size >= people)
        if above == people or above == self.galleries[0]:
            return self._calibrated(side, above)
        below = max(size for size in self.galleries if size < people)
        share = math.log(people / below) / math.log(above / below)
        return self._calibrated(side, below).between(self._calibrated(side, above), share)

    def _calibrated(self, side: float, gallery: int) -> "_Line":
        curves = self._of_gallery[gallery]
        place = self._place(side)
        return _Line(
            np.array([curve.rate for curve in curves]),
            *(np.asarray(self._smooth(gallery, name)(place)) for name in ("thresholds", "low", "high")),
        )

    @cached_property
    def _of_gallery(self) -> dict[int, list[Curve]]:
        return {
            size: sorted((curve for curve in self.curves if curve.gallery == size), key=lambda curve: curve.rate)
            for size in self.galleries
        }

    @cached_property
    def _smoothed(self) -> dict[tuple[int, str], "_Smooth"]:
        return {}

    def _smooth(self, gallery: int, name: str) -> "_Smooth":
        key = gallery, name
        if key not in self._smoothed:
            values = np.array([getattr(curve, name) for curve in self._of_gallery[gallery]])
            self._smoothed[key] = _Smooth(np.log(self.sides), values)
        return self._smoothed[key]

    def _place(self, side: float) -> float:
        return math.log(min(max(side, self.sides[0]), self.sides[-1]))

    def _growth(self, side: float) -> float:
        return float(np.interp(self._place(side), np.log(self.sides), self.growth))


class _Smooth:
    """Values by log side, a monotone cubic through the calibrated ones."""

    def __init__(self, places: np.ndarray, values: np.ndarray) -> None:
        self._values = values
        self._fitted = PchipInterpolator(places, values, axis=1) if places.size > 1 else None

    def __call__(self, place: float) -> np.ndarray:
        return self._values[:, 0] if self._fitted is None else np.asarray(self._fitted(place))


@dataclass(frozen=True, eq=False)
class _Line:
    """Thresholds by rising rate, with their intervals."""

    rates: np.ndarray
    thresholds: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def read(self, values: np.ndarray, rate: float) -> float:
        """Reads values at a rate, on a straight line in its logarithm."""
        return float(np.interp(math.log(rate), np.log(self.rates), values))

    def rate_of(self, threshold: float) -> float | None:
        """The rate that a threshold gives; None where it lies beyond what was calibrated."""
        if not self.thresholds[-1] <= threshold <= self.thresholds[0]:
            return None
        return float(np.exp(np.interp(-threshold, -self.thresholds, np.log(self.rates))))

    def grown(self, factor: float) -> "_Line":
        """The same thresholds in a larger gallery, where -log(1 - FPIR) is `factor` times as large."""
        rates = -np.expm1(factor * np.log1p(-np.minimum(self.rates, 1 - 1e-12)))
        return _Line(rates, self.thresholds, self.low, self.high)

    def between(self, other: "_Line", share: float) -> "_Line":
        """The thresholds of a gallery between two, at the rates that both tell."""
        rates, own, others = np.intersect1d(self.rates, other.rates, return_indices=True)

        def mixed(name: str) -> np.ndarray:
            return np.asarray((1 - share) * getattr(self, name)[own] + share * getattr(other, name)[others])

        return _Line(rates, mixed("thresholds"), mixed("low"), mixed("high"))


def write_points(folder: Path, points: OperatingPoints) -> Path:
    """Write the points into a pair's folder, whole or not at all; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / POINTS_NAME
    write_whole(path, (points.model_dump_json(indent=1) + "\n").encode())
    return path


def read_points(folder: Path, edgeface: str | None = None, dsr: str | None = None) -> OperatingPoints | None:
    """Read the points of a pair's folder; None where it has none, as versions of before they were have not.

    Args:
        folder: The pair's folder.
        edgeface: Sha256 of the recogniser that they must be of; None does not ask.
        dsr: Sha256 of the super-resolver that they must be of, or none; None does not ask.

    Raises:
        WeightsError: The file is no such file, or of other networks.
    """
    path = folder / POINTS_NAME
    if not path.is_file():
        return None
    remedy = "promote the pair again, or remove the file: then 0.35 holds"
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise WeightsError(f"{path}", got=f"{size:,} bytes", expected=f"at most {_MOST_BYTES:,}", remedy=remedy)
    try:
        points = OperatingPoints.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise WeightsError(f"{path}", got=first_problem(error), expected="operating points", remedy=remedy) from error
    for half, own, wanted in (("recogniser", points.edgeface, edgeface), ("super-resolver", points.dsr, dsr)):
        if wanted is not None and own != wanted:
            raise WeightsError(
                f"{path}", got=f"points of {half} {own[:12]}", expected=f"those of {wanted[:12]}", remedy=remedy
            )
    return points


def points_of(folder: Path, edgeface: str) -> OperatingPoints | None:
    """Read the points of a pair's folder, held against its networks; None where it has none.

    Args:
        folder: Holds ``edgeface/`` and ``dsr/``.
        edgeface: What the recogniser is known by (`Pair.weights`).

    Raises:
        WeightsError: They are no points, or of other networks.
    """
    if not (folder / POINTS_NAME).is_file():
        return None
    return read_points(folder, edgeface, NO_DSR if stands_for_bicubic(folder / DSR) else read_spec(folder / DSR).sha256)
