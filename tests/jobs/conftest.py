"""One cycle on a dozen drawn people, run once by `mlflow run`; the tests of a file share a copy of its project."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from PIL import Image

from lrface.cli.program import main
from lrface.images.procedural import ProceduralSettings, render_faces, subject_name
from lrface.tracking.store.quiet import _OWN_WARNINGS

PROJECT = Path(__file__).resolve().parents[2]
PLACES = {Path(__file__).parent, Path(__file__).parents[1] / "cli"}
PARTS = ("MLproject", "conda.yaml", "conf", "src")
# what stands in for a person's shell: MLflow's variables and this process's module path stay out of it
FOREIGN = ("MLFLOW_", "PYTHON", "PYTEST_", "COVERAGE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if PLACES & set(item.path.parents):
            item.add_marker(pytest.mark.job)
            for message, kind in _OWN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}:{kind.__name__}"))


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line on standard error, of a command that was refused."""
        lines = self.err.strip().splitlines()
        assert self.code == 1, (self.code, self.out, self.err)
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: ")
        assert "got " in lines[0]
        assert "expected " in lines[0]
        assert "Traceback" not in self.out
        return lines[0]


@dataclass(frozen=True)
class Project:
    """A copy of the project with a store of its own."""

    root: Path

    @property
    def client(self) -> MlflowClient:
        uri = f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def runs(self, text: str = "") -> list[Run]:
        """Runs, oldest first."""
        client = self.client
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return list(client.search_runs(experiments, text, order_by=["attributes.start_time ASC"], max_results=200))

    def run(self, name: str) -> Run:
        """The latest run of that name."""
        return self.runs(f"attributes.run_name = '{name}'")[-1]

    def children(self, run: Run) -> list[Run]:
        """The runs below one, oldest first."""
        return self.runs(f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")

    def version(self, name: str, alias: str) -> ModelVersion:
        """The version behind an alias."""
        return self.client.get_model_version_by_alias(name, alias)

    def registry(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Of each registered model the number of versions and the aliases."""
        client = self.client
        return {
            model.name: (len(client.search_model_versions(f"name = '{model.name}'")), _numbers(model.aliases))
            for model in client.search_registered_models()
        }

    def artifacts(self, run: Run, folder: str = "") -> set[str]:
        """Names of what lies in a run's folder."""
        return {item.path.removeprefix(f"{folder}/") for item in self.client.list_artifacts(run.info.run_id, folder)}

    def pack(self, stem: str) -> Path:
        """The folder of the one pack whose name starts so."""
        (found,) = (self.root / "mlruns" / "packs").glob(f"{stem}-*/pack.json")
        return found.parent

    def read_json(self, run: Run, name: str) -> object:
        """The content of a JSON artifact."""
        return json.loads(Path(run.info.artifact_uri.removeprefix("file://"), name).read_text())


def _numbers(aliases: dict[str, str | int]) -> dict[str, int]:
    return {str(alias): int(version) for alias, version in aliases.items()}


def _copy_project(target: Path, runs: Path | None = None) -> Project:
    target.mkdir(parents=True)
    for part in PARTS:
        source = PROJECT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / part)
    if runs is not None:
        shutil.copytree(runs / "mlruns", target / "mlruns")
    else:
        (target / "mlruns").mkdir()
    return Project(target)


def _person(**changes: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", **changes}


def _mlflow_run(
    project: Path | str, *arguments: str, folder: Path, manager: str = "local", **environment: str
) -> Ended:
    done = subprocess.run(
        ["mlflow", "run", str(project), "--env-manager", manager, *arguments],
        cwd=folder,
        env=_person(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def copy_project() -> Callable[..., Project]:
    """Copies the project's files to another place, with the runs of a third (`runs=`) where given."""
    return _copy_project


@pytest.fixture(scope="session")
def person() -> Callable[..., dict[str, str]]:
    """The environment of a person who has activated the project's environment and set nothing else."""
    return _person


@pytest.fixture(scope="session")
def mlflow_run() -> Callable[..., Ended]:
    """`mlflow run PROJECT ARGUMENTS` as a person types it in `folder`."""
    return _mlflow_run


@dataclass(frozen=True)
class Cycle:
    """The project after a whole cycle, to be read only."""

    project: Project
    ended: Ended


@pytest.fixture(scope="session")
def cycle(tmp_path_factory: pytest.TempPathFactory) -> Cycle:
    """`mlflow run . -P preset=smoke`, once for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, record = shared / "cycle" / "project", shared / "cycle.json"
    with (shared / "cycle.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            _copy_project(root)
            ended = _mlflow_run(".", "-P", "preset=smoke", folder=root)
            record.write_text(json.dumps([ended.code, ended.out, ended.err]))
    found = Cycle(Project(root), Ended(*json.loads(record.read_text())))
    assert found.ended.code == 0, found.ended.err
    return found


@pytest.fixture(scope="module")
def project(cycle: Cycle, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the cycle's project, for the tests of one file to go on with."""
    return _copy_project(tmp_path_factory.mktemp("jobs") / "project", runs=cycle.project.root)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    kept = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
    for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(key, None)
    with warnings.catch_warnings():
        yield
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    for key in [key for key in os.environ if key.startswith("MLFLOW_")]:
        del os.environ[key]
    os.environ.update(kept)


Job = Callable[..., Ended]


@pytest.fixture
def job(project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Job:
    """Runs `lrface NAME ARGUMENTS` in the project's folder, without the seconds of a new process."""

    def run(name: str, *arguments: str, folder: Path | None = None) -> Ended:
        monkeypatch.chdir(folder or project.root)
        monkeypatch.setattr(sys, "argv", ["lrface", name, *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main([name, *arguments])
        out, err = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return Ended(left.value.code, out, err)

    return run


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five people with five pictures each, as a user would have one."""
    root = tmp_path_factory.mktemp("photographs") / "our people"
    for subject, image, pixels in render_faces(ProceduralSettings(subjects=5, images_per_subject=5, seed=3), workers=1):
        folder = root / subject_name(subject)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(folder / f"{image}.png")
    return root
