"""Do the intervals hold what they say, and does the verdict? Simulated evaluations with known truth.

Each check runs the code that real evaluations run, on outcomes drawn from a model: a probe is ranked first when how
clear it is (the arm, the subject, the picture, and what the two arms do not share) outweighs chance. Subjects differ,
so probes of one subject are alike, which is what the bootstrap over subjects must cope with.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field
from scipy.stats import binomtest, norm

from lrface.base.settings import Settings
from lrface.evaluation.figures.results import Cell, Kept, Results
from lrface.evaluation.protocol.protocol import Part, Protocol
from lrface.evaluation.settings import DecisionSettings, EvaluationSettings, ProtocolSettings
from lrface.evaluation.verdict.compare import compare
from lrface.evaluation.verdict.decision import Decision, Verdict, decide
from lrface.metrics.identification import Identification
from lrface.metrics.pairs import PairBootstrap, PairScores
from lrface.metrics.statistics import draw_weights, mean_interval, paired_interval, proportion_interval
from lrface.metrics.verification import tar_at_far

CONDITION = "clean"
CANDIDATE, CHAMPION = "candidate", "champion"
FULL = 112
COVERAGE_BOUNDS = (0.93, 0.97)
NAMED_FROM = -0.3  # margin; leaves about 15 % of probes of rank-1 .75 without a name


class SimulationSettings(Settings):
    """How much is simulated."""

    runs: int = Field(default=1000, ge=10, description="simulated evaluations per check")
    replicates: int = Field(default=1000, ge=100, description="bootstrap replicates in each")
    subjects: int = Field(default=50, ge=2, description="subjects in each")
    probes: int = Field(default=10, ge=1, description="probes per subject")
    seed: int = Field(default=0, ge=0, description="seed of the simulation")


@dataclass(frozen=True)
class Check:
    """One property that was simulated.

    Attributes:
        name: What it is.
        value: Share of the runs.
        low: Least that is right.
        high: Most that is right.
        runs: Simulated evaluations.
        bounded: Whether a value outside fails; else it is told for information.
    """

    name: str
    value: float
    low: float
    high: float
    runs: int
    bounded: bool = True

    @property
    def interval(self) -> tuple[float, float]:
        """How sure so many runs make it: the 95 % interval by Wilson."""
        found = binomtest(round(self.value * self.runs), self.runs).proportion_ci(method="wilson")
        return float(found.low), float(found.high)

    @property
    def passed(self) -> bool:
        """Whether the value lies within its bounds, or has none."""
        return not self.bounded or self.low <= self.value <= self.high


def table_of(checks: list[Check]) -> pd.DataFrame:
    """Gives name, value, low, high, runs, bounded, passed; a row per check."""
    return pd.DataFrame([{**vars(check), "passed": check.passed} for check in checks])


@dataclass(frozen=True)
class Population:
    """How clear probes are; all in units of the picture's own spread.

    Attributes:
        subject: Spread between subjects.
        own: Spread of what one arm sees in a picture and the other does not.
        own_subject: Spread between subjects of the same.
    """

    subject: float = 0.5
    own: float = 0.05
    own_subject: float = 0.0

    @property
    def spread(self) -> float:
        """Spread of all together."""
        return math.sqrt(1.0 + self.subject**2 + self.own**2 + self.own_subject**2)

    def level(self, accuracy: float) -> float:
        """Gives how clear probes must be on average for an accuracy."""
        return float(norm.ppf(accuracy)) * self.spread

    def margins(
        self, accuracies: list[list[float]], subjects: int, probes: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Draws how far each probe is from being mistaken; arms x sizes x (subjects * probes)."""
        shape = (len(accuracies), len(accuracies[0]), subjects, probes)
        levels = np.array([[self.level(accuracy) for accuracy in row] for row in accuracies])
        margins = levels[:, :, None, None] + generator.normal(0.0, self.subject, (1, 1, subjects, 1))
        margins = margins + generator.normal(0.0, 1.0, (1, 1, subjects, probes))
        margins = margins + generator.normal(0.0, self.own_subject, (shape[0], 1, subjects, 1))
        margins = margins + generator.normal(0.0, self.own, shape)
        return np.asarray(margins.reshape(shape[0], shape[1], -1))


