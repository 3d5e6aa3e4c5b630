"""The background thread that empties a spool into the tracking store."""

import logging
import threading
import time
from functools import partial

from mlflow import MlflowClient

from lrface.tracking.runs.delivery import deliver
from lrface.tracking.runs.spool import Spool
from lrface.tracking.store.failures import first_line

_log = logging.getLogger(__name__)
_FIRST_PAUSE = 0.5


class Sender:
    """Delivers a spool every ``interval`` seconds, and after a failure with growing pauses.

    Args:
        client: MLflow's client.
        spool: What is to be delivered.
        interval: Time between two deliveries [s].
        longest_pause: Longest pause after failures [s].
    """

    def __init__(self, client: MlflowClient, spool: Spool, *, interval: float, longest_pause: float) -> None:
        self._client = client
        self._spool = spool
        self._interval = interval
        self._longest_pause = longest_pause
        self._state = threading.Condition()
        self._asked = 0
        self._answered = 0
        self._stopping = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="lrface-sender", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> Exception | None:
        """What the last delivery failed with, or None after one that did not."""
        with self._state:
            return self._failure

    def flush(self, timeout: float) -> bool:
        """Deliver now; wait until everything that was logged so far is taken, or the time is up."""
        deadline = time.monotonic() + timeout
        while not self._spool.drained:
            with self._state:
                if not self._thread.is_alive():
                    return False
                self._asked += 1
                mine = self._asked
                self._state.notify_all()
                left = deadline - time.monotonic()
                if left <= 0 or not self._state.wait_for(partial(self._has_answered, mine), left):
                    return self._spool.drained
        return True

    def stop(self) -> None:
        """End the thread after the delivery that it is in the middle of."""
        with self._state:
            self._stopping = True
            self._state.notify_all()
        self._thread.join()

    def _work(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            with self._state:
                well = self._failure is None
                self._state.wait_for(partial(self._is_called, well), self._interval if well else pause)
                if self._stopping:
                    return
                asked = self._asked
            failure = self._attempt()
            with self._state:
                pause = _FIRST_PAUSE if failure is None else min(2 * pause, self._longest_pause)
                self._failure = failure
                if failure is None:
                    self._answered = asked
                self._state.notify_all()

    def _has_answered(self, number: int) -> bool:
        return self._answered >= number

    def _is_called(self, well: bool) -> bool:
        return self._stopping or (well and self._asked > self._answered)

    def _attempt(self) -> Exception | None:
        try:
            deliver(self._client, self._spool)
        except Exception as error:  # noqa: BLE001 - whatever it is, the points wait on disk for the next attempt
            if self.failure is None:
                _log.warning("tracking is away, points wait in %s: %s", self._spool.folder, first_line(error))
            return error
        if self.failure is not None:
            _log.warning("tracking is back, the points that waited are delivered")
        return None
