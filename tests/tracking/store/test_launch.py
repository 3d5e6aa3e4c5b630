import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrface.tracking.store.launch import Launch, forget_launch, read_launch

# The part of `mlflow run`: started in the caller's folder, it gives the child a run and a URI.
LAUNCHER = """
import os, subprocess, sys
env = dict(os.environ, MLFLOW_RUN_ID="r1", MLFLOW_EXPERIMENT_ID="0", MLFLOW_TRACKING_URI=sys.argv[1])
subprocess.run(["bash", "-c", "true; " + sys.executable + " child.py"], env=env, check=True, cwd=sys.argv[2])
"""
CHILD = """
import dataclasses, json
from lrface.tracking.store.launch import read_launch
print(json.dumps(dataclasses.asdict(read_launch())))
"""


def _launched(caller: Path, project: Path, uri: str, **env: str) -> Launch:
    caller.mkdir(exist_ok=True)
    project.mkdir(exist_ok=True)
    (project / "child.py").write_text(CHILD)
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, uri, str(project)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **env},
        cwd=caller,
        check=True,
        capture_output=True,
    )
    return Launch(**json.loads(done.stdout))


def test_a_store_that_mlflow_derived_from_the_callers_folder_is_nobodys_choice(tmp_path):
    caller, project = tmp_path / "caller", tmp_path / "project"
    uri = f"sqlite:///{caller}/mlflow.db"
    assert _launched(caller, project, uri) == Launch(uri, False, "r1", "0", None)
    assert _launched(caller, project, uri, MLFLOW_TRACKING_URI=uri).chosen


def test_a_relative_store_is_meant_from_the_callers_folder(tmp_path):
    caller = tmp_path / "caller"
    launch = _launched(caller, tmp_path / "project", "sqlite:///my.db", MLFLOW_TRACKING_URI="sqlite:///my.db")
    assert launch.uri == f"sqlite:///{caller}/my.db"
    assert launch.chosen


def test_any_other_store_was_chosen(tmp_path):
    launch = _launched(tmp_path / "caller", tmp_path / "project", "http://host:5000")
    assert launch.chosen
    assert launch.uri == "http://host:5000"


def test_nothing_set(no_launch):
    assert read_launch() == no_launch


def test_a_relative_store_without_mlflow_run(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///x.db")
    assert read_launch().uri == f"sqlite:///{tmp_path}/x.db"


@pytest.mark.parametrize("chosen", [True, False])
def test_it_is_forgotten_with_a_store_that_nobody_chose(monkeypatch, chosen):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.setenv(name, "x")
    forget_launch(Launch("x", chosen, "x", "x", None))
    left = {name for name in os.environ if name in {"MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"}}
    assert left == ({"MLFLOW_TRACKING_URI"} if chosen else set())
