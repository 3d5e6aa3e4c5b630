import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

from lrface.tracking.runs.delivery import deliver
from lrface.tracking.runs.spool import Spool

TARGET = {"run_id": "r", "uri": "x"}


class Server:
    """Takes metrics as MLflow does: the same row twice is one row. It fails, before or after it has taken them."""

    def __init__(self, plan):
        self.plan = iter(plan)
        self.rows = []
        self.tags = {}

    def log_batch(self, run_id, metrics=(), tags=()):
        assert run_id == "r"
        assert len(metrics) <= 1000
        assert len(tags) <= 100
        fate = next(self.plan, "well")
        if fate == "down":
            raise ConnectionError("down")
        for metric in metrics:
            row = (metric.key, metric.value, metric.timestamp, metric.step)
            if row not in self.rows:
                self.rows.append(row)
        self.tags.update({tag.key: tag.value for tag in tags})
        if fate == "died":
            raise MlflowException("no answer")


FATES = st.lists(st.sampled_from(["well", "down", "died"]), max_size=20)


@settings(max_examples=40, deadline=None)
@given(FATES, st.lists(st.integers(1, 600), min_size=1, max_size=12), st.integers(0, 5))
def test_nothing_lost_order_kept_nothing_twice(plan, sizes, tag_every):
    server, wanted = Server(plan), []
    with tempfile.TemporaryDirectory() as scratch, Spool(Path(scratch), TARGET) as spool:
        for step, size in enumerate(sizes):
            values = {f"k{index}": float(index) for index in range(size)}
            spool.append({"kind": "metrics", "time": step, "step": step, "values": values})
            wanted += [(key, value, step, step) for key, value in values.items()]
            if tag_every and step % tag_every == 0:
                spool.append({"kind": "tags", "values": {"step": str(step)}})
        for _ in range(len(plan) + 1):
            try:
                deliver(server, spool)
            except (ConnectionError, MlflowException):
                continue
        assert spool.drained
    assert server.rows == wanted


def test_what_the_store_never_takes_is_put_aside_and_reported(tmp_path, store, caplog):
    run_id = store.client.create_run(store.experiment_id).info.run_id
    with Spool(tmp_path, {"run_id": run_id, "uri": store.place}) as spool:
        for key in ("good", "bad[]", "fine"):
            spool.append({"kind": "metrics", "time": 1, "step": 0, "values": {key: 1.0}})
        deliver(store.client, spool)
        assert spool.drained
    assert store.client.get_run(run_id).data.metrics == {"good": 1.0, "fine": 1.0}
    assert "bad[]" in (tmp_path / "refused.jsonl").read_text()
    assert "refused a record" in caplog.text


def test_a_kind_from_elsewhere_is_an_error(tmp_path):
    with Spool(tmp_path, TARGET) as spool:
        spool.append({"kind": "strange"})
        with pytest.raises(ValueError, match="unknown kind 'strange'"):
            deliver(Server([]), spool)
