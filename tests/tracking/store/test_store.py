import os
import subprocess
import sys

import pytest

from lrface.errors import ConfigError, RegistryError
from lrface.tracking.store.launch import Launch
from lrface.tracking.store.store import connect, without_credentials

from ..conftest import QUICK


def test_the_embedded_store_lies_in_the_project_wherever_it_is_opened_from(project, tmp_path, monkeypatch):
    elsewhere = tmp_path / "caller"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    store = connect(project, QUICK)
    assert store.uri == f"sqlite:///{project}/mlruns/mlflow.db"
    assert store.embedded
    experiment = store.client.get_experiment(store.experiment_id)
    assert experiment.name == "lrface"
    assert experiment.artifact_location == (project / "mlruns" / "artifacts").as_uri()
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert list(elsewhere.iterdir()) == []


def test_a_fresh_project(template):
    store = connect(template, QUICK)
    locations = [item.artifact_location for item in store.client.search_experiments()]
    assert all(str(template / "mlruns" / "artifacts") in location for location in locations)
    assert sorted(path.name for path in template.iterdir()) == ["mlruns"]


def test_the_environment_wins_over_the_settings_over_the_project(project, template, monkeypatch):
    other = f"sqlite:///{template}/mlruns/mlflow.db"
    settings = QUICK.model_copy(update={"uri": other})
    assert connect(project, settings).uri == other
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlruns/mlflow.db?timeout=3")
    assert connect(template, QUICK).uri == f"sqlite:///{project}/mlruns/mlflow.db?timeout=3"
    assert not connect(template, QUICK).embedded


def test_an_experiment_by_its_name_and_a_deleted_one(project, monkeypatch, caplog):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    store = connect(project, QUICK)
    assert store.client.get_experiment(store.experiment_id).name == "mine"
    store.client.delete_experiment(store.experiment_id)
    assert connect(project, QUICK).experiment_id == store.experiment_id
    assert "mine was deleted; it is restored" in caplog.text


@pytest.mark.parametrize("uri", ["file:///tmp/x", "/srv/x", "mlruns"])
def test_a_store_of_plain_files_is_refused(project, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ConfigError, match="a store of plain files"):
        connect(project, QUICK)


def test_a_server_that_is_not_there_is_one_clear_line(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"tracking store http://127.0.0.1:9: got .*expected") as caught:
        connect(project, QUICK)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_project_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="which is no folder"):
        connect(tmp_path / "nothing", QUICK)


def test_credentials_are_cut_out():
    assert without_credentials("postgresql://u:p@host:5432/db?x=1") == "postgresql://host:5432/db?x=1"
    assert without_credentials("sqlite:////a/b@c.db") == "sqlite:////a/b@c.db"


def test_has_run(store):
    run_id = store.client.create_run(store.experiment_id).info.run_id
    assert store.has_run(run_id)
    store.client.delete_run(run_id)
    assert not store.has_run(run_id)
    assert not store.has_run("0" * 32)


def test_a_launched_run_is_claimed_once(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "abc")
    object.__setattr__(store, "launch", Launch(store.uri, True, "abc", store.experiment_id, None))
    assert store.launched_here
    assert store.holds_launched
    assert store.claim_launched() == "abc"
    assert store.claim_launched() is None


@pytest.mark.parametrize("uri", ["", "sqlite:///{tmp_path}/another.db"])
def test_two_processes_at_once_in_a_fresh_project_both_find_a_store(tmp_path, monkeypatch, uri):
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(tmp_path=tmp_path))
    line = "from pathlib import Path; from lrface.tracking.store.store import connect; "
    line += f"connect(Path({str(tmp_path)!r}))"
    both = [subprocess.Popen([sys.executable, "-W", "ignore", "-c", line], stderr=subprocess.PIPE) for _ in range(2)]

    ended = [process.communicate()[1] for process in both]

    assert [process.returncode for process in both] == [0, 0], ended
