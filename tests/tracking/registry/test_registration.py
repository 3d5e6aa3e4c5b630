import json
import os
import resource
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from safetensors.numpy import save_file

from lrface.errors import RegistryError, WeightsError
from lrface.tracking.names import DSR, EDGEFACE
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import download, resolve, versions_of
from lrface.tracking.runs.starting import start_run
from lrface.tracking.served.signatures import edgeface_signature
from lrface.tracking.store.store import connect

from ..conftest import QUICK, write_folder


def test_a_version_knows_where_it_comes_from(store, run, make_version):
    version = make_version(alias="pretrained", pack_digest="abc", cycle=1)
    assert version.run_id == run.run_id
    assert version.tags["pack_digest"] == "abc"
    assert version.tags["cycle"] == "1"
    assert version.tags["git_commit"] == "unknown"
    assert version.tags["weights_sha256"] == version.sha256
    assert set(json.loads(version.tags["files"])) == {"config.json", "model.safetensors"}
    (output,) = store.client.get_run(run.run_id).outputs.model_outputs
    model = store.client.get_logged_model(output.model_id)
    assert model.model_uri == version.source
    assert str(model.status) == "READY"


def test_the_same_again_is_the_same_version_and_other_weights_are_another(make_version):
    first = make_version(seed=1)
    assert make_version(seed=1, alias="pretrained").version == first.version
    assert make_version(seed=2).version == 2


def test_another_run_registers_the_same_weights_anew(store, make_version, tmp_path):
    make_version(seed=1)
    with start_run(store, "other", job="test", params={}) as other:
        again = register(
            other, "edgeface", write_folder(tmp_path / "m", 1), signature=edgeface_signature(), alias=None, tags={}
        )
    assert again.version == 2


def test_what_is_no_model_folder_is_refused_before_anything_is_made(store, run, tmp_path):
    with pytest.raises(WeightsError):
        register(run, "edgeface", tmp_path, signature=edgeface_signature(), alias="pretrained", tags={})
    assert _left(store, run) == ([], [])


@pytest.mark.parametrize("step", ["log_model_artifacts", "finalize_logged_model", "create_model_version"])
def test_a_step_that_fails_leaves_nothing(store, run, make_version, monkeypatch, step):
    def fail(*arguments, **options):
        raise MlflowException("disk\nfull")

    monkeypatch.setattr(store.client, step, fail)
    with pytest.raises(RegistryError, match=r"registration of edgeface from .*: got disk; .*nothing was registered"):
        make_version(alias="pretrained")
    assert _left(store, run) == ([], [])
    monkeypatch.undo()
    assert make_version(alias="pretrained").aliases == ("pretrained",)


def test_an_upload_that_arrives_broken_is_no_version(store, run, make_version, monkeypatch):
    real = store.client.log_model_artifacts

    def cut(model_id, local):
        with open(f"{local}/data/model/model.safetensors", "r+b") as file:  # noqa: PTH123
            file.truncate(10)
        real(model_id, local)

    monkeypatch.setattr(store.client, "log_model_artifacts", cut)
    with pytest.raises(RegistryError, match=r"files of edgeface: got model.safetensors"):
        make_version(alias="pretrained")
    assert _left(store, run) == ([], [])


def test_an_alias_that_fails_stays_where_it_was_and_the_same_call_sets_it(store, make_version, monkeypatch):
    make_version(seed=1, alias="pretrained")

    def fail(*arguments, **options):
        raise MlflowException("away")

    monkeypatch.setattr(store.client, "set_registered_model_alias", fail)
    with pytest.raises(RegistryError, match="alias edgeface@pretrained"):
        make_version(seed=2, alias="pretrained")
    monkeypatch.undo()
    assert resolve(store, "models:/edgeface@pretrained").version == 1
    assert make_version(seed=2, alias="pretrained").version == 2
    assert resolve(store, "models:/edgeface@pretrained").version == 2


