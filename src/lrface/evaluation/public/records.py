"""One figure of one arm on one public set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from lrface.evaluation.public.published import published


@dataclass(frozen=True)
class PublicRecord:
    """One figure.

    Attributes:
        set: Name of the set.
        arm: Name of the arm.
        size: Side of the small faces in pixels; 112 where both faces of a pair are in HR.
        metric: Name of the metric.
        value: The figure; None where it cannot be told.
        low: Lower end of its 95 % interval, None where it has none.
        high: Upper end.
        n: Pairs or probes that it is made of.
        published: What the network's authors give for it, None where they give nothing.
        reason: Why there is no value, else None.
        over: What the bootstrap of its interval draws, people or pairs; None where it has none.
    """

    set: str
    arm: str
    size: int
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    published: float | None = None
    reason: str | None = None
    over: str | None = None

    def key(self) -> str:
        """Gives set/arm/size/metric."""
        return "/".join((self.set, self.arm, str(self.size), self.metric))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def made(
    where: tuple[str, str, int],
    metric: str,
    value: float,
    n: int,
    interval: tuple[float, float] = (math.nan, math.nan),
    reason: str | None = None,
) -> PublicRecord:
    """Makes a record of (set, arm, size); what is not finite becomes None, for JSON knows no other."""
    name, arm, size = where
    low, high = interval
    return PublicRecord(name, arm, size, metric, _finite(value), _finite(low), _finite(high), n, None, reason)


def table_of(records: Sequence[PublicRecord]) -> pd.DataFrame:
    """Gives the records as a table, one row each."""
    return pd.DataFrame([asdict(entry) for entry in records])


def with_published(
    records: Sequence[PublicRecord], networks: Mapping[str, str | None], high_resolution: int
) -> list[PublicRecord]:
    """Puts the published accuracy beside what was measured in HR.

    Args:
        records: What was measured.
        networks: The released network that an arm's recogniser is, by name of the arm; None where it is another.
        high_resolution: The size of HR records, 112.
    """
    found = []
    for entry in records:
        known = published(networks.get(entry.arm), entry.set) if entry.size == high_resolution else None
        figures = {"accuracy": known.accuracy, "accuracy_deviation": known.deviation} if known else {}
        found.append(replace(entry, published=figures.get(entry.metric)))
    return found
