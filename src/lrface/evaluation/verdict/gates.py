"""Gates: what a pair must not make worse, and what it must make better, told by a paired interval.

One probe more or less is chance. A gate therefore looks at the whole interval of a paired difference and holds where
all of it lies within the tolerance (a test of non-inferiority: Piaggio et al., JAMA 308, 2012; of superiority where
nothing is tolerated). An interval that holds the bound cannot tell: that refuses as well, and says how many people
would be enough, for a pair that nobody could check is not shown to be harmless.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from lrface.metrics.statistics import Interval

SLACK = 1e-9  # 25 of 500 is 0.05 exactly, and not a hair more because floats say so
MOST = 100  # times as many people are no advice


class Side(StrEnum):
    """Where the whole interval must lie."""

    ABOVE = "above"
    AT_LEAST = "at least"
    AT_MOST = "at most"


class State(StrEnum):
    """What the interval says about a condition."""

    HOLDS = "holds"
    FAILS = "fails"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Gate:
    """One condition on a paired difference; all figures are shares, 0.02 is two points.

    Attributes:
        name: What it is about, with the reference: `gain_low.champion`.
        about: The same in words: gain in rank-1 over the champion.
        figure: The difference that was found, candidate - reference.
        low: Lower end of its interval.
        high: Upper end.
        bound: What the interval is held against.
        side: On which side of the bound the whole interval must lie.
        people: Subjects that it rests on.
    """

    name: str
    about: str
    figure: float
    low: float
    high: float
    bound: float
    side: Side
    people: int

    @property
    def state(self) -> State:
        """What the interval says; one without ends cannot tell."""
        if not all(map(math.isfinite, (self.figure, self.low, self.high))):
            return State.UNTOLD
        if self.side is Side.ABOVE:
            return self._of(self.low > self.bound, self.high <= self.bound)
        if self.side is Side.AT_LEAST:
            return self._of(self.low >= self.bound - SLACK, self.high < self.bound - SLACK)
        return self._of(self.high <= self.bound + SLACK, self.low > self.bound + SLACK)

    @staticmethod
    def _of(within: bool, beyond: bool) -> State:
        return State.HOLDS if within else State.FAILS if beyond else State.UNTOLD

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return self.state is State.HOLDS

    @property
    def needed(self) -> int | None:
        """People that would tell, if the figure stayed: an interval shrinks with the root; None where none would."""
        if self.state is not State.UNTOLD or not all(map(math.isfinite, (self.figure, self.low, self.high))):
            return None
        room = self.bound - self.figure if self.side is Side.AT_MOST else self.figure - self.bound
        width = self.high - self.figure if self.side is Side.AT_MOST else self.figure - self.low
        if room <= SLACK or (width / room) ** 2 > MOST:
            return None
        return max(self.people + 1, math.ceil(self.people * (width / room) ** 2))

    @property
    def found(self) -> str:
        """The figure with its interval, in points."""
        if not math.isfinite(self.low):
            return f"{_points(self.figure)} points, no interval"
        return f"{_points(self.figure)} points [{_points(self.low)}, {_points(self.high)}]"

    @property
    def wanted(self) -> str:
        """The condition in words."""
        return f"interval {self.side.value} {_points(self.bound)}"

    @property
    def answer(self) -> str:
        """Whether it holds, in words."""
        if self.state is State.UNTOLD and self.needed is not None:
            return f"cannot be told with {self.people} people; some {self.needed} would tell if the figure stays"
        if self.state is State.UNTOLD:
            return f"cannot be told with {self.people} people"
        return self.state.value

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.about}: {self.found}, wanted {self.wanted}: {self.answer}"


def gate(name: str, about: str, change: Interval, bound: float, side: Side, people: int) -> Gate:
    """Holds a paired difference against a bound."""
    return Gate(name, about, change.value, change.low, change.high, bound, side, people)


def _points(share: float) -> str:
    return f"{100.0 * share:+.1f}".replace("+0.0", "0.0").replace("-0.0", "0.0")
