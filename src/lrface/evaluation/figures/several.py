"""Probes of several pictures: what two, four or eight pictures of one unknown person gain over one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lrface.evaluation.figures.open_set import open_curve, rate_name
from lrface.metrics.identification import NOT_MATED, Identification, search, tpir_at_fpir
from lrface.metrics.statistics import (
    Interval,
    expanded_interval,
    mean_interval,
    paired_interval,
    proportion_interval,
    rates_at,
)
from lrface.naming.track import pooled, worth

OVER_ONE, OVER_MEAN = "_over_one", "_over_mean"


@dataclass(frozen=True)
class Probes:
    """Single pictures that are searched for.

    Attributes:
        embeddings: Of unit length, a row per picture.
        subjects: Whose each is, numbered.
        mates: Place of each one's own template in the gallery; -1 for strangers.
    """

    embeddings: Float[Tensor, "n d"]
    subjects: Int[np.ndarray, " n"]
    mates: Int[Tensor, " n"]


@dataclass(frozen=True)
class Figure:
    """A figure with its interval.

    Attributes:
        metric: Its name.
        interval: Value and ends; NaN where it cannot be told.
        n: Probes that it is made of.
        reason: Why it cannot be told, else None.
    """

    metric: str
    interval: Interval
    n: int
    reason: str | None = None


def runs(subjects: Int[np.ndarray, " n"], count: int) -> Int[np.ndarray, "g count"]:
    """Takes the pictures of each subject `count` at a time, in order; what is left over belongs to no probe.

    Args:
        subjects: Whose each picture is.
        count: Pictures a probe.

    Returns:
        Places of the pictures of each probe.
    """
    order = np.argsort(subjects, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(subjects[order])) + 1) if len(order) else []
    found = [part[: len(part) // count * count].reshape(-1, count) for part in parts]
    return np.concatenate(found) if found else np.empty((0, count), np.int64)


def pooled_probes(
    embeddings: Float[Tensor, "n d"], places: Int[np.ndarray, "g k"], sides: Float[np.ndarray, " n"] | None
) -> Float[Tensor, "g d"]:
    """Makes one probe of each run of pictures.

    Args:
        embeddings: Of all pictures.
        places: Places of those of each probe.
        sides: Of all pictures, pixels: they are weighted by their worth and agreement; None takes the plain mean.
    """
    rows = embeddings.numpy()
    if sides is None:
        sums = torch.from_numpy(rows[places].sum(axis=1, dtype=np.float64))
        return torch.nn.functional.normalize(sums, dim=1).float()
    weights = worth(sides)
    made = [pooled(rows[own], weights[own]).embedding for own in places]
    return torch.from_numpy(np.stack(made)) if made else embeddings[:0]


@dataclass(frozen=True)
class _Search:
    """What was found for probes of one kind, `each` of which stand for one run of pictures."""

    found: Identification
    alone: np.ndarray
    subjects: np.ndarray
    strangers: np.ndarray

    def curve(self, weights: np.ndarray, fpirs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """FPIR and TPIR in each replicate."""
        return open_curve(self.found, self.alone, (self.subjects, self.strangers), weights, fpirs)


def several_figures(
    mated: Probes,
    strangers: Probes | None,
    templates: Float[Tensor, "g d"],
    sides: tuple[Float[np.ndarray, " m"], Float[np.ndarray, " s"]],
    counts: Sequence[int],
    fpirs: Sequence[float],
    weights: Float[np.ndarray, "b p"],
    level: float = 0.95,
) -> list[Figure]:
    """Measures rank-1 and TPIR of probes of several pictures, beside those of the same pictures one by one.

    Only people with that many pictures are in it, so that all figures of a count are about the same pictures. Where no
    stranger has as many, each mated probe is also searched for with its own person left out of the gallery.

    Args:
        mated: Pictures of people who are enrolled.
        strangers: Pictures of others; None where there are none.
        templates: The gallery.
        sides: Of the pictures of both, pixels.
        counts: Pictures a probe, each over one.
        fpirs: False alarm rates.
        weights: How often each subject was drawn in each bootstrap replicate.
        level: Confidence of the intervals.

    Returns:
        For each count k: ``rank1_of_k`` and ``tpir_at_fpir_R_of_k``, weighted as tracks are; with ``_over_one`` what
        they gain over the same pictures one by one, with ``_over_mean`` over the plain mean of their embeddings.
    """
    figures: list[Figure] = []
    for count in counts:
        places = runs(mated.subjects, count)
        if not len(places):
            reason = f"probes of {count} pictures: nobody who is enrolled has so many to search with"
            figures.append(Figure(f"rank1_of_{count}", Interval(np.nan, np.nan, np.nan), 0, reason))
            continue
        others = runs(strangers.subjects, count) if strangers is not None else np.empty((0, count), np.int64)
        many = _searched(mated, strangers, templates, places, others, sides)
        mean = _searched(mated, strangers, templates, places, others, None)
        one = _searched(mated, strangers, templates, places.reshape(-1, 1), others.reshape(-1, 1), None)
        figures += _figures(count, many, mean, one, fpirs, weights, level)
    return figures


def _searched(
    mated: Probes,
    strangers: Probes | None,
    templates: Tensor,
    places: np.ndarray,
    others: np.ndarray,
    sides: tuple[np.ndarray, np.ndarray] | None,
) -> _Search:
    probes = pooled_probes(mated.embeddings, places, sides[0] if sides else None)
    found = search(probes, templates, mated.mates[places[:, 0]])
    subjects = mated.subjects[places[:, 0]]
    if strangers is None or not len(others):
        alone = np.where(np.isneginf(found.stranger), np.float32(-1.0), found.stranger)
        return _Search(found, alone, subjects, subjects)
    unknown = pooled_probes(strangers.embeddings, others, sides[1] if sides else None)
    alone = search(unknown, templates, torch.full((len(unknown),), NOT_MATED)).best
    return _Search(found, alone, subjects, strangers.subjects[others[:, 0]])


def _figures(
    count: int,
    many: _Search,
    mean: _Search,
    one: _Search,
    fpirs: Sequence[float],
    weights: np.ndarray,
    level: float,
) -> list[Figure]:
    probes, people = len(many.subjects), int(np.unique(many.subjects).size)
    right = {name: search.found.rank == 1 for name, search in (("many", many), ("mean", mean), ("one", one))}
    # the figure of a run counts for each of its pictures, so that both are about the same ones
    repeated, owners = np.repeat(right["many"], count), one.subjects
    name = f"rank1_of_{count}"
    figures = [
        Figure(name, mean_interval(right["many"], many.subjects, weights, level), probes),
        Figure(name + OVER_ONE, paired_interval(repeated, right["one"], owners, weights, level), probes),
        Figure(name + OVER_MEAN, paired_interval(right["many"], right["mean"], many.subjects, weights, level), probes),
    ]
    curves: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for rate in fpirs:
        name = f"tpir_at_fpir_{rate_name(rate)}_of_{count}"
        points = [tpir_at_fpir(search.found, search.alone, rate) for search in (many, one, mean)]
        if reason := next((point.reason for point in points if point.reason), None):
            figures.append(Figure(name, Interval(np.nan, np.nan, np.nan), probes, f"{name}: {reason}"))
            continue
        curves = curves or {key: own.curve(weights, fpirs) for key, own in enumerate((many, one, mean))}
        drawn = [rates_at(curves[key][0], curves[key][1], np.array([rate]))[:, 0] for key in range(3)]
        value = points[0].value
        figures.append(Figure(name, proportion_interval(value, drawn[0], people, level, probes=probes), probes))
        for key, over in ((1, OVER_ONE), (2, OVER_MEAN)):
            change = value - points[key].value
            figures.append(Figure(name + over, expanded_interval(change, drawn[0] - drawn[key], people, level), probes))
    return figures
