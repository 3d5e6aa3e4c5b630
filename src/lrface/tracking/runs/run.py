"""Runs: what a job logs goes through here, first to a spool on disk, then to the tracking store.

Logging never waits for the store and never loses a point: a call appends a line to the run's spool and
returns; a thread delivers in the background. A server that dies is waited for; one that stays dead leaves the
spool, and the command that uploads it is told.
"""

import json
import logging
import math
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, SupportsFloat

import numpy as np
from jaxtyping import UInt8

from lrface.tracking.names import TAG_LENGTH, RunTag, clean_key
from lrface.tracking.runs.pictures import FOLDER, write_picture
from lrface.tracking.runs.sender import Sender
from lrface.tracking.runs.spool import EMBEDDED, Record, Spool
from lrface.tracking.store.store import Store

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)
_METRICS_PER_RECORD: Final = 500
_DIGEST_LENGTH: Final = 36
_INPUT_TAG_LENGTH: Final = 500
BEST: Final = "val_best"
"""Section of the figures of the best epoch."""

Status = Literal["FINISHED", "FAILED", "KILLED"]


class Run:
    """A run that is being written.

    Args:
        store: The tracking store.
        run_id: The run's id there.
        name: Its readable name.
        parent: The run that this one is a stage of.
        there: Of a run that is gone on with: step and value of each metric's last point in the store.

    Attributes:
        store: The tracking store.
        run_id: The run's id.
        name: The run's name.
        parent: The parent run, or None.
        resumed: Whether an earlier process has begun this run.
    """

    def __init__(
        self,
        store: Store,
        run_id: str,
        name: str,
        *,
        parent: "Run | None" = None,
        resumed: bool = False,
        there: Mapping[str, tuple[int, float]] | None = None,
    ) -> None:
        self.store = store
        self.run_id = run_id
        self.name = name
        self.parent = parent
        self.resumed = resumed
        self._spool = Spool(
            store.spools / run_id, {"run_id": run_id, "uri": EMBEDDED if store.embedded else store.place}
        )
        self._there = {key: (step, str(value)) for key, (step, value) in (there or {}).items()}
        for item in self._spool.pending(sys.maxsize):
            if item.record["kind"] == "metrics":
                step = item.record["step"]
                self._there.update({key: (step, str(value)) for key, value in item.record["values"].items()})
        settings = store.settings
        self._sender = Sender(
            store.client, self._spool, interval=settings.flush_seconds, longest_pause=settings.backoff_seconds
        )
        self._nonfinite: dict[str, dict[str, int | str]] = {}
        self._guard = threading.Lock()
        self._shadows = False

    @property
    def failure(self) -> Exception | None:
        """What the last delivery failed with, or None after one that did not."""
        return self._sender.failure

    def log_metrics(self, metrics: Mapping[str, SupportsFloat], step: int = 0) -> None:
        """Log a value per key at a step; returns at once.

        A run that is gone on with does some of its work again; a point that it has logged before it was stopped, as
        the last of its metric, is not logged once more.

        A value that is not finite is logged as NaN, which MLflow shows as a gap (it stores infinity as
        1.8e308 and so flattens the whole curve), and is named in a warning and in the tag
        ``lrface.nonfinite`` with its kind, its first step and its count.
        """
        values = {clean_key(key): float(value) for key, value in metrics.items()}
        bad = {key: value for key, value in values.items() if not math.isfinite(value)}
        if bad:
            self._note_nonfinite(bad, step)
            values.update(dict.fromkeys(bad, math.nan))
        items = [(key, value) for key, value in values.items() if not self._is_there(key, step, value)]
        now = _now()
        for start in range(0, len(items), _METRICS_PER_RECORD):
            part = dict(items[start : start + _METRICS_PER_RECORD])
            self._append({"kind": "metrics", "time": now, "step": int(step), "values": part})

    def log_headline(self, metrics: Mapping[str, SupportsFloat], step: int = 0) -> None:
        """Log figures on this run and on every run above it, where the UI shows them without a click."""
        run: Run | None = self
        while run is not None:
            run.log_metrics(metrics, step)
            run = run.parent

    def log_best(self, stage: str, metrics: Mapping[str, SupportsFloat]) -> None:
        """Log the figures of the best epoch: here under `val_best/`, on every run above under the name of the stage.

        The UI shows sections by their names, and this one after the curves.
        """
        self.log_metrics({f"{BEST}/{name}": value for name, value in metrics.items()})
        if self.parent is not None:
            self.parent.log_headline({f"{stage}/{name}": value for name, value in metrics.items()})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; a value over 8,000 characters is cut and ends in an ellipsis."""
        values = {clean_key(key): _cut_tag(str(value)) for key, value in tags.items()}
        items = list(values.items())
        for start in range(0, len(items), 100):
            self._append({"kind": "tags", "values": dict(items[start : start + 100])})

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or a folder under its own name; it is copied at once, so the original may change."""
        if path.is_dir():
            folder = f"{folder}/{path.name}" if folder else path.name
        kept = self._spool.keep(path, f"{uuid.uuid4().hex}/{path.name}")
        self._append({"kind": "artifact", "file": kept, "to": folder})

    def log_artifacts(self, source: Path, folder: str | None = None) -> None:
        """Log what lies in a folder, without the folder's own name."""
        kept = self._spool.keep(source, f"{uuid.uuid4().hex}/{source.name}")
        self._append({"kind": "artifact", "file": kept, "to": folder})

    def log_text(self, text: str, name: str) -> None:
        """Log a text as an artifact; ``name`` may hold folders (``report/summary.md``)."""
        with _scratch(name) as (path, folder):
            path.write_text(text, encoding="utf-8")
            self.log_artifact(path, folder)

    def log_json(self, value: object, name: str) -> None:
        """Log a plain value (no NaN, no objects) as JSON."""
        self.log_text(json.dumps(value, indent=1, allow_nan=False) + "\n", name)

    def log_table(self, table: "pd.DataFrame", name: str) -> None:
        """Log a table as CSV, which the UI shows as a table and everything else opens."""
        self.log_text(table.to_csv(index=False), name if name.endswith(".csv") else f"{name}.csv")

    def log_image(self, key: str, image: UInt8[np.ndarray, "h w 3"], step: int = 0) -> None:
        """Log a picture; pictures of one key become a slider over the steps in the UI."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / FOLDER
            folder.mkdir()
            write_picture(folder, key, image, step, _now())
            self.log_artifact(folder)
        if not self._shadows:
            self._shadows = True
            self.set_tags({"mlflow.loggedImages": "True"})

    def log_dataset(
        self,
        name: str,
        digest: str,
        *,
        source: str,
        rows: int,
        context: str,
        licence: str = "unknown",
        terms: str = "unknown",
    ) -> None:
        """Log a data set as an input of the run.

        Args:
            name: The data set's name.
            digest: Its digest; MLflow holds 36 characters of it, the tags hold the rest.
            source: Where it lies.
            rows: How many images it has.
            context: What it was used for: ``training``, ``validation``, ``test``.
            licence: Its licence.
            terms: Its terms of use, in a few words.
        """
        tags = {"mlflow.data.context": context, "digest": digest, "licence": licence, "terms": terms}
        self._append(
            {
                "kind": "dataset",
                "name": name,
                "digest": digest[:_DIGEST_LENGTH],
                "source_type": "s3" if source.startswith("s3://") else "local",
                "source": json.dumps({"uri": source}),
                "profile": json.dumps({"rows": rows}),
                "tags": {key: value[:_INPUT_TAG_LENGTH] for key, value in tags.items()},
            }
        )

    def flush(self, timeout: float | None = None) -> bool:
        """Deliver what was logged so far; tell whether all of it was taken in time [s]."""
        return self._sender.flush(self.store.settings.drain_seconds if timeout is None else timeout)

    def finish(self, status: Status) -> bool:
        """End the run: deliver the rest and its status. Tell whether the store has taken everything.

        Where it has not, the spool stays and the command that uploads it later is logged.
        """
        if self._nonfinite:
            self.set_tags({RunTag.NONFINITE: json.dumps(self._nonfinite, sort_keys=True)})
        self._append({"kind": "end", "status": status, "time": _now()})
        delivered = self.flush()
        self._sender.stop()
        if delivered:
            self._spool.remove()
        else:
            self._spool.close()
            _log.error(
                "run %s (%s) is finished, but the tracking store did not take all of it; upload it with: "
                "%s -m lrface.tracking.upload %s",
                self.name,
                self.run_id,
                sys.executable,
                self._spool.folder,
            )
        return delivered

    def _append(self, record: Record) -> None:
        self._spool.append(record)

    def _is_there(self, key: str, step: int, value: float) -> bool:
        return self._there.get(key) == (int(step), str(value))

    def _note_nonfinite(self, bad: Mapping[str, float], step: int) -> None:
        with self._guard:
            fresh = [key for key in bad if key not in self._nonfinite]
            for key, value in bad.items():
                entry = self._nonfinite.setdefault(key, {"first": str(value), "step": int(step), "count": 0})
                entry["count"] = int(entry["count"]) + 1
            text = json.dumps(self._nonfinite, sort_keys=True)
        for key in fresh:
            _log.warning("%s is %s at step %d", key, bad[key], step)
        if fresh:
            self.set_tags({RunTag.NONFINITE: text})


class OthersRun(Run):
    """A run that another process writes: it can be a parent, and what is logged here goes nowhere.

    Args:
        store: The tracking store.
        run_id: The run's id there.
        name: Its readable name.
    """

    def __init__(self, store: Store, run_id: str, name: str) -> None:
        self.store = store
        self.run_id = run_id
        self.name = name
        self.parent = None
        self.resumed = False
        self._shadows = True

    @property
    def failure(self) -> None:
        """Nothing is delivered from here."""

    def log_metrics(self, metrics: Mapping[str, SupportsFloat], step: int = 0) -> None:
        """Leave it to the other process."""

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Leave it to the other process."""

    def log_artifacts(self, source: Path, folder: str | None = None) -> None:
        """Leave it to the other process."""

    def flush(self, timeout: float | None = None) -> bool:  # noqa: ARG002
        """Nothing waits here."""
        return True

    def finish(self, status: Status) -> bool:  # noqa: ARG002
        """Leave it to the other process."""
        return True

    def _append(self, record: Record) -> None:
        pass


def _now() -> int:
    return time.time_ns() // 1_000_000


def _cut_tag(text: str) -> str:
    return text if len(text) <= TAG_LENGTH else text[: TAG_LENGTH - 1] + "…"


@contextmanager
def _scratch(name: str) -> Iterator[tuple[Path, str | None]]:
    folder, _, file = name.rpartition("/")
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch) / file, folder or None
