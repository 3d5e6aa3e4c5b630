"""Where a cycle is: which of its stages, and about how long it will take from here to the end.

How long a stage takes is not known beforehand. What is known is how much work it is beside the others, so the pace of
what is done tells how long the rest will take; what is under way knows best itself how long it has to go.
"""

import time
from collections.abc import Callable, Mapping, Sequence

LEAST = 2.0
"""Seconds of work from which a pace can be told."""


class Journey:
    """The stages of a cycle in order, and the clock.

    Args:
        stages: Names of the stages in order.
        work: How much work each is beside the others; 1 where nothing is said.
        clock: Seconds that pass.
    """

    def __init__(
        self, stages: Sequence[str], work: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stages = list(stages)
        self._work = dict(work)
        self._clock = clock
        self._at = -1
        self._began = clock()
        self._done: dict[str, float] = {}

    @property
    def number(self) -> int:
        """Which stage is under way, from 1; 0 before the first."""
        return self._at + 1

    @property
    def of(self) -> int:
        """How many there are."""
        return len(self._stages)

    def begin(self, name: str) -> None:
        """A stage begins, and all before it are over."""
        self._at = self._stages.index(name)
        self._began = self._clock()

    def end(self, *, worked: bool = True) -> None:
        """The stage is over; one that was done before tells nothing about the pace."""
        if worked:
            self._done[self._stages[self._at]] = self._clock() - self._began

    def left(self, own: float | None = None) -> float | None:
        """How long it will take to the end of all stages [s]; None where that cannot be told yet.

        Args:
            own: How long what is under way says that it will take [s].
        """
        now = self._clock() - self._began
        current = self._stages[max(0, self._at)]
        passed = sum(self._done.values())
        work = sum(self._weight(name) for name in self._done)
        if own is not None and current not in self._done:
            passed, work = passed + now + own, work + self._weight(current)
        if passed < LEAST or not work:
            return None
        pace = passed / work
        here = 0.0 if current in self._done else max(0.0, pace * self._weight(current) - now)
        return (here if own is None else own) + pace * sum(map(self._weight, self._stages[self._at + 1 :]))

    def words(self, own: float | None = None) -> str:
        """Where the cycle is: stage 3 of 7, about 2 min left in all."""
        left = self.left(own)
        return f"stage {self.number} of {self.of}" + (f", about {about(left)} left in all" if left is not None else "")

    def _weight(self, name: str) -> float:
        return self._work.get(name, 1.0)


def about(seconds: float) -> str:
    """A time as a person says it: 20 s, 2 min, 1 h 30 min."""
    if seconds < 50:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
