"""submitit: pieces of work as jobs, each a process of its own on this machine, or one of Slurm's."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lrface.base.cores import cores
from lrface.engines.engine import WorkerLostError
from lrface.engines.settings import ClusterSettings
from lrface.errors import ClusterError, ConfigError

_LOOK_AGAIN = 0.1
_KINDS = ("local", "slurm")


class SubmititEngine:
    """An executor of submitit.

    Args:
        settings: Which one, and what a piece needs.
        folder: Its files: functions and results as pickles, and what jobs print.

    Raises:
        ConfigError: submitit is not installed, or there is no such executor.
        ClusterError: Slurm does not answer.
    """

    def __init__(self, settings: ClusterSettings, folder: Path) -> None:
        self._settings = settings
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise ConfigError(
                "cluster.engine",
                got="submitit, and no package submitit",
                expected="it",
                remedy="pip install 'lrface[cluster]'",
            ) from error
        if settings.address not in _KINDS:
            raise ConfigError(
                "cluster.address", got=settings.address, expected=" or ".join(_KINDS), remedy="choose one of these"
            )
        self._errors = submitit.core.utils
        try:
            self._executor = submitit.AutoExecutor(folder=folder, cluster=settings.address)
        except RuntimeError as error:
            raise ClusterError(
                f"cluster {settings.address}",
                got=" ".join(str(error).split())[:200],
                expected="Slurm's commands on this machine",
                remedy="call it from a node of the cluster, or take cluster.address=local",
            ) from error
        self._executor.update_parameters(
            timeout_min=settings.minutes, cpus_per_task=settings.cpus, gpus_per_node=int(settings.gpus), name="lrface"
        )
        self.workers = settings.workers or cores()
        self._under_way: list[Any] = []

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Hand over a piece."""
        job = self._executor.submit(function, *arguments)
        self._under_way.append(job)
        return job

    def result(self, piece: Any) -> Any:  # noqa: ANN401
        """Wait for a piece; see `Engine`."""
        self.first([piece])
        self._under_way.remove(piece)
        failed = piece.exception()
        if failed is None:
            result = piece.result()
            _forget(piece)
            return result
        if isinstance(failed, self._errors.FailedJobError):
            raise failed  # a fault of ours: its traceback is in the text
        raise WorkerLostError(str(failed).splitlines()[0])

    def first(self, pieces: list[Any]) -> int:
        """Wait for one of several."""
        while True:
            for place, piece in enumerate(pieces):
                if piece.done():
                    return place
            time.sleep(_LOOK_AGAIN)

    def close(self) -> None:
        """End the jobs that nobody waits for any more."""
        for job in self._under_way:
            job.cancel()
        self._under_way.clear()


def _forget(job: Any) -> None:  # noqa: ANN401
    """Remove a job's files, of which the results are as large as what they hold."""
    for path in (job.paths.submitted_pickle, job.paths.result_pickle, job.paths.stdout, job.paths.stderr):
        Path(path).unlink(missing_ok=True)