RETRAINED = Population(own=0.2, own_subject=0.1)
"""Two recognisers of one line at full size: where .95 are right, some 2 % of the probes are got by one of them only."""


@dataclass(frozen=True)
class Design:
    """What is true of a champion and a candidate.

    Attributes:
        accuracies: Rank-1 of champion and candidate at each size.
        full: Rank-1 of both recognisers at full size.
        population: How alike probes and arms are.
        same: Whether the candidate is the champion registered twice.
    """

    accuracies: tuple[list[float], list[float]]
    full: tuple[float, float] = (0.95, 0.95)
    population: Population = Population()
    same: bool = False


def simulated_protocol(subjects: int, probes: int) -> Protocol:
    """Makes a protocol of that many subjects with one enrolled picture each."""
    names = [f"s{number}" for number in range(subjects)]
    rows = range(subjects, subjects + subjects * probes)
    mated = Part(tuple(rows), tuple(name for name in names for _ in range(probes)))
    gallery = Part(tuple(range(subjects)), tuple(names))
    return Protocol("simulated", ProtocolSettings(), gallery, mated, Part(), Part(), Part())


def _kept(margin: np.ndarray) -> Kept:
    """Makes the scores of a cell: a margin above 0 is ranked first, one under `NAMED_FROM` is left without a name."""
    right = margin > 0.0
    best = np.clip(EvaluationSettings().threshold + 0.1 * (margin - NAMED_FROM), -1.0, 1.0).astype(np.float32)
    mate = np.where(right, best, best - 0.05).astype(np.float32)
    stranger = np.where(right, best - 0.05, best).astype(np.float32)
    search = Identification(np.where(right, 1, 2), best, np.zeros(margin.size, np.int64), mate, stranger)
    empty = np.empty(0)
    return Kept(search, stranger, empty, empty, empty, empty, empty, empty)


def _results(protocol: Protocol, kept: dict[Cell, Kept], replicates: int) -> Results:
    return Results(protocol, (), pd.DataFrame(), kept, EvaluationSettings().threshold, replicates, seed=0)


def simulated_verdict(
    design: Design,
    settings: SimulationSettings,
    generator: np.random.Generator,
    decision: DecisionSettings | None = None,
) -> Verdict:
    """Simulates an evaluation of a candidate and a champion, small faces and full size, and decides about it.

    Args:
        design: What is true.
        settings: Numbers of subjects, probes and replicates.
        generator: Source of chance.
        decision: Bounds of the verdict.
    """
    protocol = simulated_protocol(settings.subjects, settings.probes)
    about = (settings.subjects, settings.probes, generator)
    small = design.population.margins([*design.accuracies], *about)
    full = RETRAINED.margins([[accuracy] for accuracy in design.full], *about)
    sizes = range(8, 8 + len(design.accuracies[0]))
    kept: dict[Cell, Kept] = {}
    for number, arm in enumerate((CHAMPION, CANDIDATE)):
        drawn = 0 if design.same else number
        kept |= {Cell(arm, size, CONDITION): _kept(margin) for size, margin in zip(sizes, small[drawn], strict=True)}
        kept[Cell(f"hr-{arm}", FULL, CONDITION)] = _kept(full[drawn, 0])
    results = _results(protocol, kept, settings.replicates)
    candidate, champion = ([Cell(arm, size, CONDITION) for size in sizes] for arm in (CANDIDATE, CHAMPION))
    against = compare(results, candidate, results, champion)
    high, before = (Cell(f"hr-{arm}", FULL, CONDITION) for arm in (CANDIDATE, CHAMPION))
    return decide(against, against, compare(results, high, results, before), decision)


def promotions(
    name: str, design: Design, settings: SimulationSettings, bounds: tuple[float, float], *, bounded: bool = True
) -> list[Check]:
    """Counts how often a simulated candidate is promoted, and how often the rule on the gain alone says so.

    The second is the most that any interval and any gate could reach: what lies between the two is what they cost.
    """
    generator = np.random.default_rng(settings.seed)
    verdicts = [simulated_verdict(design, settings, generator) for _ in range(settings.runs)]
    promoted = float(np.mean([verdict.promoted for verdict in verdicts]))
    alone = float(np.mean([verdict.decision is Decision.PROMOTE for verdict in verdicts]))
    return [
        Check(name, promoted, *bounds, settings.runs, bounded),
        Check(f"{name}: rule alone", alone, 0.0, 1.0, settings.runs, bounded=False),
    ]


