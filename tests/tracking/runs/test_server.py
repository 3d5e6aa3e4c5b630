"""A real MLflow server that is killed and comes back."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrface.tracking.names import EDGEFACE
from lrface.tracking.registry.hashes import folder_hashes
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import download, resolve
from lrface.tracking.runs.starting import start_run
from lrface.tracking.served.signatures import edgeface_signature
from lrface.tracking.store.store import connect
from lrface.tracking.upload import main, pending_spools

from ..conftest import QUICK, write_folder


class Server:
    """An MLflow server of its own, on a copy of the migrated database."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.root = root
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)),
                    *("--workers", "1", "--backend-store-uri", f"sqlite:///{self.root}/server.db"),
                    *("--artifacts-destination", str(self.root / "server-artifacts")),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            )
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):  # noqa: S310
                    return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError((self.root / "server.log").read_text()) from None
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def server(tmp_path: Path, template: Path) -> Iterator[Server]:
    root = tmp_path / "server"
    root.mkdir()
    (root / "server.db").write_bytes((template / "mlruns" / "mlflow.db").read_bytes())
    made = Server(root)
    made.start()
    yield made
    made.kill()


def test_a_server_that_dies_loses_nothing(server, tmp_path, monkeypatch, caplog, capsys):
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    store = connect(project, QUICK.model_copy(update={"drain_seconds": 60, "experiment": "remote"}))
    hasty = connect(project, QUICK.model_copy(update={"drain_seconds": 0.5, "experiment": "remote"}))
    with start_run(store, "patient", job="train_dsr", params={"a": 1}) as run:
        folder = write_folder(tmp_path / "model", 0)
        version = register(run, EDGEFACE, folder, signature=edgeface_signature(), alias="pretrained", tags={})
        assert resolve(store, "models:/edgeface@pretrained") == version
        assert folder_hashes(download(store, version, tmp_path / "got")) == folder_hashes(folder)
        _log(run, range(200))
        assert run.flush()
        with start_run(hasty, "hasty", job="train_dsr", params={"a": 1}) as left:
            _log(left, range(100))
            assert left.flush(20)
            _log(run, range(200, 400))
            server.kill()
            started = time.monotonic()
            _log(run, range(400, 600))
            _log(left, range(100, 300))
            run.log_text("made while it was away", "notes/away.txt")
            assert time.monotonic() - started < 1
        # Its run has ended while the server was dead: the spool waits, and the command that was told uploads it.
        spool = store.spools / left.run_id
        assert f"-m lrface.tracking.upload {spool}" in caplog.text
        assert main([str(spool)]) == 1
        assert "call again when the server is up" in capsys.readouterr().err
        server.start()
        _log(run, range(600, 800))
    assert pending_spools(project) == [spool]
    assert main([str(spool)]) == 0
    assert pending_spools(project) == []
    for ended, count in ((run, 800), (left, 300)):
        assert _points(ended) == [(step, step / 7) for step in range(count)]
        assert store.client.get_run(ended.run_id).info.status == "FINISHED"
    assert Path(store.client.download_artifacts(run.run_id, "notes/away.txt")).read_text() == "made while it was away"


def _log(run, steps):
    for step in steps:
        run.log_metrics({"train/loss": step / 7}, step)


def _points(run):
    return [(point.step, point.value) for point in run.store.client.get_metric_history(run.run_id, "train/loss")]
