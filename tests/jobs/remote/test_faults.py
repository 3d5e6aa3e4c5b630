"""What breaks while a job runs: the tracking server, the disk, another cycle beside it."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ...stack import plain_server


@pytest.fixture
def training(cycle, copy_project, tmp_path):
    """A project, and the words that train in it what the cycle has trained as `dsr@baseline`."""
    project = copy_project(tmp_path / "project")
    folder = cycle.project.client.get_model_version_by_alias("edgeface", "pretrained").source
    weights = cycle.project.client.get_logged_model(folder.removeprefix("models:/")).artifact_location
    words = [
        *(sys.executable, "-m", "lrface", "train_dsr", "--preset", "smoke", "--data", "pack"),
        *(
            "--source",
            str(cycle.project.pack("procedural")),
            "--edgeface",
            f"{weights.removeprefix('file://')}/data/model",
        ),
    ]
    return project, words


def _points(client, run):
    return {
        key: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }


def test_a_server_that_dies_comes_back_and_dies_for_good_loses_nothing(cycle, training, person, tmp_path):
    project, words = training
    server = plain_server(tmp_path / "server", f"sqlite:///{tmp_path}/server.db")
    environment = person(PYTHONPATH="src", MLFLOW_TRACKING_URI=server.uri)
    hasty = "tracking.drain_seconds=1 tracking.retries=0 tracking.flush_seconds=0.1"
    server.start()
    try:
        how = {"cwd": project.root, "env": environment, "text": True}
        with subprocess.Popen(
            [*words, "--overrides", hasty], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how
        ) as process:
            seen = []
            for line in process.stdout:
                seen.append(line)
                if line.startswith("train_dsr: edge"):
                    server.kill()
                elif line.startswith("dsr epoch 1/"):
                    server.start()
                elif line.startswith("dsr epoch 2/"):
                    server.kill()
        text = "".join(seen)
        assert process.returncode == 1, text
        assert "Traceback" not in text
        assert re.search(r"error: registration of dsr: got nothing for 1 s from http://127.0.0.1", text)
        (spool,) = (project.root / "mlruns" / "spool").glob("*/target.json")
        assert f"-m lrface.tracking.upload {spool.parent}" in text
        assert list((project.root / "mlruns" / "work").glob("*/**/last.ckpt"))

        server.start()
        upload = [sys.executable, "-m", "lrface.tracking.upload"]
        subprocess.run(upload, check=True, **how)
        client = MlflowClient(tracking_uri=server.uri, registry_uri=server.uri)
        (run,) = client.search_runs([client.get_experiment_by_name("lrface").experiment_id])
        expected = _points(cycle.project.client, cycle.project.run("train_dsr baseline"))
        points = _points(client, run)
        assert run.info.status == "FAILED"
        assert {key: expected[key] for key in points if not key.startswith("dsr_")} == {
            key: found for key, found in points.items() if not key.startswith("dsr_")
        }
        assert len(points["train/loss"]) == 2
        assert client.search_registered_models() == []

        again = subprocess.run([*words, "--overrides", hasty], capture_output=True, check=False, **how)
        assert again.returncode == 0, again.stderr
        assert "dsr epoch" not in again.stdout
        run = client.get_run(run.info.run_id)
        assert run.info.status == "FINISHED"
        assert _points(client, run)["train/loss"] == expected["train/loss"]
        version = client.get_model_version_by_alias("dsr", "baseline")
        assert version.tags["weights_sha256"] == cycle.project.version("dsr", "baseline").tags["weights_sha256"]
    finally:
        server.kill()


def _small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))


def test_a_disk_that_is_full_at_the_checkpoint_is_one_line_and_the_same_command_goes_on(
    cycle, training, person, tmp_path
):
    """No file may grow past 600 kB: the checkpoint does, and the store's database, on a server, is not concerned."""
    project, words = training
    server = plain_server(tmp_path / "server", f"sqlite:///{tmp_path}/server.db")
    server.start()
    try:
        how = {"cwd": project.root, "env": person(PYTHONPATH="src", MLFLOW_TRACKING_URI=server.uri), "text": True}
        full = subprocess.run(words, capture_output=True, check=False, preexec_fn=_small_files, **how)

        (line,) = [text for text in full.stderr.splitlines() if text.startswith("error: ")]
        assert full.returncode == 1
        assert "Traceback" not in full.stderr
        assert "last.ckpt" in line
        assert "File too large" in line
        assert not list((project.root / "mlruns" / "work").glob("**/*.partial"))

        again = subprocess.run(words, capture_output=True, check=False, **how)
        assert again.returncode == 0, again.stderr
        client = MlflowClient(tracking_uri=server.uri, registry_uri=server.uri)
        version = client.get_model_version_by_alias("dsr", "baseline")
        assert version.tags["weights_sha256"] == cycle.project.version("dsr", "baseline").tags["weights_sha256"]
    finally:
        server.kill()


def test_two_cycles_at_once_do_not_mix(copy_project, person, tmp_path):
    project = copy_project(tmp_path / "project")
    line = [sys.executable, "-m", "lrface", "main", "--preset", "smoke", "--epochs", "1"]
    both = [
        subprocess.Popen(
            [*line, "--seed", str(seed)],
            cwd=project.root,
            env=person(PYTHONPATH="src"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in (1, 2)
    ]
    ended = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], ended

    cycles = project.runs("attributes.run_name = 'cycle'")
    assert len(cycles) == 2
    assert cycles[1].info.start_time < cycles[0].info.end_time
    of = {child.info.run_id: parent.info.run_id for parent in cycles for child in project.children(parent)}
    client = project.client
    versions = [
        item for name in ("edgeface", "dsr", "lrface") for item in client.search_model_versions(f"name = '{name}'")
    ]
    assert len(versions) == 10
    made_by = {f"models:/{item.name}/{item.version}": of[item.run_id] for item in versions}
    for item in versions:
        named = set(re.findall(r"models:/\w+/\d+", json.dumps(dict(item.tags))))
        assert {made_by[uri] for uri in named} <= {of[item.run_id]}, item.name
    parents = [item for item in versions if item.name == "lrface"]
    assert {of[item.run_id] for item in parents} == {run.info.run_id for run in cycles}
    assert all({"edgeface", "dsr"} <= set(item.tags) for item in parents)
    assert not Path(project.root / "mlflow.db").exists()
