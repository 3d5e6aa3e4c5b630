import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lrface.tracking.plugin import ProjectExperiment, launched_project
from lrface.tracking.store.store import connect

PROJECT = "name: lrface # ours\n"


@pytest.fixture
def mlproject(project):
    (project / "MLproject").write_text(PROJECT)
    return project


def _inside(command, uri):
    context = click.Context(click.Command(command), info_name=command)
    context.params = {"uri": uri, "entry_point": "main"}
    return context


@pytest.mark.parametrize("form", ["{}", "file://{}", "'{}'"])
def test_mlflow_run_of_this_project_is_known(mlproject, form):
    with _inside("run", form.format(mlproject)):
        assert launched_project() == mlproject
        provider = ProjectExperiment()
        assert provider.in_context()
        assert provider.get_experiment_id() == connect(mlproject).experiment_id


def test_anything_else_is_left_alone(mlproject, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "MLproject").write_text("name: another\n")
    assert launched_project() is None
    for command, uri in (
        ("run", other),
        ("run", tmp_path),
        ("run", "https://host/lrface.git"),
        ("run", f"{mlproject}#sub"),
        ("server", mlproject),
    ):
        with _inside(command, str(uri)):
            assert launched_project() is None
            assert not ProjectExperiment().in_context()
    with pytest.raises(RuntimeError, match="outside of 'mlflow run'"):
        ProjectExperiment().get_experiment_id()


def test_a_folder_that_mlflow_would_take_for_another_ends_mlflow_run_at_once(tmp_path, capsys):
    root = tmp_path / "what?"
    root.mkdir()
    (root / "MLproject").write_text(PROJECT)
    with _inside("run", str(root)), pytest.raises(SystemExit) as ended:
        ProjectExperiment().get_experiment_id()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(f"error: project folder {root}: got a name with %")
    assert [path.name for path in tmp_path.iterdir()] == ["what?"]


def test_where_no_python_can_be_started_mlflow_run_says_so(mlproject, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(mlproject))
    with _inside("run", str(mlproject)) as context:
        context.params["env_manager"] = "local"
        with pytest.raises(SystemExit):
            ProjectExperiment().get_experiment_id()
    told = capsys.readouterr().err
    assert "no python in PATH" in told
    assert len(told.splitlines()) == 1


JOB = """
import sys
from pathlib import Path
from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.store import connect
store = connect(Path(__file__).parent)
with start_run(store, "cycle", job="main", params={"epochs": 3}) as run:
    run.log_headline({"rank1": 0.5})
"""
MLPROJECT = """
name: lrface
entry_points:
  main:
    parameters: {epochs: {type: float, default: 1}}
    command: "%s job.py"
"""


@pytest.mark.job
@pytest.mark.parametrize("plugin", [True, False], ids=["installed", "not installed"])
def test_a_real_mlflow_run_from_elsewhere_ends_in_the_projects_store(project, tmp_path, plugin):
    caller, site = tmp_path / "caller", tmp_path / "site"
    caller.mkdir()
    (project / "MLproject").write_text(MLPROJECT % sys.executable)
    (project / "job.py").write_text(JOB)
    paths = [path for path in sys.path if path]
    if plugin:
        info = site / "lrface_plugin-0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lrface-plugin\nVersion: 0\n")
        entry = "[mlflow.default_experiment_provider]\nlrface = lrface.tracking.plugin:ProjectExperiment\n"
        (info / "entry_points.txt").write_text(entry)
        paths.insert(0, str(site))
    else:
        # As in an environment where the project itself is not installed.
        shutil.copy(project / "mlruns" / "mlflow.db", caller / "mlflow.db")
    subprocess.run(
        [sys.executable, "-m", "mlflow", "run", str(project), "--env-manager", "local"],
        cwd=caller,
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert [path.name for path in caller.iterdir()] == ([] if plugin else ["mlflow.db"])
    assert sorted(path.name for path in project.iterdir()) == ["MLproject", "job.py", "mlruns"]
    store = connect(project)
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.run_name == "cycle"
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"rank1": 0.5}
    assert run.data.params == {"epochs": "1", "config.epochs": "3"}
    assert project in Path(run.info.artifact_uri.removeprefix("file://")).parents
