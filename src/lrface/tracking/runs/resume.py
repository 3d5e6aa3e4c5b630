"""The same command again goes on where a killed one stopped."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lrface.base.locks import locked
from lrface.tracking.runs.run import Run
from lrface.tracking.runs.spool import write_atomically
from lrface.tracking.store.store import Store


def fingerprint(job: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Return what tells one piece of work from another: sha256 over the job, its config and its inputs.

    Args:
        job: The entry point.
        config: The resolved config (plain values; the order of keys does not matter).
        inputs: Digests of what is read: pack, weights, versions.
    """
    text = json.dumps({"job": job, "config": config, "inputs": inputs}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class WorkFolder:
    """The folder of a piece of work that is under way.

    Attributes:
        path: The folder; checkpoints go here.
        run_id: The run to go on with, None for a fresh start.
    """

    path: Path
    run_id: str | None

    def begin(self, run: Run) -> None:
        """Note the run that does this work; call it as soon as the run has started."""
        write_atomically(
            self.path / "run.json",
            json.dumps({"run_id": run.run_id, "name": run.name, "started": _now(), "done": None}),
        )

    def finish(self) -> None:
        """Note that the work is done: the same command then starts afresh."""
        record = json.loads((self.path / "run.json").read_text())
        write_atomically(self.path / "run.json", json.dumps({**record, "done": _now()}))


@contextmanager
def work_folder(store: Store, key: str) -> Iterator[WorkFolder]:
    """Open the folder ``mlruns/work/<first 16 signs of the key>`` for one process.

    Work that was begun and not finished is gone on with, if its run is still in the store. Else the folder is
    emptied first, so that no checkpoint of other work is taken for one of this.

    Args:
        store: The tracking store.
        key: The ``fingerprint``.

    Raises:
        RegistryError: Another process does the same work at this moment.
    """
    base = store.root / "mlruns" / "work"
    path = base / key[:16]
    with locked(base / f"{key[:16]}.lock", f"work {key[:16]}"):
        run_id = _begun(path)
        if run_id is None or not store.has_run(run_id):
            run_id = None
            if path.exists():
                shutil.rmtree(path)
        path.mkdir(parents=True, exist_ok=True)
        yield WorkFolder(path, run_id)


def _begun(path: Path) -> str | None:
    record = path / "run.json"
    if not record.exists():
        return None
    content = json.loads(record.read_text())
    return None if content["done"] is not None else str(content["run_id"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
