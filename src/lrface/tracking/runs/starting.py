"""Starting, continuing and ending a run."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import RunTag as MlflowTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)

from lrface.errors import RegistryError
from lrface.tracking.names import RunTag
from lrface.tracking.runs.interrupts import is_interrupt, reason, termination_interrupts
from lrface.tracking.runs.lineage import UNKNOWN, run_lineage, who
from lrface.tracking.runs.params import flatten, log_params
from lrface.tracking.runs.run import Run, Status
from lrface.tracking.runs.system import SystemSampler
from lrface.tracking.store.failures import refusal
from lrface.tracking.store.store import Store, without_credentials

_log = logging.getLogger(__name__)
# MLflow names a run that nobody named like "bold-fish-123".
_RANDOM_NAME: Final = re.compile(r"^[a-z]+-[a-z]+-\d+$")


@contextmanager
def start_run(
    store: Store,
    name: str,
    *,
    job: str,
    params: Mapping[str, Any],
    tags: Mapping[str, object] | None = None,
    parent: Run | None = None,
    resume: str | None = None,
) -> Iterator[Run]:
    """Start a run, or go on with one, and end it with the block.

    The first run without a parent in a process that ``mlflow run`` has started is the run that ``mlflow run``
    has made. Where that one lies in a store that nobody chose, its tags and params are taken over by a run
    in ours, and it is left pointing there. It ends FINISHED, KILLED (interrupted) or FAILED, the latter two
    with the first line of the reason in the tag ``lrface.error``.

    Args:
        store: The store, from ``connect``.
        name: A readable name; one that was given to ``mlflow run --run-name`` wins.
        job: The entry point.
        params: The resolved config, nested or flat; also logged whole as ``config.json``.
        tags: More tags.
        parent: The run that this is a stage of.
        resume: The id of a run to go on with.

    Raises:
        RegistryError: The store does not answer, or the run to resume is not there or has another config.
    """
    run_id, resumed = _obtain(store, name, parent, resume)
    given = _describe(store, run_id, name, job, params, tags or {})
    with termination_interrupts() if parent is None else nullcontext():
        there = _there(store, run_id) if resumed else {}
        run = Run(store, run_id, given, parent=parent, resumed=resumed, there=there)
        status: Status = "FINISHED"
        try:
            run.log_json(_plain(params), "config.json")
            with _sampling(run):
                yield run
        except BaseException as error:
            if not (isinstance(error, SystemExit) and error.code in {None, 0}):
                status = "KILLED" if is_interrupt(error) else "FAILED"
                run.set_tags({RunTag.ERROR: reason(error)})
            raise
        finally:
            run.finish(status)


def _sampling(run: Run) -> "SystemSampler | nullcontext[None]":
    seconds = run.store.settings.system_seconds
    return nullcontext() if seconds is None or run.parent is not None else SystemSampler(run.log_metrics, seconds)


def _obtain(store: Store, name: str, parent: Run | None, resume: str | None) -> tuple[str, bool]:
    launched = store.claim_launched() if parent is None else None
    try:
        if resume is not None:
            _reopen(store, resume)
            if launched is not None and launched != resume:
                _leave_pointer(store, launched, resume)
            return resume, True
        if launched is not None:
            if store.holds_launched:
                store.client.update_run(launched, status="RUNNING")
                return launched, False
            adopted = _adopt(store, launched, name)
            _leave_pointer(store, launched, adopted)
            return adopted, False
        tags = _own_tags(store)
        if parent is not None:
            tags[MLFLOW_PARENT_RUN_ID] = parent.run_id
        created = store.client.create_run(store.experiment_id, tags=tags, run_name=name)
        return str(created.info.run_id), False
    except MlflowException as error:
        raise refusal(
            f"run {name}",
            error,
            expected=f"a run in {store.place}",
            remedy="see that the tracking store is up and that the run was not deleted",
        ) from error


def _reopen(store: Store, run_id: str) -> None:
    if not store.has_run(run_id):
        raise RegistryError(
            f"run {run_id}",
            got="no such run, or a deleted one",
            expected=f"a run in {store.place} to go on with",
            remedy="start without resuming",
        )
    store.client.update_run(run_id, status="RUNNING")


def _there(store: Store, run_id: str) -> dict[str, tuple[int, float]]:
    """Step and value of the last point of each metric of a run."""
    try:
        points = store.client.get_run(run_id).data.to_proto().metrics
    except MlflowException as error:
        raise refusal(
            f"run {run_id}",
            error,
            expected=f"an answer of {store.place}",
            remedy="see that the tracking server is up",
        ) from error
    return {str(point.key): (int(point.step), float(point.value)) for point in points}


def _own_tags(store: Store) -> dict[str, str]:
    return {MLFLOW_USER: who(), MLFLOW_SOURCE_NAME: str(store.root), MLFLOW_SOURCE_TYPE: "PROJECT"}


def _adopt(store: Store, launched: str, name: str) -> str:
    there = MlflowClient(tracking_uri=store.launch.uri).get_run(launched)
    tags = {**_own_tags(store), **there.data.tags}
    given = there.info.run_name or ""
    tags.pop(MLFLOW_RUN_NAME, None)
    created = store.client.create_run(
        store.experiment_id, tags=tags, run_name=name if _RANDOM_NAME.match(given) or not given else given
    )
    log_params(store.client, created.info.run_id, there.data.params)
    return str(created.info.run_id)


def _leave_pointer(store: Store, launched: str, run_id: str) -> None:
    """Make the run of ``mlflow run`` point to the one that is written instead.

    In our own store it is deleted (it can be restored), since two runs for one would be a riddle there.
    ``mlflow run`` reads its status at the end and is content with one that is ended.
    """
    there = MlflowClient(tracking_uri=store.launch.uri)
    tags = {RunTag.CONTINUED_IN: run_id, RunTag.STORE: store.place}
    there.log_batch(launched, tags=[MlflowTag(str(key), value) for key, value in tags.items()])
    if store.launched_here:
        there.set_terminated(launched, "FINISHED")
        there.delete_run(launched)
    else:
        there.update_run(launched, name=f"→ {run_id} in {store.place}")
        _log.info(
            "MLflow keeps its own note of this start in %s; the run itself is in %s",
            without_credentials(store.launch.uri or ""),
            store.place,
        )


def _describe(
    store: Store, run_id: str, name: str, job: str, params: Mapping[str, Any], tags: Mapping[str, object]
) -> str:
    try:
        given = store.client.get_run(run_id).info.run_name or ""
        if not given or _RANDOM_NAME.match(given):
            store.client.update_run(run_id, name=name)
            given = name
        lineage = run_lineage(store.root)
        fresh = {RunTag.JOB: job, **lineage, **tags}
        if lineage["git_commit"] != UNKNOWN:
            fresh[MLFLOW_GIT_COMMIT] = lineage["git_commit"].split("+")[0]
        store.client.log_batch(run_id, tags=[MlflowTag(str(key), str(value)) for key, value in fresh.items()])
        log_params(store.client, run_id, flatten(params))
    except MlflowException as error:
        raise refusal(
            f"run {name}",
            error,
            expected=f"a run in {store.place} that takes params",
            remedy="see that the tracking store is up",
        ) from error
    return given


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (bool, int, float, str)) or value is None else str(value)
