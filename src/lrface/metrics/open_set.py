"""How often strangers are named, by threshold and by size of the gallery, from every comparison of different people.

A search alarms in a gallery of N, drawn without replacement from G templates, with the chance 1 - C(G - k, N) / C(G, N)
where k of the G score at or above the threshold. So no gallery need be drawn, and how comparisons of one search hang
together is in it: a picture that is like everybody alarms once, however large the gallery.

Each person counts once, however many pictures of them there are. Intervals are a jackknife over groups of people, who
leave as searches and as templates (Efron and Stein, Ann. Statist. 9, 1981), with Student's quantile.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln
from scipy.stats import norm
from scipy.stats import t as student

from lrface.errors import EvaluationError
from lrface.metrics.statistics import Interval

NOT_ENROLLED: Final = -1
_GROUPS: Final = 20
_LEVELS: Final = 160
_CHUNK: Final = 512
_SAMPLE: Final = 4_000_000  # scores that thresholds are chosen on
_LEAST: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Alarms:
    """False alarms by gallery size and threshold.

    Attributes:
        thresholds: Rising; t of them.
        galleries: Sizes of the gallery, rising; n of them.
        rates: Share of searches that name somebody, n x t.
        replicates: The same without each group of people, groups x n x t.
        searches: Searches that name somebody in the whole gallery, t.
        people: People among them, t.
        count: Searches in all.
        comparisons: Comparisons in all.
        templates: Templates that every search has.
    """

    thresholds: Float[np.ndarray, " t"]
    galleries: tuple[int, ...]
    rates: Float[np.ndarray, "n t"]
    replicates: Float[np.ndarray, "b n t"]
    searches: Int[np.ndarray, " t"]
    people: Int[np.ndarray, " t"]
    count: int
    comparisons: int
    templates: int

    def threshold_at(self, gallery: int, rate: float) -> tuple[float, float]:
        """The threshold that gives a rate, and its standard error; a straight line in log rate between thresholds.

        Returns:
            Both NaN where no threshold gives so high or so low a rate.
        """
        place = self.galleries.index(gallery)
        value = _crossing(self.thresholds, self.rates[place], rate)
        others = np.array([_crossing(self.thresholds, part[place], rate) for part in self.replicates])
        return value, _jackknifed(others)

    def rate_at(self, gallery: int, threshold: float) -> tuple[float, float]:
        """The rate that a threshold gives, and its standard error."""
        place = self.galleries.index(gallery)
        value = float(np.interp(threshold, self.thresholds, self.rates[place]))
        others = np.array([np.interp(threshold, self.thresholds, part[place]) for part in self.replicates])
        return value, _jackknifed(others)

    @property
    def groups(self) -> int:
        """Groups of people that the errors rest on."""
        return len(self.replicates)

    def growth(self, rate: float) -> float:
        """How -log(1 - rate) grows with the gallery, as its exponent: 1 were the comparisons of a search independent.

        Between a quarter of the largest gallery and the whole, at the threshold that gives the rate there.
        """
        quarter = max((size for size in self.galleries if 4 * size <= self.galleries[-1]), default=self.galleries[0])
        threshold, _ = self.threshold_at(self.galleries[-1], rate)
        if quarter == self.galleries[-1] or not np.isfinite(threshold):
            return 1.0
        large, small = (-np.log1p(-self.rate_at(size, threshold)[0]) for size in (self.galleries[-1], quarter))
        if not (small > 0 and np.isfinite(large)):
            return 1.0
        return float(np.clip(np.log(large / small) / np.log(self.galleries[-1] / quarter), 0.0, 1.0))


def share_interval(value: float, error: float, searches: int, groups: int, level: float = 0.95) -> Interval:
    """Gives Wilson's interval of a share whose standard error is known.

    The error says how many independent searches it is worth, never more than there are.
    """
    if not (searches and math.isfinite(value)):
        return Interval(value, math.nan, math.nan)
    worth = float(searches)
    if math.isfinite(error) and error > 0 and 0 < value < 1:
        worth = min(value * (1 - value) / error**2, worth)
    normal = float(norm.ppf(0.5 + level / 2))
    worth *= (normal / float(student.ppf(0.5 + level / 2, max(groups - 1, 1)))) ** 2
    scale = 1 + normal**2 / worth
    centre = (value + normal**2 / (2 * worth)) / scale
    half = normal / scale * math.sqrt(value * (1 - value) / worth + normal**2 / (4 * worth**2))
    return Interval(value, max(0.0, min(value, centre - half)), min(1.0, max(value, centre + half)))


def _crossing(thresholds: np.ndarray, rates: np.ndarray, rate: float) -> float:
    told = rates > 0
    if not (told.any() and rates[told][-1] <= rate <= rates[0]):
        return float("nan")
    return float(np.interp(-np.log(rate), -np.log(rates[told]), thresholds[told]))


def _jackknifed(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    if known.size < 2:
        return float("nan")
    return float(np.sqrt((known.size - 1) / known.size * np.square(known - known.mean()).sum()))


class Strangers:
    """Searches in which nobody is right.

    Args:
        probes: Unit embeddings of the pictures that are searched for.
        templates: Unit templates, one a person.
        own: Place of each picture's own template, which is left out of its search; `NOT_ENROLLED` where it has none.
        people: Number of the person of each picture; those who are enrolled have the number of their template.
        seed: Deals people out to the groups of the jackknife.

    Raises:
        EvaluationError: No search, or nobody to be taken for.
    """

    def __init__(
        self,
        probes: Float[np.ndarray, "n d"],
        templates: Float[np.ndarray, "g d"],
        own: Int[np.ndarray, " n"],
        people: Int[np.ndarray, " n"],
        seed: int = 0,
    ) -> None:
        self._probes, self._templates = np.asarray(probes, np.float32), np.asarray(templates, np.float32)
        self._own, self._people = np.asarray(own, np.int64), np.asarray(people, np.int64)
        count = int(max(self._people.max(initial=-1) + 1, len(self._templates)))
        groups = min(_GROUPS, count)
        self._group_of = np.random.default_rng(seed).permutation(count) % max(groups, 1)
        sizes = np.bincount(self._group_of[: len(self._templates)], minlength=groups)
        self.largest = int(len(self._templates) - 1 - sizes.max(initial=0))
        """The largest gallery whose rate can be told, with its error."""
        if not len(self._probes) or self.largest < 1 or groups < 2:
            raise EvaluationError(
                "searches of strangers",
                got=f"{len(self._probes)} searches among {len(self._templates)} people",
                expected="a search, and others to be taken for",
                remedy="give more people",
            )

    def alarms(self, galleries: tuple[int, ...], thresholds: Float[np.ndarray, " t"] | None = None) -> Alarms:
        """Tell the rates.

        Args:
            galleries: Sizes of the gallery; none over `largest`.
            thresholds: Rising; None takes some that lie densely where alarms are rare.
        """
        levels = self._levels() if thresholds is None else np.asarray(thresholds, np.float32)
        width, groups = len(levels), int(self._group_of.max()) + 1
        of_template = self._group_of[: len(self._templates)]
        each = np.bincount(self._people)
        weights = 1.0 / each[self._people]
        totals = np.zeros((groups + 1, len(galleries), width))
        shares = np.zeros(groups + 1)
        alarmed = np.zeros((len(each), width), bool)
        searches = np.zeros(width, np.int64)
        tables = _Tables(galleries)
        for start in range(0, len(self._probes), _CHUNK):
            rows = slice(start, start + _CHUNK)
            scores, own = self._scores(rows)
            parts = np.stack([_at_or_above(scores[:, of_template == group], levels) for group in range(groups)])
            whole = parts.sum(axis=0)
            searches += (whole > 0).sum(axis=0)
            np.logical_or.at(alarmed, self._people[rows], whole > 0)
            weight, group_of = weights[rows], self._group_of[self._people[rows]]
            enrolled = (own != NOT_ENROLLED).astype(np.int64)
            for place in range(groups + 1):
                above = whole if place == groups else whole - parts[place]
                kept = weight if place == groups else np.where(group_of == place, 0.0, weight)
                there = len(of_template) if place == groups else int((of_template != place).sum())
                shares[place] += kept.sum()
                for mine in (0, 1):
                    chosen = (enrolled == mine) & (kept > 0)
                    if chosen.any():
                        totals[place] += tables.alarmed(there - mine, above[chosen], kept[chosen])
        rates = totals / np.maximum(shares, _LEAST)[:, None, None]
        return Alarms(
            thresholds=levels.astype(np.float64),
            galleries=galleries,
            rates=rates[-1],
            replicates=rates[:-1],
            searches=searches,
            people=alarmed.sum(axis=0),
            count=len(self._probes),
            comparisons=int(len(self._probes) * len(of_template) - (self._own != NOT_ENROLLED).sum()),
            templates=len(of_template) - 1,
        )

    @cached_property
    def best(self) -> Float[np.ndarray, " n"]:
        """Highest score of each search."""
        starts = range(0, len(self._probes), _CHUNK)
        return np.concatenate([self._scores(slice(start, start + _CHUNK))[0].max(axis=1) for start in starts])

    def _scores(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        scores = self._probes[rows] @ self._templates.T
        own = self._own[rows]
        has = np.flatnonzero(own != NOT_ENROLLED)
        scores[has, own[has]] = -np.inf
        return scores, own

    def galleries(self, *wanted: int) -> tuple[int, ...]:
        """Sizes at which the rates are told: 1, 2, 5, 10 ... and those wanted, up to the largest."""
        steps = (digit * 10**power for power in range(6) for digit in (1, 2, 5))
        return tuple(sorted({size for size in (*steps, *wanted) if size < self.largest} | {self.largest}))

    def _levels(self) -> np.ndarray:
        """Thresholds at the best scores and at ranks among all scores, dense in the tail."""
        step = max(1, len(self._probes) * len(self._templates) // _SAMPLE)
        sample = self._scores(slice(0, None, step))[0].ravel()
        sample = np.sort(sample[np.isfinite(sample)])[::-1]
        ranks = np.unique(np.geomspace(1, sample.size, _LEVELS).astype(np.int64)) - 1
        best = np.sort(self.best)[::-1]
        tail = best[np.unique(np.geomspace(1, best.size, _LEVELS // 2).astype(np.int64)) - 1]
        return np.unique(np.concatenate([sample[ranks], tail, [best[0] + 1e-4]]).astype(np.float32))


class _Tables:
    """The chance of an alarm by how many templates score at or above the threshold."""

    def __init__(self, galleries: tuple[int, ...]) -> None:
        self._galleries = galleries
        self._known: dict[int, np.ndarray] = {}

    def alarmed(self, templates: int, above: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, "n t"]:
        """Sums the chances of some searches, by gallery and threshold."""
        if templates not in self._known:
            self._known[templates] = np.stack([_chance(templates, size) for size in self._galleries])
        table = self._known[templates]
        return np.stack([weights @ row[above] for row in table])


def _chance(templates: int, gallery: int) -> Float[np.ndarray, " k"]:
    """1 - C(G - k, N) / C(G, N) for k = 0..G."""
    above = np.arange(templates + 1)
    free = templates - above
    spared = np.zeros(templates + 1)
    some = free >= gallery
    spared[some] = np.exp(
        gammaln(free[some] + 1)
        - gammaln(free[some] - gallery + 1)
        - gammaln(templates + 1)
        + gammaln(templates - gallery + 1)
    )
    return np.clip(1.0 - spared, 0.0, 1.0)


def _at_or_above(scores: np.ndarray, levels: np.ndarray) -> Int[np.ndarray, "n t"]:
    """How many scores of each row are at or above each of the rising levels."""
    rows, width = len(scores), len(levels)
    below = np.searchsorted(levels, scores, side="right")  # levels that each score reaches
    flat = below + (width + 1) * np.arange(rows)[:, None]
    counts = np.bincount(flat.ravel(), minlength=rows * (width + 1)).reshape(rows, width + 1)
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:]
