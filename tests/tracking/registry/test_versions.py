from pathlib import Path

import pytest

from lrface.errors import RegistryError
from lrface.tracking.registry.hashes import folder_hashes
from lrface.tracking.registry.versions import download, is_registry_uri, is_there, recorded_files, resolve, versions_of


def test_what_is_a_uri():
    assert is_registry_uri("models:/a@b")
    assert not is_registry_uri("/models/a")


def test_by_alias_and_by_number(store, make_version):
    first = make_version(seed=1, alias="pretrained", licence="CC0")
    second = make_version(seed=2, alias="finetuned")
    assert resolve(store, "models:/edgeface@pretrained") == first
    assert resolve(store, "models:/edgeface/2") == second
    assert first.uri == "models:/edgeface/1"
    assert first.aliases == ("pretrained",)
    assert (first.licence, second.licence) == ("CC0", "unknown")
    assert [version.version for version in versions_of(store, "edgeface")] == [2, 1]
    assert versions_of(store, "nothing") == []


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/edgeface@nope", r"got aliases @pretrained \(version 1\); versions 1;"),
        ("models:/edgeface/7", r"got aliases @pretrained \(version 1\)"),
        ("models:/dsr@cycle", "got no model of that name; there are edgeface"),
        ("models:/edgeface", "expected models:/name@alias or models:/name/3"),
        ("models:/edgeface/latest", "expected models:/name@alias"),
        ("models:/edgeface/²", "expected models:/name@alias"),
        ("edgeface@pretrained", "expected models:/name@alias"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(store, make_version, uri, message):
    make_version(alias="pretrained")
    with pytest.raises(RegistryError, match=message):
        resolve(store, uri)


def test_download_is_whole_and_used_again(store, make_version, tmp_path):
    version = make_version()
    got = download(store, version, tmp_path / "in" / "got")
    assert folder_hashes(got) == recorded_files(version)
    inode = (got / "model.safetensors").stat().st_ino
    assert (download(store, version, got) / "model.safetensors").stat().st_ino == inode
    (got / "config.json").write_text("spoilt")
    download(store, version, got)
    assert folder_hashes(got) == recorded_files(version)
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["got"]


@pytest.mark.parametrize("way", ["changed", "added", "removed"])
def test_files_that_are_not_the_recorded_ones_are_refused(store, make_version, tmp_path, way):
    version = make_version()
    (weights,) = Path(store.root / "mlruns" / "artifacts").rglob("model.safetensors")
    if way == "changed":
        weights.write_bytes(b"other weights")
    elif way == "added":
        (weights.parent / "evil.py").write_text("")
    else:
        weights.unlink()
    with pytest.raises(RegistryError, match="do not use this version"):
        download(store, version, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_an_artifact_store_without_the_files(store, make_version, tmp_path):
    version = make_version()
    for path in sorted((store.root / "mlruns" / "artifacts").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with pytest.raises(RegistryError, match=r"config.json missing, model.safetensors missing"):
        download(store, version, tmp_path / "got")


def test_an_artifact_store_that_refuses(store, make_version, tmp_path, monkeypatch):
    def refuse(**options):
        raise OSError("403 from the artifact store\nmore")

    version = make_version()
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", refuse)
    with pytest.raises(
        RegistryError, match="download of models:/edgeface/1: got 403 from the artifact store; expected"
    ):
        download(store, version, tmp_path / "got")


def test_a_version_that_others_made(store, tmp_path):
    store.client.create_registered_model("edgeface")
    store.client.create_model_version("edgeface", str(tmp_path))
    with pytest.raises(RegistryError, match="without the tag files"):
        download(store, resolve(store, "models:/edgeface/1"), tmp_path / "got")


def test_whether_a_version_is_there(store, make_version):
    version = make_version()
    assert is_there(store, version.uri)
    assert not is_there(store, "models:/edgeface/7")
    assert not is_there(store, "models:/nobody/1")
    store.client.delete_model_version(version.name, str(version.version))
    assert not is_there(store, version.uri)
