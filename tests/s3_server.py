"""An S3 server for tests: the one of `docker/store.py`. Names of buckets need three letters or more."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

# No word of any language, so that a search for it finds the key alone.
ACCESS_KEY, SECRET_KEY = "keeper:of-tests", "s3-Qz7Xw2Vk9Jt4"
REGION = "us-east-1"
STORE = Path(__file__).resolve().parents[1] / "docker" / "store.py"
_START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A server that runs.

    Attributes:
        url: Its endpoint.
    """

    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to know of it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "MLFLOW_S3_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self):
        """A client of boto3 for it."""
        return _client(self.url)

    def bucket(self, name: str) -> str:
        """Makes a bucket."""
        self.client().create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> dict[str, int]:
        """Sizes of what lies in a bucket, by key."""
        found = self.client().list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: item["Size"] for item in found}


@cache
def _client(url: str):
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for the whole session. Name buckets after the test, so that tests do not meet."""
    pytest.importorskip("swift", reason="swift, the S3 server that the tests run, is for Linux alone")
    root = tmp_path_factory.mktemp("s3")
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(STORE), str(root / "data")],
            stdout=subprocess.PIPE,
            stderr=log,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            },
        )
    try:
        assert process.stdout is not None
        deadline = time.monotonic() + _START_SECONDS
        line = process.stdout.readline()
        if not line or time.monotonic() > deadline:
            raise RuntimeError((root / "log").read_text())
        yield S3Server(f"http://127.0.0.1:{int(line)}")
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """The server, with the environment of this process set to it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server
