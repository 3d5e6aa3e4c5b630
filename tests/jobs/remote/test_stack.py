"""The whole cycle on PostgreSQL, S3 and a tracking server with a login, against the embedded default."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
from mlflow import MlflowClient

from lrface.errors import RegistryError
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import connect

from ...s3_server import SECRET_KEY
from ...servers import Postgres, postgres, why_no_postgres
from ...stack import SECRETS, MlflowServer, remote_stack
from .conftest import LOGIN, Remote, artifact_names

pytestmark = pytest.mark.skipif(bool(why_no_postgres()), reason=str(why_no_postgres()))
PASSWORD = SECRETS["LRFACE_TRACKING_PASSWORD"]
BUCKET = "lrface-stack"
RUNS = ["cycle", "prepare procedural", "pretrain from drawn", "train_dsr baseline", "finetune v1", "train_dsr cycle"]
RUNS += ["evaluate", "promote"]


@dataclass(frozen=True)
class Stack:
    """The servers and the project that has run its cycle against them."""

    database: Postgres
    server: MlflowServer
    project: object
    ended: object


@pytest.fixture(scope="module")
def stack(tmp_path_factory, s3_server, copy_project, mlflow_run) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("stack")
    with postgres() as database, remote_stack(root / "server", database, s3_server, BUCKET) as server:
        project = copy_project(root / "project")
        ended = mlflow_run(
            *(".", "-P", "preset=smoke", "-P", "overrides=tracking=server"),
            folder=project.root,
            MLFLOW_TRACKING_URI=server.uri,
            MLFLOW_TRACKING_USERNAME=LOGIN,
            MLFLOW_TRACKING_PASSWORD=PASSWORD,
        )
        assert ended.code == 0, ended.err
        yield Stack(database, server, project, ended)


@pytest.fixture
def remote(stack, monkeypatch) -> Remote:
    _log_in(monkeypatch, LOGIN, PASSWORD)
    return Remote(MlflowClient(tracking_uri=stack.server.uri, registry_uri=stack.server.uri))


def _log_in(monkeypatch, user, password):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", password)


def test_the_cycle_leaves_what_the_embedded_one_leaves(cycle, remote):
    assert remote.registry() == cycle.project.registry()
    for name in RUNS:
        expected, found = cycle.project.run(name), remote.run(name)
        assert found.info.status == "FINISHED"
        assert found.data.metrics == expected.data.metrics, name
        assert artifact_names(remote.client, found.info.run_id) == artifact_names(
            cycle.project.client, expected.info.run_id
        ), name


def test_weights_and_figures_are_the_same(cycle, remote):
    for name, alias in (("edgeface", "finetuned"), ("dsr", "cycle"), ("lrface", None)):
        versions = [
            client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, "1")
            for client in (cycle.project.client, remote.client)
        ]
        assert versions[0].tags["weights_sha256"] == versions[1].tags["weights_sha256"]
        assert versions[0].tags["files"] == versions[1].tags["files"]


def test_nothing_of_it_is_tracked_beside_the_server(stack):
    assert not (stack.project.root / "mlruns" / "mlflow.db").exists()
    assert not (stack.project.root / "mlruns" / "artifacts").exists()
    assert not list((stack.project.root / "mlruns").glob("spool/*"))
    assert stack.ended.err == ""


def test_credentials_are_nowhere(stack, remote, s3_server):
    """Not in params, tags, artifacts and names, not in the project's files, and in no log."""
    dump = subprocess.run(
        [stack.database.binaries / "pg_dump", "--dbname", stack.database.uri("lrface")], capture_output=True, check=True
    ).stdout
    bucket = s3_server.client()
    places = {
        "database": dump,
        "server's log": stack.server.log.read_bytes(),
        "server's command": " ".join(stack.server.words).encode(),
        "output": (stack.ended.out + stack.ended.err).encode(),
        **{str(path): path.read_bytes() for path in stack.project.root.rglob("*") if path.is_file()},
        **{key: bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in s3_server.keys(BUCKET)},
    }
    assert b"train_dsr cycle" in dump
    assert any(key.endswith("model.safetensors") for key in places)
    secrets = [*SECRETS.values(), SECRET_KEY]
    found = [(name, secret) for name, text in places.items() for secret in secrets if secret.encode() in text]
    assert found == []


def test_only_who_has_the_login_and_names_the_host_is_let_in(stack, tmp_path, monkeypatch):
    search = f"{stack.server.uri}/api/2.0/mlflow/experiments/search?max_results=10"
    elsewhere, login = {"Host": "elsewhere.example"}, (LOGIN, PASSWORD)

    assert requests.get(search, timeout=30).status_code == 401
    assert requests.get(search, auth=(LOGIN, "wrong"), timeout=30).status_code == 401
    assert requests.get(search, auth=login, headers=elsewhere, timeout=30).status_code == 403
    assert "lrface" in requests.get(search, auth=login, timeout=30).text

    _log_in(monkeypatch, LOGIN, "wrong")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stack.server.uri)
    with pytest.raises(RegistryError, match="tracking store") as refused:
        connect(tmp_path, TrackingSettings(retries=0))
    assert "wrong" not in str(refused.value)


def test_another_user_sees_nothing_until_allowed(stack):
    made = requests.post(
        f"{stack.server.uri}/api/2.0/mlflow/users/create",
        json={"username": "somebody", "password": "another-password-1"},
        auth=(LOGIN, PASSWORD),
        timeout=30,
    )
    assert made.ok, made.text

    found = requests.get(
        f"{stack.server.uri}/api/2.0/mlflow/registered-models/search",
        auth=("somebody", "another-password-1"),
        timeout=30,
    )

    assert found.ok
    assert json.loads(found.text).get("registered_models", []) == []