def test_a_store_that_is_away_is_waited_for_and_then_told(project, tmp_path, monkeypatch):
    store = connect(project, QUICK.model_copy(update={"drain_seconds": 0.3}))
    folder = write_folder(tmp_path / "model", 0)
    with start_run(store, "a run", job="test", params={}) as run:
        with monkeypatch.context() as away:
            away.setattr(MlflowClient, "log_batch", _away)
            run.log_metrics({"train/loss": 1.0})
            with pytest.raises(RegistryError, match=r"nothing for 0\.3 s"):
                register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={})
            assert versions_of(store, EDGEFACE) == []
        assert run.flush(20)
        assert register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={}).version == 1


def _away(*_, **__):
    raise OSError("connection refused")


def _left(store, run):
    models = store.client.search_logged_models([store.experiment_id])
    return [model.name for model in models], [str(item.name) for item in store.client.search_registered_models()]


class ArtifactStore(ThreadingHTTPServer):
    """An artifact store over HTTP, as MLflow's own server is one, that refuses what has `refused` in its path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Artifacts)
        self.files = {}
        self.refused = ("PUT", "nothing", 200)

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.server_port}/api/2.0/mlflow-artifacts/artifacts"


class _Artifacts(BaseHTTPRequestHandler):
    def do_PUT(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._refuses():
            self.server.files[self._name()] = data
            self._answer(200, b"{}")

    def do_GET(self):
        if self._refuses():
            return
        name = self._name()
        if "?" in self.path:
            self._answer(
                200, json.dumps({"files": self._below(parse_qs(urlsplit(self.path).query)["path"][0])}).encode()
            )
        else:
            self._answer(200 if name in self.server.files else 404, self.server.files.get(name, b""))

    def _name(self):
        return unquote(urlsplit(self.path).path).partition("/artifacts/")[2]

    def _below(self, folder):
        rest = [
            name.removeprefix(f"{folder}/").split("/") for name in self.server.files if name.startswith(f"{folder}/")
        ]
        files = [{"path": parts[0], "is_dir": False, "file_size": 1} for parts in rest if len(parts) == 1]
        return files + [{"path": name, "is_dir": True} for name in {parts[0] for parts in rest if len(parts) > 1}]

    def _refuses(self):
        method, part, code = self.server.refused
        if self.command == method and part in self.path:
            self._answer(code, b'{"message": "no"}')
            return True
        return False

    def _answer(self, code, data):
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def artifact_store():
    with ArtifactStore() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "refused",
    [("PUT", "model.safetensors", 403), ("PUT", "MLmodel", 500), ("PUT", "config.json", 507), ("GET", "weights", 500)],
)
def test_an_artifact_store_that_refuses_is_told_and_the_same_call_registers(project, tmp_path, artifact_store, refused):
    store = connect(project, QUICK.model_copy(update={"artifacts": artifact_store.uri, "experiment": "elsewhere"}))
    old, new = write_folder(tmp_path / "old", 1), write_folder(tmp_path / "new", 2)
    with start_run(store, "a run", job="test", params={}) as run:
        register(run, EDGEFACE, old, signature=edgeface_signature(), alias="pretrained", tags={})
        assert run.flush(20)
        artifact_store.refused = (refused[0], refused[1].replace("weights", "model.safetensors"), refused[2])
        with pytest.raises(RegistryError) as caught:
            register(run, EDGEFACE, new, signature=edgeface_signature(), alias="pretrained", tags={})
        assert str(refused[2]) in str(caught.value)
        assert "\n" not in str(caught.value)
        (version,) = versions_of(store, EDGEFACE)
        assert version.aliases == ("pretrained",)
        assert [model.model_uri for model in store.client.search_logged_models([store.experiment_id])] == [
            version.source
        ]

        artifact_store.refused = ("PUT", "nothing", 200)
        made = register(run, EDGEFACE, new, signature=edgeface_signature(), alias="pretrained", tags={})
    assert (made.version, made.aliases) == (2, ("pretrained",))
    download(store, made, tmp_path / "got")


def test_what_an_artifact_store_refuses_before_the_registration_is_told(project, tmp_path, artifact_store):
    settings = {"artifacts": artifact_store.uri, "experiment": "elsewhere", "drain_seconds": 0.5}
    store = connect(project, QUICK.model_copy(update=settings))
    folder = write_folder(tmp_path / "model", 1)
    with start_run(store, "a run", job="test", params={}) as run:
        artifact_store.refused = ("PUT", "note.txt", 403)
        run.log_text("a note", "note.txt")
        with pytest.raises(RegistryError, match=r"nothing for 0\.5 s from sqlite:.* \(403 Client Error: Forbidden"):
            register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={})
        assert versions_of(store, EDGEFACE) == []
        artifact_store.refused = ("PUT", "nothing", 200)
        assert run.flush(20)
        assert register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={}).version == 1


@pytest.fixture
def full_disk():
    """Lets no file of this process grow past a size; undone at the end."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))

    yield fill
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_is_full_at_the_registration_leaves_nothing_and_the_same_call_registers(
    store, run, tmp_path, full_disk
):
    folder = write_folder(tmp_path / "model", 1)
    size = 2 * (store.root / "mlruns" / "mlflow.db").stat().st_size
    save_file({"weight": np.zeros(size, np.uint8)}, folder / "model.safetensors")
    full_disk(size)
    with pytest.raises(RegistryError, match=r"got .*File too large.*; see to store and disk"):
        register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={})
    assert _left(store, run) == ([], [])
    full_disk(4 * size)
    made = register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={})
    assert (made.version, made.aliases) == (1, ("pretrained",))


