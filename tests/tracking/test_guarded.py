"""What MLflow's own loading is kept from; the plugin is put in by hand, since it may not be installed here."""

import json
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import mlflow
import pytest
import yaml
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

from lrface.errors import RegistryError
from lrface.tracking.guarded import GuardedModels
from lrface.tracking.registry.versions import download, resolve

URI = "models:/edgeface@pretrained"


def _fetched_by(kind, monkeypatch):
    monkeypatch.setitem(artifact_repository_registry._artifact_repository_registry._registry, "models", kind)


@pytest.fixture
def guarded(monkeypatch):
    """MLflow as it is where this package is installed."""
    _fetched_by(GuardedModels, monkeypatch)


@pytest.fixture
def files(store, make_version):
    """Where the files of a version lie in the artifact store."""
    make_version(seed=1, alias="pretrained")
    (path,) = (store.root / "mlruns" / "artifacts").rglob("MLmodel")
    return path.parent


def _change(files, change):
    content = yaml.safe_load((files / "MLmodel").read_text())
    change(content["flavors"]["python_function"], content)
    (files / "MLmodel").write_text(yaml.safe_dump(content))


def _trap(files, sprung):
    """Another loader, in a folder of the artifact store that MLflow is told to put on the path."""
    (files / "code").mkdir()
    (files / "code" / "trap_of_a_test.py").write_text(
        f"from pathlib import Path\nPath({str(sprung)!r}).touch()\ndef _load_pyfunc(path):\n    return None\n"
    )
    _change(files, lambda flavour, _: flavour.update(loader_module="trap_of_a_test", code="code"))


def test_without_the_plugin_mlflow_runs_what_the_artifact_store_says(files, tmp_path, monkeypatch):
    """What the other tests keep from happening does happen in this MLflow."""
    _fetched_by(ModelsArtifactRepository, monkeypatch)
    monkeypatch.setattr(sys, "path", [*sys.path])
    _trap(files, tmp_path / "sprung")
    with pytest.raises(MlflowException, match="predict method"):
        mlflow.pyfunc.load_model(URI)
    sys.modules.pop("trap_of_a_test")
    assert (tmp_path / "sprung").exists()


@pytest.mark.usefixtures("guarded")
def test_another_loader_is_refused_before_it_is_imported(store, files, tmp_path):
    _trap(files, tmp_path / "sprung")
    before = list(sys.path)
    with pytest.raises(
        RegistryError, match=r"MLmodel of models:/edgeface/1: got code 'code'; expected the loader lrface"
    ):
        mlflow.pyfunc.load_model(URI)
    assert sys.path == before
    assert not (tmp_path / "sprung").exists()
    download(store, resolve(store, URI), tmp_path / "got")


CHANGES = {
    "another module": lambda flavour, _: flavour.update(loader_module="os"),
    "no module": lambda flavour, _: flavour.pop("loader_module"),
    "other data": lambda flavour, _: flavour.update(data="data"),
    "another method": lambda flavour, _: flavour.update(predict_fn="__init__"),
    "another flavour": lambda _, content: content["flavors"].update(sklearn={"pickled_model": "model.pkl"}),
    "no flavours": lambda _, content: content.pop("flavors"),
    "flavours of another kind": lambda _, content: content.update(flavors=["python_function"]),
    "too long": lambda _, content: content.update(metadata="x" * 2**20),
}


@pytest.mark.usefixtures("guarded")
def test_an_mlmodel_that_says_anything_else_is_refused(files):
    written = (files / "MLmodel").read_text()
    for name, change in CHANGES.items():
        (files / "MLmodel").write_text(written)
        _change(files, change)
        with pytest.raises(RegistryError, match="MLmodel of models:/edgeface/1: got") as caught:
            mlflow.artifacts.download_artifacts(URI)
        assert "\n" not in str(caught.value), name
    (files / "MLmodel").write_text("flavors: [unclosed")
    with pytest.raises(RegistryError, match="does not read"):
        mlflow.artifacts.download_artifacts(URI)


@pytest.mark.usefixtures("guarded")
def test_weights_that_were_exchanged_with_their_spec_are_refused(files, make_version):
    make_version(seed=2)
    (other,) = (path for path in files.parents[1].rglob("MLmodel") if path.parent != files)
    for name in ("model.safetensors", "config.json"):
        (files / "data" / "model" / name).write_bytes((other.parent / "data" / "model" / name).read_bytes())
    with pytest.raises(RegistryError, match=r"files of models:/edgeface/1: got model\.safetensors"):
        mlflow.pyfunc.load_model(URI)


@pytest.mark.usefixtures("guarded")
def test_what_is_sound_comes_through_whole_or_in_part(files, store, tmp_path):
    got = Path(mlflow.artifacts.download_artifacts(URI, dst_path=str(tmp_path)))
    assert (got / "data" / "model" / "model.safetensors").is_file()
    assert mlflow.artifacts.load_text(f"{URI}/MLmodel")
    assert json.loads(resolve(store, URI).tags["files"])


@pytest.mark.usefixtures("guarded")
def test_versions_of_others_are_none_of_its_business(store, files, tmp_path):
    _trap(files, tmp_path / "sprung")
    store.client.create_registered_model("another")
    store.client.create_model_version("another", files.as_uri())
    assert Path(mlflow.artifacts.download_artifacts("models:/another/1")).is_dir()


def test_the_package_names_the_plugin():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["mlflow.artifact_repository"]["models"].partition(":")
    assert getattr(import_module(module), name) is GuardedModels
