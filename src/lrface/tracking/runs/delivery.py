"""From the spool to the tracking store: records in order, each of them once.

A call that fails half-way is made again as a whole. That is safe because every kind of record lands the same
way twice: a metric with the same key, step, time and value is one row, tags and files replace themselves.
"""

import logging
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag

from lrface.tracking.runs.spool import Pending, Record, Spool
from lrface.tracking.store.failures import first_line, passes_by_itself

_log = logging.getLogger(__name__)
_METRICS_PER_CALL: Final = 1000
_TAGS_PER_CALL: Final = 100
_READ_AHEAD: Final = 500


def deliver(client: MlflowClient, spool: Spool) -> None:
    """Send what the spool holds, and note after each call how far it got.

    A record that the store refuses for good (a deleted run, a value it never takes) is put aside in
    ``refused.jsonl`` with the reason and reported as an error; the rest goes on.

    Raises:
        Exception: Whatever the store failed with, where trying again later may help.
    """
    run_id = spool.target["run_id"]
    while waiting := spool.pending(_READ_AHEAD):
        for batch in _batches(waiting):
            try:
                _send(client, run_id, spool, [item.record for item in batch])
            except Exception as error:
                if passes_by_itself(error):
                    raise
                _one_by_one(client, run_id, spool, batch)
            spool.acknowledge(batch[-1].end)
            if "file" in batch[0].record:
                spool.drop(batch[0].record["file"])


def _one_by_one(client: MlflowClient, run_id: str, spool: Spool, batch: list[Pending]) -> None:
    for item in batch:
        try:
            _send(client, run_id, spool, [item.record])
        except Exception as error:
            if passes_by_itself(error):
                raise
            spool.refuse(item.record, first_line(error))
            _log.error(
                "the tracking store refused a record of run %s (kept in %s): %s",
                run_id,
                spool.folder,
                first_line(error),
            )


def _batches(waiting: list[Pending]) -> Iterator[list[Pending]]:
    for kind, group in groupby(waiting, key=lambda item: str(item.record["kind"])):
        if kind not in {"metrics", "tags"}:
            yield from ([item] for item in group)
            continue
        limit = _METRICS_PER_CALL if kind == "metrics" else _TAGS_PER_CALL
        batch: list[Pending] = []
        size = 0
        for item in group:
            count = len(item.record["values"])
            if batch and size + count > limit:
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += count
        yield batch


def _send(client: MlflowClient, run_id: str, spool: Spool, records: list[Record]) -> None:
    kind = records[0]["kind"]
    if kind == "metrics":
        client.log_batch(run_id, metrics=[metric for record in records for metric in _metrics(record)])
    elif kind == "tags":
        tags = {key: value for record in records for key, value in record["values"].items()}
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    elif kind == "artifact":
        _send_artifact(client, run_id, spool, records[0])
    elif kind == "dataset":
        client.log_inputs(run_id, [_dataset(records[0])])
    elif kind == "end":
        client.set_terminated(run_id, records[0]["status"], records[0]["time"])
    else:
        raise ValueError(f"spool {spool.folder}: a record of the unknown kind {kind!r}")


def _metrics(record: Record) -> list[Metric]:
    time, step = record["time"], record["step"]
    return [Metric(key, value, time, step) for key, value in record["values"].items()]


def _send_artifact(client: MlflowClient, run_id: str, spool: Spool, record: Record) -> None:
    source = spool.folder / record["file"]
    if source.is_dir():
        client.log_artifacts(run_id, str(source), record["to"])
    else:
        client.log_artifact(run_id, str(source), record["to"])


def _dataset(record: dict[str, Any]) -> DatasetInput:
    dataset = Dataset(
        name=record["name"],
        digest=record["digest"],
        source_type=record["source_type"],
        source=record["source"],
        profile=record["profile"],
    )
    return DatasetInput(dataset, [InputTag(key, value) for key, value in record["tags"].items()])