def _covered(name: str, hits: list[bool], *, bounded: bool = True) -> Check:
    return Check(f"coverage: {name}", float(np.mean(hits)), *COVERAGE_BOUNDS, len(hits), bounded)


def _labels(settings: SimulationSettings) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(settings.subjects), settings.probes)
    return labels, draw_weights(settings.subjects, settings.replicates, settings.seed)


def share_coverage(accuracy: float, settings: SimulationSettings, *, bounded: bool = True) -> Check:
    """Covers a rank-1 rate: how often its interval holds the true accuracy."""
    generator = np.random.default_rng(settings.seed)
    labels, weights = _labels(settings)
    population = Population()
    hits = []
    for _ in range(settings.runs):
        margin = population.margins([[accuracy]], settings.subjects, settings.probes, generator)[0, 0]
        interval = mean_interval(margin > 0.0, labels, weights)
        hits.append(interval.low <= accuracy <= interval.high)
    return _covered(f"rank1 {accuracy:g}, {settings.subjects} subjects", hits, bounded=bounded)


def mean_coverage(settings: SimulationSettings) -> Check:
    """Covers a mean such as PSNR, of which subjects have more or less."""
    generator = np.random.default_rng(settings.seed)
    labels, weights = _labels(settings)
    hits = []
    for _ in range(settings.runs):
        values = 27.0 + generator.normal(0.0, 1.0, settings.subjects)[labels] + generator.normal(0.0, 2.0, labels.size)
        interval = mean_interval(values, labels, weights)
        hits.append(interval.low <= 27.0 <= interval.high)
    return _covered(f"mean (psnr), {settings.subjects} subjects", hits)


def difference_coverage(accuracies: tuple[float, float], settings: SimulationSettings) -> Check:
    """Covers the paired difference of two rank-1 rates."""
    generator = np.random.default_rng(settings.seed)
    labels, weights = _labels(settings)
    population = Population(own=0.3, own_subject=0.1)
    truth = accuracies[1] - accuracies[0]
    hits = []
    for _ in range(settings.runs):
        arms = [[accuracy] for accuracy in accuracies]
        margins = population.margins(arms, settings.subjects, settings.probes, generator)[:, 0]
        interval = paired_interval(margins[1] > 0.0, margins[0] > 0.0, labels, weights, shares=True)
        hits.append(interval.low <= truth <= interval.high)
    return _covered(f"paired rank1 {accuracies[0]:g} to {accuracies[1]:g}, {settings.subjects} subjects", hits)


def _embeddings(subjects: int, each: int, generator: np.random.Generator) -> PairScores:
    """Draws unit embeddings of people and their pictures, HR and probe, in 24 dimensions."""
    labels = np.repeat(np.arange(subjects), each)
    people = generator.normal(size=(subjects, 24))
    sides = [people[labels] + spread * generator.normal(size=(labels.size, 24)) for spread in (0.5, 1.0)]
    high, low = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in sides)
    rows = np.arange(labels.size)
    return PairScores((high @ low.T).astype(np.float32), labels, labels, rows, rows)


def pair_coverage(far: float, settings: SimulationSettings) -> Check:
    """Covers TAR at a FAR; the truth is that of a population of 60 times as many subjects, in parts."""
    generator = np.random.default_rng(settings.seed + 1)
    each = 5
    parts = [_embeddings(600, each, generator) for _ in range(max(1, settings.subjects // 10))]
    genuine, impostor = (np.concatenate([getattr(part, name) for part in parts]) for name in ("genuine", "impostor"))
    truth = tar_at_far(genuine, impostor, far).value
    del parts, genuine, impostor
    weights = draw_weights(settings.subjects, settings.replicates, settings.seed)
    hits = []
    for _ in range(settings.runs):
        pairs = _embeddings(settings.subjects, each, generator)
        value = tar_at_far(pairs.genuine, pairs.impostor, far).value
        replicates = PairBootstrap(pairs, settings.subjects).tar_at_far(weights, [far])[:, 0]
        interval = proportion_interval(value, replicates, settings.subjects, probes=each * settings.subjects)
        hits.append(interval.low <= truth <= interval.high)
    return _covered(f"tar at far {far:g}, {settings.subjects} subjects", hits)
