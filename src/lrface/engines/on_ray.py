"""Ray: pieces of work as tasks of a cluster that is there, or of one that is started on this machine."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lrface.engines.engine import WorkerLostError
from lrface.engines.settings import ClusterSettings
from lrface.errors import ClusterError, ConfigError, LrfaceError

_LOOK_AGAIN = 5.0
_LOCAL = "local"
_TOKEN = Path("~/.ray/auth_token").expanduser()


class RayEngine:
    """A connection to a Ray cluster.

    Args:
        settings: Which cluster, and what a piece needs.

    Raises:
        ConfigError: Ray is not installed, or the address is none.
        ClusterError: The cluster does not answer in time, or has no processor.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if _TOKEN.is_file():  # `ray start` asks for it where it lies there, and a program that joins has to be told so
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray's own advice, else a warning
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ConfigError(
                "cluster.engine", got="ray, and no package ray", expected="it", remedy="pip install 'lrface[cluster]'"
            ) from error
        self._ray = ray
        self._known: dict[Callable[..., Any], Any] = {}
        self._own = not ray.is_initialized()
        self._before = signal.getsignal(signal.SIGTERM)
        try:
            if self._own:
                self._connect()
                if self._before is not signal.SIG_DFL:  # Ray ends with an exit of its own, a run in order
                    self._hand_back()
            self._look()
        except BaseException:
            self.close()
            raise
        cpus = ray.cluster_resources().get("CPU", 0.0)
        self.workers = settings.workers or max(1, int(cpus // settings.cpus))

    def _connect(self) -> None:
        settings = self._settings
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
        try:
            if settings.address == _LOCAL:
                cpus = settings.workers * settings.cpus or None
                self._ray.init(address=_LOCAL, num_cpus=cpus, include_dashboard=False, **quiet)
                return
            if settings.address != "auto":
                _knock(settings.address, settings.wait)
            self._ray.init(address=settings.address, **quiet)
        except LrfaceError:
            raise
        except Exception as error:  # Ray's own is a bare Exception where a node does not come up
            raise self._no_answer(" ".join(str(error).split())[:200]) from error

    def _no_answer(self, got: str) -> ClusterError:
        return ClusterError(
            f"Ray cluster {self._settings.address}",
            got=got,
            expected=f"an answer within {self._settings.wait:g} s, and a Ray node on this machine",
            remedy="start one with `ray start --head`, join this machine with `ray start --address HOST:PORT`, or "
            "leave cluster out",
        )

    def _look(self) -> None:
        """Wait until there is a processor to work with."""
        deadline = time.monotonic() + self._settings.wait
        while self._ray.cluster_resources().get("CPU", 0.0) < self._settings.cpus:
            if time.monotonic() >= deadline:
                raise self._no_answer(f"no node with {self._settings.cpus} processors for {self._settings.wait:g} s")
            time.sleep(0.2)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401
        """Hand over a piece."""
        if function not in self._known:  # Ray would carry it to every worker each time
            settings = self._settings
            needs = {"num_cpus": settings.cpus, "num_gpus": settings.gpus, "max_retries": 0}
            self._known[function] = self._ray.remote(**needs)(function)
        return self._known[function].remote(*arguments)

    def result(self, piece: Any) -> Any:  # noqa: ANN401
        """Wait for a piece; see `Engine`."""
        self.first([piece])
        try:
            return self._ray.get(piece)
        except self._ray.exceptions.RayTaskError as error:
            raise getattr(error, "cause", None) or error from None
        except self._ray.exceptions.RayError as error:  # a worker or a node that died, memory that ran out on it
            raise WorkerLostError(str(error)) from error

    def first(self, pieces: list[Any]) -> int:
        """Wait for one of several; as long as there are processors, that takes what it takes."""
        while True:
            done, _ = self._ray.wait(pieces, num_returns=1, timeout=_LOOK_AGAIN)
            if done:
                return pieces.index(done[0])
            self._look()

    def close(self) -> None:
        """Cancel what is under way, and leave the cluster."""
        if self._own:
            self._ray.shutdown()
            self._hand_back()

    def _hand_back(self) -> None:
        """Let a termination be answered as before, as far as this is the thread that may say so."""
        if self._before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)


def _knock(address: str, wait: float) -> None:
    """Wait until something listens: Ray itself waits longer, and says more than a line."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "//" in address:
        raise ConfigError(
            "cluster.address", got=address, expected="HOST:PORT, auto or local", remedy="correct the address"
        )
    deadline = time.monotonic() + wait
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=max(0.1, deadline - time.monotonic())).close()
        except OSError as error:
            if time.monotonic() >= deadline:
                raise ConnectionError(f"no answer of it ({error})") from error
            time.sleep(min(0.5, wait / 10))
        else:
            return
