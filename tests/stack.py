"""The remote stack for tests: PostgreSQL, S3 and MLflow's server, started by the words of `docker/compose.yaml`."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .s3_server import S3Server
from .servers import Postgres

ROOT = Path(__file__).resolve().parents[1]
# Of these no trace may be found anywhere.
SECRETS = {
    "LRFACE_DATABASE_PASSWORD": "dbsecret-8c1f6f0d",
    "LRFACE_TRACKING_PASSWORD": "loginsecret-51aa90c2",
    "LRFACE_SESSION_KEY": "sessionsecret-77d3e1b4",
}
_START_SECONDS = 120


@dataclass
class MlflowServer:
    """An MLflow server that can be killed and started again.

    Attributes:
        words: Its command.
        port: Where it listens on 127.0.0.1.
        folder: Its working folder; holds its log.
        environment: What is added to the environment of this process.
    """

    words: list[str]
    port: int
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it has written."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start it and wait until it answers."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "AWS_", "PG"))}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.words],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**own, "OMP_NUM_THREADS": "1", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **self.environment},
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):  # noqa: S310
                    return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(self.log.read_text()) from None
                time.sleep(0.1)

    def kill(self) -> None:
        """End it and its workers by SIGKILL."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def plain_server(folder: Path, database: str) -> MlflowServer:
    """A server without a login that keeps artifacts in its folder."""
    port = free_port()
    words = [
        *("mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"),
        *(f"--backend-store-uri={database}", f"--artifacts-destination={folder / 'artifacts'}"),
    ]
    return MlflowServer(words, port, folder)


@contextmanager
def remote_stack(folder: Path, database: Postgres, store: S3Server, bucket: str) -> Iterator[MlflowServer]:
    """The service `mlflow` of the compose file, with the addresses of servers that run here."""
    database.sql("CREATE ROLE lrface SUPERUSER LOGIN")
    database.make("lrface")
    store.bucket(bucket)
    port = free_port()
    service = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())["services"]["mlflow"]
    here = {
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={port}",
        "--workers=2": "--workers=1",
        "--artifacts-destination=s3://lrface": f"--artifacts-destination=s3://{bucket}",
    }
    words = [here.get(word, word).replace(":5000", f":{port}") for word in service["command"]]
    assert set(here) <= set(service["command"])
    values = {**SECRETS, "LRFACE_STORE_SECRET": store.environment["AWS_SECRET_ACCESS_KEY"]}
    environment = {
        **{name: _filled(value, values) for name, value in service["environment"].items()},
        **store.environment,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(database.port),
        "MLFLOW_AUTH_CONFIG_PATH": str(ROOT / "docker" / "auth.ini"),
    }
    server = MlflowServer([*service["entrypoint"], *words], port, folder, environment)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+):\?\}", lambda found: values[found[1]], text)
