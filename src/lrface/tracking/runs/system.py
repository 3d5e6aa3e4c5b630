"""Samples of processor, memory and GPU while a run is written."""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

import psutil  # type: ignore[import-untyped]

_log = logging.getLogger(__name__)
_MEGABYTE: Final = 1024**2

LogMetrics = Callable[[Mapping[str, float], int], None]


class SystemSampler:
    """Logs ``system/...`` every few seconds from a thread of its own.

    MLflow's own monitor asks the server before each sample and ends for good when it is away; this one
    writes through the run's spool like everything else.

    Args:
        log: Takes the metrics and the sample's number.
        seconds: Time between two samples.
    """

    def __init__(self, log: LogMetrics, seconds: float) -> None:
        self._log = log
        self._seconds = seconds
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._work, name="lrface-system", daemon=True)

    def __enter__(self) -> Self:
        self._process.cpu_percent()
        psutil.cpu_percent()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def sample(self) -> dict[str, float]:
        """Return the figures of this moment; percentages are since the last sample."""
        memory = psutil.virtual_memory()
        figures = {
            "system/cpu_utilization_percentage": psutil.cpu_percent(),
            "system/system_memory_usage_percentage": memory.percent,
            "system/system_memory_usage_megabytes": memory.used / _MEGABYTE,
            "system/process_cpu_percentage": self._process.cpu_percent(),
            "system/process_memory_megabytes": self._process.memory_info().rss / _MEGABYTE,
        }
        figures.update(_gpu())
        return figures

    def _work(self) -> None:
        step = 0
        while not self._stop.wait(self._seconds):
            self._log(self.sample(), step)
            step += 1


def _gpu() -> dict[str, float]:
    # A job that does not compute has not loaded torch, and does not load it for this.
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {}
    figures = {}
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        figures[f"system/gpu_{index}_memory_usage_megabytes"] = (total - free) / _MEGABYTE
        figures[f"system/gpu_{index}_memory_usage_percentage"] = 100 * (total - free) / total
    return figures
