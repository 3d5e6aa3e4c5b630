"""A Ray cluster of this machine with two workers, which the tests start and end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

STARTS_WITHIN = 240.0


class Cluster:
    """The cluster's address, and its workers at work."""

    def __init__(self, address: str, head: psutil.Process) -> None:
        self.address = address
        self.head = head

    def workers(self) -> list[psutil.Process]:
        """The processes that do tasks, at work or not."""
        found = []
        for process in self.head.children(recursive=True):
            try:
                if " ".join(process.cmdline()).startswith(("ray::IDLE", "ray::attempt")):
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """`ray start --head` with two processors."""
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    port = _free_block(5)
    folder = Path("/tmp") / f"lrface-ray-{os.getpid()}"  # noqa: S108 - names of sockets must be short
    words = ["start", "--head", f"--port={port}", "--num-cpus=2", "--include-dashboard=false", "--block"]
    # Ports that are given are not waited for, which a busy machine is too slow for.
    names = ("dashboard-agent-grpc", "dashboard-agent-listen", "runtime-env-agent", "metrics-export")
    words += [f"--{name}-port={port + number}" for number, name in enumerate(names, 1)]
    log = tmp_path_factory.mktemp("ray") / "log"
    before = os.environ.get("RAY_AUTH_MODE")
    os.environ["RAY_AUTH_MODE"] = "disabled"  # else a token would be left in the home folder
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", *words, f"--temp-dir={folder}", "--disable-usage-stats"],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while "Ray runtime started" not in log.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"Ray did not start on this machine: {log.read_text()[-300:]}")
            time.sleep(0.2)
        yield Cluster(f"127.0.0.1:{port}", psutil.Process(process.pid))
    finally:
        os.environ.pop("RAY_AUTH_MODE")
        if before is not None:
            os.environ["RAY_AUTH_MODE"] = before
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _free_block(length: int) -> int:
    """The first of `length` ports side by side that nobody has; processes beside this one look elsewhere first.

    Test workers have process numbers side by side: blocks that begin there would overlap.
    """
    for number in range(1_000):
        first = 20_000 + (os.getpid() + number) % 1_000 * 10
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + length):
                    held.enter_context(socket.socket()).bind(("", port))
            except OSError:
                continue
            return first
    pytest.skip("no ports are free for Ray on this machine")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        family = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGTERM)
    except (psutil.NoSuchProcess, ProcessLookupError):
        family = []
    process.wait(60)
    _, left = psutil.wait_procs(family, timeout=20)
    for member in left:
        member.kill()
