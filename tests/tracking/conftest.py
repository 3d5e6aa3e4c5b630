"""A store per test, from one migrated database per session; nothing of it outlives its test."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from safetensors.numpy import save_file

from lrface.tracking.names import EDGEFACE
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import ModelVersion
from lrface.tracking.runs.run import Run
from lrface.tracking.runs.starting import start_run
from lrface.tracking.served.signatures import edgeface_signature
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.launch import Launch
from lrface.tracking.store.quiet import _OWN_WARNINGS, quieten
from lrface.tracking.store.store import Store, connect

QUICK = TrackingSettings(flush_seconds=0.05, drain_seconds=20, backoff_seconds=0.2, retries=0)
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for message, kind in _OWN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}:{kind.__name__}"))


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    kept = {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}
    for key in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID"):
        os.environ.pop(key, None)
    yield
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)
    for key in [key for key in os.environ if key.startswith("MLFLOW_")]:
        del os.environ[key]
    os.environ.update(kept)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose database is migrated."""
    root = tmp_path_factory.mktemp("template")
    with warnings.catch_warnings():
        quieten()
        connect(root, QUICK)
    return root


@pytest.fixture
def project(tmp_path: Path, template: Path) -> Path:
    """An empty project with its database."""
    root = tmp_path / "project"
    (root / "mlruns").mkdir(parents=True)
    shutil.copy(template / "mlruns" / "mlflow.db", root / "mlruns" / "mlflow.db")
    return root


@pytest.fixture
def store(project: Path) -> Store:
    """The project's embedded store."""
    return connect(project, QUICK)


@pytest.fixture
def run(store: Store) -> Iterator[Run]:
    """A run in it."""
    with start_run(store, "a run", job="test", params={}) as started:
        yield started


def write_folder(folder: Path, seed: int) -> Path:
    """A model folder with a few random weights and an empty spec."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.random.default_rng(seed).standard_normal(8)
    save_file({"weight": weights}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


MakeVersion = Callable[..., ModelVersion]


@pytest.fixture
def make_version(run: Run, tmp_path: Path) -> MakeVersion:
    """Registers a small model."""

    def make(name: str = EDGEFACE, seed: int = 0, alias: str | None = None, **tags: object) -> ModelVersion:
        folder = write_folder(tmp_path / f"{name}-{seed}", seed)
        return register(run, name, folder, signature=edgeface_signature(), alias=alias, tags=tags)

    return make


@pytest.fixture
def no_launch() -> Launch:
    """What the environment says when nothing is set."""
    return Launch(uri=None, chosen=False, run_id=None, experiment_id=None, experiment=None)
