"""How OpenMP's threads wait for each other, which has to be settled before torch is imported.

Threads that have nothing to do spin for a while, in case that more comes at once. On an idle machine that is what makes
two threads pay; where other programs want the cores, it keeps those from running that would end the waiting.
"""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

_OWN = ("OMP_", "GOMP_", "KMP_")
_BUSY = 0.5
_LEAST = 0.1


@dataclass(frozen=True)
class Use:
    """What the cores have done so far, that this process may use.

    Attributes:
        cores: How many they are.
        passed: Seconds that passed, of all cores together.
        busy: Of these, seconds in which a core had work.
        own: Seconds of work that were of this process.
    """

    cores: int
    passed: float
    busy: float
    own: float


def use() -> Use:
    """What the cores have done until now."""
    cores = psutil.cpu_times(percpu=True)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(cores))
    times = [core for number, core in enumerate(cores) if number in mine]
    # Time of guests is in that of users already.
    whole = [sum(time) - getattr(time, "guest", 0.0) - getattr(time, "guest_nice", 0.0) for time in times]
    idle = [time.idle + getattr(time, "iowait", 0.0) for time in times]
    own = os.times()
    return Use(len(times), sum(whole), sum(whole) - sum(idle), own.user + own.system)


def settle_waiting(before: Use, now: Use, environment: MutableMapping[str, str] = os.environ) -> bool:
    """Have OpenMP's threads wait without spinning where other programs take half a core or more.

    An idle machine is left as it is. So is what the user has settled, by any variable of OpenMP's, and what a process
    that started this one has.

    Args:
        before: What the cores had done some moments ago.
        now: What they have done since.
        environment: Where it is settled.

    Returns:
        Whether it was settled here.
    """
    if any(name.startswith(_OWN) for name in environment):
        return False
    passed = (now.passed - before.passed) / max(1, now.cores)
    if passed < _LEAST:
        return False
    others = (now.busy - before.busy - (now.own - before.own)) / passed
    if others < _BUSY:
        return False
    environment["OMP_WAIT_POLICY"] = "passive"
    return True
