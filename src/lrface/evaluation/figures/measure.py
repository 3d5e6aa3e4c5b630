"""All figures of one cell from its embeddings: what was found, and with which interval."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.evaluation.figures.calibrated_threshold import Calibrated, calibrated_on, cross_fitted
from lrface.evaluation.figures.open_set import open_curve, rate_name
from lrface.evaluation.figures.results import HISTOGRAM_BINS, Cell, Kept, Record, record
from lrface.evaluation.figures.several import Probes, several_figures
from lrface.evaluation.protocol.protocol import Part, Protocol
from lrface.evaluation.settings import EvaluationSettings
from lrface.metrics.diversity import effective_rank
from lrface.metrics.identification import NOT_MATED, Identification, search, tpir_at_fpir
from lrface.metrics.open_set import Alarms, Strangers
from lrface.metrics.pairs import PairBootstrap, PairScores
from lrface.metrics.statistics import (
    Interval,
    draw_weights,
    expanded_interval,
    mean_interval,
    proportion_interval,
    rates_at,
    sums_by_subject,
)
from lrface.metrics.verification import dprime, eer_of, roc, tar_at_far

ROC_POINTS = 1000
NAN = math.nan


@dataclass(frozen=True)
class Embedded:
    """The faces of one cell.

    Attributes:
        high: Embeddings of `protocol.high_rows` by the recogniser of the gallery.
        probes: Embeddings of `protocol.probe_rows` by the arm.
        psnr: In dB, of `protocol.pairs`; empty for HR.
        ssim: Of `protocol.pairs`; empty for HR.
        looks: LPIPS of `protocol.pairs` by the name of its network; nothing where no weights for it were named.
    """

    high: Float[Tensor, "h d"]
    probes: Float[Tensor, "p d"]
    psnr: Float[np.ndarray, " k"]
    ssim: Float[np.ndarray, " k"]
    looks: Mapping[str, Float[np.ndarray, " k"]] = field(default_factory=dict)


class Ruler:
    """Measures cells on one protocol; holds what all cells share: places of rows, subjects, bootstrap weights.

    Args:
        protocol: The questions.
        settings: Threshold, rates, bootstrap.
        device: Where probes are searched for.
    """

    def __init__(self, protocol: Protocol, settings: EvaluationSettings, device: torch.device | str = "cpu") -> None:
        self.protocol, self.settings, self.device = protocol, settings, device
        names = (*protocol.gallery.names, *protocol.non_mated.names)
        self.names = tuple(dict.fromkeys((*names, *protocol.pairs.names)))
        self._number = {name: place for place, name in enumerate(self.names)}
        self.weights = draw_weights(len(self.names), settings.replicates, settings.seed)
        self._high_place = {row: place for place, row in enumerate(protocol.high_rows)}
        self._probe_place = {row: place for place, row in enumerate(protocol.probe_rows)}
        self.mated_subjects = self._numbers(protocol.mated)
        self.pair_subjects = self._numbers(protocol.pairs)
        gallery_place = {name: place for place, name in enumerate(protocol.gallery.names)}
        self._mates = torch.tensor([gallery_place[name] for name in protocol.mated.subjects], dtype=torch.int64)
        self._enrolled = torch.tensor([gallery_place[name] for name in protocol.gallery.subjects])

    def _numbers(self, part: Part) -> np.ndarray:
        return np.array([self._number[name] for name in part.subjects], dtype=np.int64)

    def _high(self, embedded: Embedded, part: Part) -> Tensor:
        return embedded.high[[self._high_place[row] for row in part.rows]]

    def _probes(self, embedded: Embedded, part: Part) -> Tensor:
        return embedded.probes[[self._probe_place[row] for row in part.rows]]

    def templates(self, embedded: Embedded) -> Float[Tensor, "g d"]:
        """Gives one template per enrolled subject: the renormalised mean of its embeddings."""
        faces = self._high(embedded, self.protocol.gallery)
        sums = torch.zeros(len(self.protocol.gallery.names), faces.shape[1])
        return F.normalize(sums.index_add(0, self._enrolled, faces), dim=1)

    @property
    def stranger_subjects(self) -> np.ndarray:
        """Subject of each search of somebody who is not enrolled."""
        return self._numbers(self.protocol.non_mated) if self.protocol.non_mated.rows else self.mated_subjects

    @property
    def gallery_size(self) -> int:
        """People in the gallery."""
        return len(self.protocol.gallery.names)

    def alarms(self, embedded: Embedded) -> Alarms | None:
        """How often strangers of the test are named, for the spread of that rate; None where too few tell."""
        others = self.protocol.non_mated
        probes = self._probes(embedded, others if others.rows else self.protocol.mated)
        own = np.full(len(others), NOT_MATED) if others.rows else self._mates.numpy()
        gallery = {name: place for place, name in enumerate(self.protocol.gallery.names)}
        people = np.array(
            [
                gallery.setdefault(name, len(gallery))
                for name in (others.subjects if others.rows else self.protocol.mated.subjects)
            ],
            dtype=np.int64,
        )
        try:
            found = Strangers(probes.numpy(), self.templates(embedded).numpy(), own, people, self.settings.seed)
        except EvaluationError:
            return None
        return found.alarms((found.largest,))

    def _search(self, embedded: Embedded) -> tuple[Identification, np.ndarray, Calibrated]:
        """Searches the mated probes, the strangers, and finds the calibrated threshold."""
        templates = self.templates(embedded)
        found = search(self._probes(embedded, self.protocol.mated), templates, self._mates, device=self.device)

        def strangers(part: Part) -> np.ndarray:
            nobody = torch.full((len(part),), NOT_MATED)
            return search(self._probes(embedded, part), templates, nobody, device=self.device).best

        # Where nobody was kept out, each mated probe is searched for with its own subject left out.
        unenrolled = strangers(self.protocol.non_mated) if self.protocol.non_mated.rows else found.stranger
        unenrolled = np.where(np.isneginf(unenrolled), np.float32(-1.0), unenrolled)
        rate = self.settings.calibration_fpir
        if self.protocol.calibration.rows:
            scores = strangers(self.protocol.calibration)
            return found, unenrolled, calibrated_on(scores, rate, found.rank.size, unenrolled.size)
        fitted = cross_fitted(unenrolled, self.stranger_subjects, self.mated_subjects, rate)
        return found, unenrolled, fitted

    def measure(self, cell: Cell, embedded: Embedded) -> tuple[list[Record], Kept, pd.DataFrame, list[str]]:
        """Measures one cell: its records, scores, per-subject table and notes."""
        found, strangers, calibrated = self._search(embedded)
        pairs, similarity = self._pairs(embedded)
        reporter = Reporter(cell, self)
        reporter.identification(found, self.settings.threshold, "")
        reporter.strangers(strangers, self.settings.threshold, "")
        if calibrated.reason is None:
            count = len(self.protocol.calibration) or strangers.size
            reporter.add("threshold_calibrated", Interval(calibrated.threshold, NAN, NAN), count)
            reporter.identification(found, calibrated.mated, "_calibrated")
            reporter.strangers(strangers, calibrated.strangers, "_calibrated")
        else:
            reporter.notes.append(f"{cell} threshold_calibrated: {calibrated.reason}")
        reporter.open_set(found, strangers)
        self._several(embedded, reporter)
        replicates = reporter.verification(pairs)
        near = {"psnr": embedded.psnr, "ssim": embedded.ssim, **embedded.looks, "similarity": similarity}
        for name, values in near.items():
            reporter.mean(name, values, self.pair_subjects)
        probes = self._probes(embedded, self.protocol.pairs)
        reporter.add("effective_rank", Interval(effective_rank(probes), NAN, NAN), len(probes))
        table = reporter.subjects(found)
        far, tar = _thinned(pairs)
        edges = np.linspace(-1.0, 1.0, HISTOGRAM_BINS + 1)
        kept = Kept(
            mated=found,
            strangers=strangers,
            similarity=similarity,
            psnr=embedded.psnr,
            far=far,
            tar=tar,
            genuine_counts=np.histogram(np.clip(pairs.genuine, -1.0, 1.0), edges)[0],
            impostor_counts=np.histogram(np.clip(pairs.impostor, -1.0, 1.0), edges)[0],
            replicates=replicates,
            calibrated_threshold=calibrated.threshold,
        )
        return reporter.records, kept, table, reporter.notes

    def _several(self, embedded: Embedded, reporter: "Reporter") -> None:
        """Measures probes of several pictures; one note says how many pictures nobody has, whatever the cell."""
        protocol, side = self.protocol, float(reporter.cell.size)
        if not self.settings.probe_pictures or not protocol.mated.rows or len(protocol.gallery.names) < 2:
            return
        mated = Probes(self._probes(embedded, protocol.mated), self.mated_subjects, self._mates)
        others, strangers = protocol.non_mated, None
        if others.rows:
            nobody = torch.full((len(others),), NOT_MATED)
            strangers = Probes(self._probes(embedded, others), self.stranger_subjects, nobody)
        figures = several_figures(
            mated,
            strangers,
            self.templates(embedded),
            (np.full(len(protocol.mated), side), np.full(len(others), side)),
            self.settings.probe_pictures,
            self.settings.fpirs,
            self.weights,
            self.settings.level,
        )
        for figure in figures:
            reporter.add(figure.metric, figure.interval, figure.n)
            reporter.notes += [figure.reason] if figure.reason else []

    def _pairs(self, embedded: Embedded) -> tuple[PairScores, np.ndarray]:
        part = self.protocol.pairs
        high, probes = self._high(embedded, part), self._probes(embedded, part)
        rows = np.asarray(part.rows)
        scores = (high @ probes.T).numpy()
        pairs = PairScores(scores, self.pair_subjects, self.pair_subjects, rows, rows)
        # A face held against itself comes out a rounding above 1.
        return pairs, (high * probes).sum(dim=1).clamp(-1.0, 1.0).numpy()


def _thinned(pairs: PairScores) -> tuple[np.ndarray, np.ndarray]:
    """Gives the ROC at no more than `ROC_POINTS` rates, dense where false accepts are rare."""
    if pairs.genuine.size == 0 or pairs.impostor.size == 0:
        return np.empty(0), np.empty(0)
    curve = roc(pairs.genuine, pairs.impostor)
    if curve.far.size <= ROC_POINTS:
        return curve.far, curve.tar
    wanted = np.logspace(-math.log10(pairs.impostor.size), 0.0, ROC_POINTS)
    place = np.searchsorted(curve.far, wanted + 1e-12, side="right") - 1
    return wanted, curve.tar[place]


class Reporter:
    """Collects the records of one cell."""

    def __init__(self, cell: Cell, ruler: Ruler) -> None:
        self.cell, self.ruler, self.settings = cell, ruler, ruler.settings
        self.records: list[Record] = []
        self.notes: list[str] = []

    def add(self, metric: str, interval: Interval, n: int, reason: str | None = None) -> None:
        """Adds a figure, with a note where it could not be told."""
        self.records.append(record(self.cell, metric, interval.value, interval.low, interval.high, n))
        if reason is not None:
            self.notes.append(f"{self.cell} {metric}: {reason}")

    def mean(self, metric: str, values: np.ndarray, subjects: np.ndarray) -> None:
        """Adds a mean over faces; a note where there is none, or where faces are equal and PSNR has no bound."""
        if values.size == 0:
            return
        if not np.isfinite(values).all():
            self.add(metric, Interval(NAN, NAN, NAN), values.size, "infinite: the picture is the original")
            return
        self.add(metric, mean_interval(values, subjects, self.ruler.weights, self.settings.level), values.size)

    def identification(self, found: Identification, threshold: float | np.ndarray, suffix: str) -> None:
        """Adds the ranks and correct / wrong / unknown at a threshold."""
        subjects = self.ruler.mated_subjects
        if not subjects.size:
            self.notes.append(f"{self.cell} rank1: no probe of an enrolled subject")
            return
        if not suffix:
            for k in (1, 5, 10):
                self.mean(f"rank{k}", found.rank <= k, subjects)
        named, right = found.best >= threshold, found.rank == 1
        self.mean(f"correct{suffix}", named & right, subjects)
        self.mean(f"wrong{suffix}", named & ~right, subjects)
        self.mean(f"unknown{suffix}", ~named, subjects)

    def strangers(self, strangers: np.ndarray, threshold: float | np.ndarray, suffix: str) -> None:
        """Adds the false alarms at a threshold."""
        if strangers.size and len(self.ruler.protocol.gallery.names) > 1:
            self.mean(f"false_alarm{suffix}", strangers >= threshold, self.ruler.stranger_subjects)

    def open_set(self, found: Identification, strangers: np.ndarray) -> None:
        """Adds the rates of right names at fixed rates of false alarms."""
        count = int(np.unique(self.ruler.mated_subjects).size)
        curve: tuple[np.ndarray, np.ndarray] | None = None
        for fpir in self.settings.fpirs:
            point = tpir_at_fpir(found, strangers, fpir)
            interval = Interval(point.value, NAN, NAN)
            if point.reason is None:
                curve = curve or self._open_curve(found, strangers)
                replicates = rates_at(*curve, np.array([fpir]))[:, 0]
                interval = proportion_interval(point.value, replicates, count, self.settings.level, probes=point.n)
            self.add(f"tpir_at_fpir_{rate_name(fpir)}", interval, point.n, point.reason)

    def _open_curve(self, found: Identification, strangers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        subjects = (self.ruler.mated_subjects, self.ruler.stranger_subjects)
        return open_curve(found, strangers, subjects, self.ruler.weights, self.settings.fpirs)

    def verification(self, pairs: PairScores) -> dict[str, np.ndarray]:
        """Adds the figures of pairs; gives their bootstrap replicates."""
        genuine, impostor = pairs.genuine, pairs.impostor
        if genuine.size == 0 or impostor.size == 0:
            lacking = "genuine" if genuine.size == 0 else "impostor"
            self.notes.append(f"{self.cell} verification: no {lacking} pair")
            return {}
        weights, level = self.ruler.weights, self.settings.level
        bootstrap = PairBootstrap(pairs, len(self.ruler.names))
        count = int(np.unique(self.ruler.pair_subjects).size)
        whole = np.ones((1, weights.shape[1]), np.float32)
        tars, sample = (
            bootstrap.tar_at_far(weights, self.settings.fars),
            bootstrap.tar_at_far(whole, self.settings.fars),
        )
        kept: dict[str, np.ndarray] = {}
        for place, far in enumerate(self.settings.fars):
            point = tar_at_far(genuine, impostor, far)
            name = f"tar_at_far_{rate_name(far)}"
            interval = Interval(point.value, NAN, NAN)
            if point.reason is None:
                kept[name] = (tars[:, place] + (point.value - sample[0, place])).astype(np.float32)
                interval = proportion_interval(
                    point.value, kept[name], count, level, probes=len(self.ruler.pair_subjects)
                )
            self.add(name, interval, point.n, point.reason)
        for name, value, replicates, of_sample in (
            ("eer", eer_of(roc(genuine, impostor)), bootstrap.eer(weights), bootstrap.eer(whole)),
            ("dprime", dprime(genuine, impostor), bootstrap.dprime(weights), bootstrap.dprime(whole)),
            (
                "impostor",
                float(impostor.mean(dtype=np.float64)),
                bootstrap.impostor_mean(weights),
                bootstrap.impostor_mean(whole),
            ),
        ):
            kept[name] = (replicates + (value - of_sample[0])).astype(np.float32)
            interval = expanded_interval(value, kept[name].astype(np.float64), count, level)
            if name == "eer":
                interval = replace(interval, low=max(0.0, interval.low), high=min(1.0, interval.high))
            self.add(name, interval, genuine.size + impostor.size)
        return kept

    def subjects(self, found: Identification) -> pd.DataFrame:
        """Gives the per-subject table, and adds how many subjects are named rightly in under 15 %."""
        subjects = self.ruler.mated_subjects
        named, right = found.best >= self.settings.threshold, found.rank == 1
        present = np.unique(subjects)
        counts = sums_by_subject(np.ones(subjects.size), subjects, len(self.ruler.names))[present]

        def share(values: np.ndarray) -> np.ndarray:
            return np.asarray(sums_by_subject(values, subjects, len(self.ruler.names))[present] / counts)

        table = pd.DataFrame(
            {
                "arm": self.cell.arm,
                "size": self.cell.size,
                "degradation": self.cell.degradation,
                "subject": [self.ruler.names[number] for number in present],
                "probes": counts.astype(np.int64),
                "rank1": share(right),
                "accuracy": share(named & right),
                "wrong": share(named & ~right),
                "unknown": share(~named),
            }
        )
        if present.size:
            poor = (table["accuracy"] < self.settings.poor_subject).to_numpy()
            of_all = mean_interval(poor, present, self.ruler.weights, self.settings.level)
            scaled = Interval(*(end * present.size for end in (of_all.value, of_all.low, of_all.high)))
            self.add("subjects_under_15", scaled, int(present.size))
        return table
