"""Ray and submitit as they are: a cluster of two workers on this machine, one of which is killed."""

import signal
import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from lrface.data.files import spread
from lrface.data.pack.pack import Pack
from lrface.data.prepare import prepare
from lrface.data.settings import CheckSettings, ReadSettings, SplitSettings
from lrface.data.sources.folder import FolderSource
from lrface.engines.on_ray import RayEngine
from lrface.engines.settings import ClusterSettings
from lrface.engines.spread import engine_of, in_order
from lrface.errors import ClusterError, ConfigError
from lrface.images.reading.reader import BadImageError


def packed(source: Path, out: Path, progress=None, **cluster) -> tuple[Pack, list[tuple[int, int]]]:
    told = []

    def tick(done, total):
        told.append((done, total))
        if progress is not None:
            progress(done)

    settings = ReadSettings(cluster=ClusterSettings(**cluster))
    pack, _ = prepare(FolderSource(source, settings), out, SplitSettings(), CheckSettings(), progress=tick)
    return pack, told


@pytest.fixture
def small_chunks(monkeypatch):
    """As with millions of files: more pieces than workers."""
    monkeypatch.setattr(spread, "_CHUNK", {"ray": 2, "submitit": 7})


def test_a_pack_is_the_same_whatever_reads_it(ray_cluster, small_chunks, write_folder, tmp_path):
    folder = write_folder()
    plain, _ = packed(folder, tmp_path / "plain")
    for workers in (1, 2):
        pack, told = packed(folder, tmp_path / str(workers), engine="ray", address=ray_cluster.address, workers=workers)
        assert pack.digest == plain.digest
        assert (pack.faces[:] == plain.faces[:]).all()
        assert told == [(number, 20) for number in range(1, 21)]


def test_a_worker_killed_in_the_middle_loses_nothing(ray_cluster, small_chunks, write_folder, tmp_path):
    folder, killed = write_folder(), []
    plain, _ = packed(folder, tmp_path / "plain")

    def kill(done):
        if done == 4:
            for worker in ray_cluster.workers():
                worker.kill()
                killed.append(worker.pid)

    pack, _ = packed(folder, tmp_path / "pack", progress=kill, engine="ray", address=ray_cluster.address)
    assert killed
    assert pack.digest == plain.digest


def test_a_bad_picture_ends_it_as_it_does_here(ray_cluster, small_chunks, write_folder, tmp_path):
    folder = write_folder()
    (folder / "p2" / "3.png").write_bytes(b"")
    with pytest.raises(BadImageError) as here:
        packed(folder, tmp_path / "plain")
    with pytest.raises(BadImageError) as there:
        packed(folder, tmp_path / "pack", engine="ray", address=ray_cluster.address)
    assert str(there.value) == str(here.value)
    assert not (tmp_path / "pack").exists()


def test_a_termination_is_answered_as_before(ray_cluster):
    """Ray puts an exit of its own there, and leaves it when it goes: a run would end as one that failed."""
    settings = ClusterSettings(engine="ray", address=ray_cluster.address)

    def ours(number, frame):
        raise KeyboardInterrupt

    with engine_of(settings):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL  # else its workers would stay
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGTERM, ours)
    try:
        with engine_of(settings):
            assert signal.getsignal(signal.SIGTERM) is ours
        assert signal.getsignal(signal.SIGTERM) is ours
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_a_cluster_that_does_not_answer_is_one_line():
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # taken, and nobody listens
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ClusterError) as caught:
            RayEngine(ClusterSettings(engine="ray", address=address, wait=0.5))
        assert time.monotonic() - began < 60
    assert f"Ray cluster {address}: got no answer of it" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port"])
def test_an_address_that_is_none_is_refused(address):
    pytest.importorskip("ray", reason="the extra `cluster` is not installed")
    with pytest.raises(ConfigError, match="expected HOST:PORT, auto or local"):
        RayEngine(ClusterSettings(engine="ray", address=address))


def test_submitits_jobs_give_the_same_and_one_may_be_killed(small_chunks, write_folder, tmp_path):
    pytest.importorskip("submitit", reason="the extra `cluster` is not installed")
    folder, killed = write_folder(), threading.Event()
    plain, _ = packed(folder, tmp_path / "plain")

    def kill_one():
        while not killed.is_set():
            for process in psutil.Process().children(recursive=True):
                try:
                    # the task itself; its parent watches it
                    if "submitit" in " ".join(process.cmdline()) and "submitit" in " ".join(process.parent().cmdline()):
                        process.kill()
                        killed.set()
                        return
                except (psutil.Error, AttributeError):
                    continue
            time.sleep(0.01)

    killing = threading.Thread(target=kill_one)
    killing.start()
    try:
        jobs = str(tmp_path / "jobs")
        pack, told = packed(folder, tmp_path / "pack", engine="submitit", workers=2, folder=jobs)
    finally:
        was_killed = killed.is_set()
        killed.set()
        killing.join()
    assert was_killed
    assert pack.digest == plain.digest
    assert told[-1] == (20, 20)


def test_slurm_that_is_not_there_is_one_line(tmp_path):
    pytest.importorskip("submitit", reason="the extra `cluster` is not installed")
    settings = ClusterSettings(engine="submitit", address="slurm", folder=str(tmp_path))
    with pytest.raises((ClusterError, ConfigError)) as caught, engine_of(settings) as engine:
        list(in_order(engine, abs, [1], 0))
    assert "\n" not in str(caught.value)


def test_submitit_knows_two_places(tmp_path):
    pytest.importorskip("submitit", reason="the extra `cluster` is not installed")
    with (
        pytest.raises(ConfigError, match="expected local or slurm"),
        engine_of(ClusterSettings(engine="submitit", address="head:6379")),
    ):
        pass
