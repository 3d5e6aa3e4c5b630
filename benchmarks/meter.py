"""A real loop and its limit, measured in turn in one run, so that whatever else the machine does meets both."""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from unittest import mock

import torch


@dataclass
class Meter:
    """Takes the time of a real loop from step to step, and runs the limit in between.

    With one thread on a CPU the time is the processor's, so that other work on the machine does not count; otherwise
    it is the clock on the wall, after the device has finished.

    Args:
        device: Where the loop runs.
        limit: One step of the limit.
        chunk: Steps after which the limit is run as often.
        warm_up: Steps that do not count.
        apart: Tells from the number of a step, from 0, whether what follows it is more than a step (the end of an
            epoch); that time is kept apart.
    """

    device: torch.device
    limit: Callable[[], object]
    chunk: int = 1
    warm_up: int = 3
    apart: Callable[[int], bool] = lambda _: False
    real: list[float] = field(default_factory=list)
    bound: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=dict)
    _step: int = 0
    _last: float | None = None
    _inside: threading.local = field(default_factory=threading.local)

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            return time.perf_counter()
        return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()

    def _own_time(self) -> float:
        """As `now`, but of this thread: what is sent to the store in the background runs beside the steps.

        On a GPU without waiting for it: what a part has launched runs beside the parts that follow.
        """
        processor = self.device.type != "cuda" and torch.get_num_threads() == 1
        return time.thread_time() if processor else time.perf_counter()

    def tick(self, *_done: object) -> None:
        """One more step of the real loop is done."""
        step, self._step = self._step, self._step + 1
        if step < self.warm_up:
            self.limit()
            self.parts.clear()
            self._last = self.now()
            return
        if (step - self.warm_up + 1) % self.chunk and not self.apart(step) and not self.apart(step - 1):
            return
        now = self.now()
        if self._last is not None:
            steps = (step - self.warm_up) % self.chunk + 1
            (self.between if self.apart(step - 1) else self.real).append((now - self._last) / steps)
        for _ in range(self.chunk):
            self.limit()
        after = self.now()
        self.bound.append((after - now) / self.chunk)
        self._last = self.now()

    @property
    def steps(self) -> int:
        """Steps that count."""
        return max(1, self._step - self.warm_up)

    @contextmanager
    def timing(self, *calls: tuple[ModuleType | type, str, str]) -> Iterator[None]:
        """Sum up what calls of (where, name) take, under a part's name. A part inside of a part counts as the outer."""
        with ExitStack() as stack:
            for where, name, part in calls:
                stack.enter_context(mock.patch.object(where, name, self._timed(getattr(where, name), part)))
            yield

    def _timed(self, call: Callable[..., object], part: str) -> Callable[..., object]:
        def timed(*arguments: object, **options: object) -> object:
            depth = getattr(self._inside, "depth", 0)
            self._inside.depth = depth + 1
            start = self._own_time()
            try:
                return call(*arguments, **options)
            finally:
                self._inside.depth = depth
                if not depth:
                    self.parts[part] = self.parts.get(part, 0.0) + self._own_time() - start

        return timed


def as_graph(step: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """On a GPU the step as one CUDA graph: what its arithmetic takes without a launch in between."""
    if device.type != "cuda":
        return step
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        step()
    return graph.replay


@contextmanager
def peak_memory(device: torch.device) -> Iterator[list[float]]:
    """The most memory that the process (on a GPU: the device) holds in the block, in MB, as the list's one item."""
    found: list[float] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.append(torch.cuda.max_memory_allocated(device) / 2**20)
        return
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")
    yield found
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    high = next((float(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
    found.append((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if high is None else high) / 1024)
