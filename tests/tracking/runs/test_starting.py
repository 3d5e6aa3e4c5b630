import json
import sys

import pytest

from lrface.errors import RegistryError
from lrface.tracking.runs.spool import Spool
from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.launch import Launch
from lrface.tracking.store.store import connect

from ..conftest import QUICK


def _info(store, run_id):
    return store.client.get_run(run_id).info


def _tags(store, run_id):
    return store.client.get_run(run_id).data.tags


def test_a_run_that_ends_well(store):
    with start_run(store, "finetune xxs", job="finetune", params={"lr": 1e-3}, tags={"cycle": 1}) as run:
        pass
    got = store.client.get_run(run.run_id)
    assert got.info.status == "FINISHED"
    assert got.info.run_name == "finetune xxs"
    assert got.data.params == {"lr": "0.001"}
    assert got.data.tags["lrface.job"] == "finetune"
    assert got.data.tags["cycle"] == "1"
    assert got.data.tags["version.torch"]
    path = store.client.download_artifacts(run.run_id, "config.json")
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        assert json.load(file) == {"lr": 1e-3}


@pytest.mark.parametrize(
    ("error", "status", "tag"),
    [
        (ValueError("first\nsecond"), "FAILED", "ValueError: first"),
        (KeyboardInterrupt(), "KILLED", "stopped from outside"),
        (SystemExit(3), "FAILED", "left with 3"),
        (SystemExit(0), "FINISHED", None),
    ],
)
def test_how_it_ends_is_told(store, error, status, tag):
    with pytest.raises(type(error)), start_run(store, "a", job="test", params={}) as run:
        raise error
    assert _info(store, run.run_id).status == status
    assert _tags(store, run.run_id).get("lrface.error") == tag


def test_going_on_with_a_run_that_was_killed(store):
    first = store.client.create_run(store.experiment_id, run_name="train").info.run_id
    with Spool(store.spools / first, {"run_id": first, "uri": store.place}) as spool:
        spool.append({"kind": "metrics", "time": 1, "step": 0, "values": {"loss": 3.0}})
    with start_run(store, "train", job="train", params={"a": 1}, resume=first) as run:
        assert run.resumed
        run.log_metrics({"loss": 2.0}, 1)
    assert run.run_id == first
    assert [point.value for point in store.client.get_metric_history(first, "loss")] == [3.0, 2.0]
    assert _info(store, first).status == "FINISHED"


def test_going_on_with_another_config_or_with_nothing_is_refused(store):
    with start_run(store, "a", job="test", params={"a": 1, "config.a": 5}) as run:
        pass
    with (
        pytest.raises(RegistryError, match="start a new run"),
        start_run(store, "a", job="test", params={"a": 2}, resume=run.run_id),
    ):
        pass
    with pytest.raises(RegistryError, match="no such run"), start_run(store, "a", job="t", params={}, resume="0" * 32):
        pass


def _launch(monkeypatch, project, run_id, experiment_id, uri, *, chosen):
    launch = Launch(uri, chosen, run_id, experiment_id, None)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    monkeypatch.setattr("lrface.tracking.store.launch.read_launch", lambda: launch)
    return connect(project, QUICK)


@pytest.mark.parametrize(("given", "name"), [(None, "cycle"), ("mine", "mine")])
def test_the_run_of_mlflow_run_is_used_once_and_keeps_a_name_that_was_given(project, store, monkeypatch, given, name):
    made = store.client.create_run(store.experiment_id, run_name=given).info.run_id
    launched = _launch(monkeypatch, project, made, store.experiment_id, store.uri, chosen=True)
    with (
        start_run(launched, "cycle", job="main", params={}) as cycle,
        start_run(launched, "stage", job="prepare", params={}, parent=cycle) as stage,
    ):
        pass
    with start_run(launched, "second", job="main", params={}) as second:
        pass
    assert cycle.run_id == made
    assert cycle.name == name == _info(store, made).run_name
    assert len({made, stage.run_id, second.run_id}) == 3


def test_a_run_in_a_store_that_nobody_chose_is_taken_over(project, template, monkeypatch):
    other = connect(template, QUICK)
    made = other.client.create_run("0", tags={"mlflow.project.entryPoint": "main"}).info.run_id
    other.client.log_param(made, "epochs", "'3'")
    store = _launch(monkeypatch, project, made, "0", other.uri, chosen=False)
    assert store.embedded
    with start_run(store, "cycle", job="main", params={"epochs": 3}) as run:
        pass
    got = store.client.get_run(run.run_id)
    assert got.data.params == {"epochs": "'3'", "config.epochs": "3"}
    assert got.data.tags["mlflow.project.entryPoint"] == "main"
    assert got.info.run_name == "cycle"
    assert _tags(other, made)["lrface.continued_in"] == run.run_id
    assert run.run_id in _info(other, made).run_name
    # mlflow run itself ends the run that it made
    assert _info(other, made).status == "RUNNING"


def test_going_on_under_mlflow_run_leaves_one_run(project, store, monkeypatch):
    old = store.client.create_run(store.experiment_id, run_name="cycle").info.run_id
    made = store.client.create_run(store.experiment_id).info.run_id
    launched = _launch(monkeypatch, project, made, store.experiment_id, store.uri, chosen=True)
    with start_run(launched, "cycle", job="main", params={}, resume=old) as run:
        pass
    assert run.run_id == old
    info = _info(store, made)
    assert (info.lifecycle_stage, info.status) == ("deleted", "FINISHED")


def test_a_store_that_fails_at_the_start_is_one_clear_line(store, monkeypatch):
    def away(*arguments, **options):
        raise sys.modules["mlflow"].exceptions.MlflowException("server\naway")

    monkeypatch.setattr(store.client, "create_run", away)
    with (
        pytest.raises(RegistryError, match="run a: got server; expected a run in"),
        start_run(store, "a", job="test", params={}),
    ):
        pass
