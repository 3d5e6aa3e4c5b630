"""Kills at random moments: of the tracking server during training, of the trainer during registration.

    python benchmarks/faults.py                      # 20 of each; takes about half an hour on two cores
    python benchmarks/faults.py --server 3 --trainer 0 --seed 7

Every process is forked from one that has imported everything, so that a start costs no more than what it does.

A server of its own (SQLite and files) serves a copy of the project that has run the cycle of `preset=smoke`. Then

- super-resolvers are trained while the server is killed by SIGKILL and started again, until there were enough kills.
  Every metric of each of them is held, point by point, against that of the same training in peace;
- `train_dsr` and `promote` are killed by SIGKILL somewhere between their last line before registration and their end.
  After each kill every version has to be whole (each file against its recorded sha256), every alias has to point at
  one, and every pair's halves have to belong together. Then the same command has to end well and leave one version.
"""

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from lrface.cli.program import main as command
from lrface.tracking.names import PAIR
from lrface.tracking.registry.pair import check_pair
from lrface.tracking.registry.versions import download, versions_of
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import Store, connect

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("MLproject", "conda.yaml", "conf", "src")
MODELS = ("edgeface", "dsr", PAIR)
EPOCHS = 12
FORKS = multiprocessing.get_context("forkserver")
LOADED = [
    *("lrface.cli.program", "lrface.jobs.main", "lrface.jobs.train_dsr", "lrface.jobs.promote"),
    *("mlflow.pyfunc", "mlflow.server.fastapi_app", "uvicorn"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"),
]
Points = dict[str, list[tuple[int, float]]]


class Server:
    """The application of `mlflow server` on one address, again and again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.folder = folder
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: Any = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.process = FORKS.Process(target=serve, args=(self.port, self.folder))
        self.process.start()
        for _ in range(3000):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):  # noqa: S310
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def serve(port: int, folder: Path) -> None:
    """What `mlflow server --backend-store-uri sqlite:///... --artifacts-destination ...` serves."""
    import uvicorn
    from mlflow.server import constants
    from mlflow.server.fastapi_app import app

    with (folder / "log").open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = f"sqlite:///{folder}/mlflow.db"
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = "mlflow-artifacts:/"
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = str(folder / "files")
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


class Job:
    """A job in a process of its own; `seen` is set when a line with `mark` was printed."""

    def __init__(self, project: Path, uri: str, *words: str, mark: str) -> None:
        self.seen = threading.Event()
        self.lines: list[str] = []
        self.marked = time.monotonic()
        self._mark = mark
        out, into = FORKS.Pipe(duplex=False)
        self.process = FORKS.Process(target=work, args=(project, uri, words, into))
        self.process.start()
        into.close()
        self._reader = threading.Thread(target=self._read, args=(out,))
        self._reader.start()

    def _read(self, out: Any) -> None:  # noqa: ANN401
        with os.fdopen(os.dup(out.fileno()), errors="replace") as lines:
            out.close()
            for line in lines:
                self.lines.append(line)
                if self._mark in line:
                    self.marked = time.monotonic()
                    self.seen.set()
        self.seen.set()

    def runs(self) -> bool:
        return bool(self.process.is_alive())

    def end(self) -> int:
        self.process.join()
        self._reader.join()
        code = self.process.exitcode
        assert code is not None
        return int(code)

    @property
    def text(self) -> str:
        return "".join(self.lines)


def work(project: Path, uri: str, words: tuple[str, ...], into: Any) -> None:  # noqa: ANN401
    """What `lrface NAME ...` does in the project's folder."""
    for stream in (1, 2):
        os.dup2(into.fileno(), stream)
    into.close()
    os.chdir(project)
    os.environ["MLFLOW_TRACKING_URI"] = uri
    command(words)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", type=int, default=20, help="kills of the server")
    parser.add_argument("--trainer", type=int, default=20, help="kills of the trainer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    FORKS.set_forkserver_preload(LOADED)
    dice = random.Random(given.seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch:
        project, server = copy_project(Path(scratch) / "project"), Server(Path(scratch) / "server")
        server.start()
        try:
            cycle = Job(project, server.uri, "main", "--preset", "smoke", mark="finished")
            assert cycle.end() == 0, cycle.text
            os.environ["MLFLOW_TRACKING_URI"] = server.uri
            store = connect(project, TrackingSettings())
            wrong = server_kills(project, server, store, given.server, dice) if given.server else []
            wrong += trainer_kills(project, server, store, given.trainer, dice)
        finally:
            server.kill()
    print("nothing lost, nothing half" if not wrong else "\n".join(["WRONG", *wrong]))
    return 1 if wrong else 0


def copy_project(target: Path) -> Path:
    target.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / part)
    (target / "mlruns").mkdir()
    return target


def pack_of(project: Path) -> str:
    (found,) = (project / "mlruns" / "packs").glob("*/pack.json")
    return str(found.parent)


def training(project: Path, seed: int, epochs: int) -> list[str]:
    words = ["train_dsr", "--preset", "smoke", "--data", "pack", "--source", pack_of(project), "--seed", str(seed)]
    return [*words, "--edgeface", "models:/edgeface/1", "--epochs", str(epochs)]


def latest(store: Store, job: str) -> str:
    found = store.client.search_runs(
        [store.experiment_id], f"tags.`lrface.job` = '{job}'", order_by=["attributes.start_time DESC"], max_results=1
    )
    return str(found[0].info.run_id)


def points(store: Store, run_id: str) -> Points:
    keys = store.client.get_run(run_id).data.metrics
    return {
        key: [(point.step, point.value) for point in store.client.get_metric_history(run_id, key)]
        for key in sorted(keys)
    }


def server_kills(project: Path, server: Server, store: Store, wanted: int, dice: random.Random) -> list[str]:
    peaceful = Job(project, server.uri, *training(project, 0, EPOCHS), mark="dsr epoch 1/")
    assert peaceful.end() == 0, peaceful.text
    expected = points(store, latest(store, "train_dsr"))
    total = sum(map(len, expected.values()))
    kills, trainings, again, wrong = 0, 0, 0, []
    away = []
    while kills < wanted:
        trainings += 1
        words = training(project, 0, EPOCHS)
        job = Job(project, server.uri, *words, mark="dsr epoch 1/")
        job.seen.wait()
        while kills < wanted and job.runs():
            time.sleep(dice.uniform(0.1, 3))
            if not job.runs():
                break
            server.kill()
            kills += 1
            gone = time.monotonic()
            time.sleep(dice.uniform(0, 4))
            server.start()
            away.append(time.monotonic() - gone)
        code = job.end()
        if code != 0:
            again += 1
            job = Job(project, server.uri, *words, mark="dsr epoch 1/")
            if job.end() != 0:
                wrong.append(f"training {trainings}: {job.text}")
        run_id = latest(store, "train_dsr")
        found = points(store, run_id)
        wrong += [f"training {trainings}: {key} differs" for key in expected if found.get(key) != expected[key]]
        count = sum(version.run_id == run_id for version in versions_of(store, "dsr"))
        if count != 1 or list((project / "mlruns" / "spool").glob("*/target.json")):
            wrong.append(f"training {trainings}: {count} versions, or a spool is left")
        print(
            f"training {trainings}: {kills} kills of the server so far, exit code {code}; {len(wrong)} faults so far",
            flush=True,
        )
    print(
        f"server: {kills} kills in {trainings} trainings, away {min(away):.1f} to {max(away):.1f} s; "
        f"{trainings * total} points expected, {len(wrong)} faults; {again} trainings needed the same command again"
    )
    return wrong


def trainer_kills(project: Path, server: Server, store: Store, wanted: int, dice: random.Random) -> list[str]:
    checked: set[str] = set()
    wrong, states = [], Counter[str]()
    lengths: dict[str, float] = {}
    kills, number = 0, 0
    while kills < wanted:
        number += 1
        name = "train_dsr" if number % 2 else "promote"
        words, mark = commands(project, name, number)
        job = Job(project, server.uri, *words, mark=mark)
        job.seen.wait()
        if name not in lengths:
            assert job.end() == 0, job.text
            lengths[name] = time.monotonic() - job.marked
            print(f"{name}: {lengths[name]:.1f} s from the last line before registration to the end", flush=True)
            continue
        time.sleep(dice.uniform(0, lengths[name]))
        job.process.kill()
        if job.end() != -signal.SIGKILL:
            continue
        kills += 1
        run_id = latest(store, name)
        state = left(store, run_id, "dsr" if name == "train_dsr" else PAIR)
        states[f"{name}: {state}"] += 1
        wrong += [f"kill {kills} of {name} ({state}): {fault}" for fault in faults(store, project, checked)]
        again = Job(project, server.uri, *words, mark=mark)
        if again.end() != 0:
            wrong.append(f"kill {kills} of {name} ({state}): the same command ended so: {again.text}")
        wrong += [f"after kill {kills} of {name}: {fault}" for fault in faults(store, project, checked)]
        count = sum(version.run_id == run_id for version in versions_of(store, "dsr" if name == "train_dsr" else PAIR))
        if count != 1:
            wrong.append(f"after kill {kills} of {name} ({state}): {count} versions of one run")
        print(f"kill {kills} of {name}: left {state}; {len(wrong)} faults so far", flush=True)
    print(f"trainer: {kills} kills, {len(wrong)} faults; what they left: {dict(sorted(states.items()))}")
    return wrong


def commands(project: Path, name: str, number: int) -> tuple[list[str], str]:
    if name == "train_dsr":
        return training(project, 100 + number, 1), "dsr epoch 1/1"
    words = ["promote", "--preset", "smoke", "--data", "pack", "--source", pack_of(project), "--seed", str(number)]
    return [*words, "--edgeface", "models:/edgeface/2", "--dsr", "models:/dsr/2"], "evaluate: 5/5"


def left(store: Store, run_id: str, name: str) -> str:
    """What a killed registration has left: nothing, a model that was begun, or a version."""
    versions = [version for version in versions_of(store, name) if version.run_id == run_id]
    if versions:
        return "a version with an alias" if versions[0].aliases else "a version without an alias"
    models = store.client.search_logged_models([store.experiment_id], filter_string=f"source_run_id = '{run_id}'")
    return f"a model begun ({models[0].status})" if models else "nothing"


def faults(store: Store, project: Path, checked: set[str]) -> list[str]:
    """Versions that are not whole, aliases that point at nothing, pairs whose halves do not belong together."""
    found = []
    for name in MODELS:
        versions = versions_of(store, name)
        for version in versions:
            try:
                if version.uri not in checked:
                    download(store, version, project / "checked" / version.uri.partition(":/")[2])
                    checked.add(version.uri)
                if name == PAIR:
                    check_pair(store, version)
            except Exception as error:  # noqa: BLE001
                found.append(f"{version.uri}: {error}")
        numbers = {version.version for version in versions}
        aliases = store.client.get_registered_model(name).aliases
        found += [f"{name}@{alias} points at {to}" for alias, to in aliases.items() if int(to) not in numbers]
    return found


if __name__ == "__main__":
    sys.exit(main())