# One process that forks before it connects: each child registers and is killed at its place.
KILLED = """
import json, os, signal, sys, warnings
warnings.simplefilter("ignore")
import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, mlflow.store.model_registry.sqlalchemy_store
from pathlib import Path
from lrface.tracking import registry
from lrface.tracking.names import DSR, EDGEFACE
from lrface.tracking.registry.registration import register
from lrface.tracking.served.signatures import edgeface_signature
from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.store import TrackingSettings, connect

def work(root, folder, run_id, place):
    store = connect(root, TrackingSettings(flush_seconds=0.05))
    model, owner, name, when = place
    target = store.client if owner == "client" else registry
    real = getattr(target, name)
    def killed(*arguments, **options):
        if when == "after":
            real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(target, name, killed)
    with start_run(store, "train", job="train", params={}, resume=run_id) as run:
        register(run, model, folder, signature=edgeface_signature(), alias="pretrained", tags={})

for place in json.loads(sys.argv[1]):
    child = os.fork()
    if child == 0:
        try:
            work(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], place)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, place
"""
PLACES = [
    ("client", "create_logged_model", "after"),
    ("client", "log_model_artifacts", "before"),
    ("client", "log_model_artifacts", "after"),
    ("client", "finalize_logged_model", "after"),
    ("client", "create_registered_model", "before"),
    ("client", "create_model_version", "before"),
    ("client", "create_model_version", "after"),
    ("client", "set_registered_model_alias", "before"),
]


PLACES = [(EDGEFACE, *place) for place in PLACES]
PLACES.append((DSR, "client", "create_registered_model", "after"))


def test_kill_at_any_place_leaves_no_alias_on_half_a_model_and_the_same_call_repairs(project, store, tmp_path):
    old, new = write_folder(tmp_path / "old", 1), write_folder(tmp_path / "new", 2)
    with start_run(store, "train", job="train", params={}) as before:
        register(before, "edgeface", old, signature=edgeface_signature(), alias="pretrained", tags={})
    run_id = store.client.create_run(store.experiment_id, run_name="train").info.run_id
    subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(PLACES), str(project), str(new), run_id],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # Nine kills later the alias is where it was, and every version there is has its weights.
    assert resolve(store, "models:/edgeface@pretrained").version == 1
    for version in versions_of(store, "edgeface"):
        download(store, version, tmp_path / f"got-{version.version}")
    again = connect(project, QUICK)
    with start_run(again, "train", job="train", params={}, resume=run_id) as run:
        made = register(run, "edgeface", new, signature=edgeface_signature(), alias="pretrained", tags={})
        first = register(run, "dsr", new, signature=edgeface_signature(), alias="pretrained", tags={})
    assert (made.version, first.version) == (2, 1)
    assert resolve(store, "models:/edgeface@pretrained").version == 2
    assert [version.version for version in versions_of(store, "edgeface")] == [2, 1]
    referred = {version.source for name in (EDGEFACE, DSR) for version in versions_of(store, name)}
    assert {model.model_uri for model in store.client.search_logged_models([store.experiment_id])} == referred
