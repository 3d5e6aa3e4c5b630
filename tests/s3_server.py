"""An S3 server for tests: OpenStack Swift with its S3 layer, all of it in one process, on disk, over HTTP.

    python tests/s3_server.py FOLDER

prints the port and serves until it is ended. Buckets are made through S3; names need three letters or more.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ACCESS_KEY, SECRET_KEY = "test:tester", "testing"
REGION = "us-east-1"
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
            [sys.executable, "-W", "ignore", __file__, str(root)],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
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


def serve(root: Path) -> None:
    """Serves accounts, containers and objects in one process, and S3 in front of them."""
    import eventlet

    eventlet.monkey_patch()
    import eventlet.wsgi
    from swift.common import utils

    (root / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_prefix = a\nswift_hash_path_suffix = b\n"
        "[storage-policy:0]\nname = single\ndefault = yes\n"
    )
    utils.set_swift_dir(str(root))
    from swift.common.wsgi import loadapp

    (root / "devices" / "disk").mkdir(parents=True)
    pool = eventlet.GreenPool(200)
    for name in ("account", "container", "object"):
        socket = eventlet.listen(("127.0.0.1", 0))
        _write_ring(root, name, socket.getsockname()[1])
        (root / f"{name}.conf").write_text(
            f"[DEFAULT]\nswift_dir = {root}\ndevices = {root}/devices\nmount_check = false\n"
            "disable_fallocate = true\nlog_level = ERROR\n"
            f"[pipeline:main]\npipeline = app\n[app:app]\nuse = egg:swift#{name}\n"
        )
        pool.spawn(eventlet.wsgi.server, socket, loadapp(str(root / f"{name}.conf")), log_output=False)
    (root / "proxy.conf").write_text(
        f"[DEFAULT]\nswift_dir = {root}\nlog_level = ERROR\n"
        "[pipeline:main]\npipeline = catch_errors gatekeeper cache bulk slo s3api tempauth copy proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n"
        "[filter:catch_errors]\nuse = egg:swift#catch_errors\n[filter:gatekeeper]\nuse = egg:swift#gatekeeper\n"
        "[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:9\nlog_level = CRITICAL\n"
        "[filter:bulk]\nuse = egg:swift#bulk\n[filter:slo]\nuse = egg:swift#slo\n[filter:copy]\nuse = egg:swift#copy\n"
        f"[filter:s3api]\nuse = egg:swift#s3api\nlocation = {REGION}\n"
        f"[filter:tempauth]\nuse = egg:swift#tempauth\nuser_{ACCESS_KEY.replace(':', '_')} = {SECRET_KEY} .admin\n"
    )
    proxy = loadapp(str(root / "proxy.conf"))
    socket = eventlet.listen(("127.0.0.1", 0))
    print(socket.getsockname()[1], flush=True)
    eventlet.wsgi.server(socket, proxy, log_output=False, custom_pool=pool)


def _write_ring(root: Path, name: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(1, 1, 0)
    address = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "device": "disk", "meta": "", **address})
    builder.rebalance()
    builder.get_ring().save(str(root / f"{name}.ring.gz"))


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
