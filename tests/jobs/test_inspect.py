"""`inspect`: the checkpoint doctor from the command line."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lrface.models.edgeface.network import EdgeFace


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "edgeface xxs.pt"
    torch.save(EdgeFace("xxs").state_dict(), file)
    return file


def test_a_file_that_loads_leaves_with_0(job, weights):
    ended = job("inspect", str(weights))

    assert ended.code == 0
    assert ended.err == ""
    assert "loads: yes" in ended.out
    assert "EdgeFace xxs" in ended.out


def test_one_that_does_not_load_leaves_with_1_and_one_line(job, tmp_path):
    save_file({"layer.weight": torch.zeros(3, 3)}, tmp_path / "other.safetensors")

    ended = job("inspect", str(tmp_path / "other.safetensors"))

    assert "loads: no" in ended.out
    assert "other.safetensors" in ended.refused()


def test_json_is_the_whole_report(job, weights):
    ended = job("inspect", "--log", "json", str(weights))

    report = json.loads(ended.out)
    assert report["event"] == "report"
    assert report["loadable"] is True
    assert report["variant"] == "xxs"
    assert report["parameters"] == 1_244_744


def test_json_of_what_does_not_load_is_json_too(job, tmp_path):
    ended = job("inspect", "--log=json", str(tmp_path / "nothing.pt"))

    report, error = [json.loads(line) for line in ended.out.splitlines()]
    assert report["kind"] == "missing"
    assert (error["event"], error["got"]) == ("error", "no file at this path")
    assert (ended.code, ended.err) == (1, "")


def test_another_size_is_held_against_the_file(job, weights):
    ended = job("inspect", str(weights), "--variant", "base")

    assert ended.code == 1
    assert "EdgeFace base" in ended.out


def test_what_main_registered_loads(job, project):
    source = project.version("edgeface", "finetuned").source.removeprefix("models:/")
    (folder,) = (project.root / "mlruns" / "artifacts" / "models" / source).glob("**/model.safetensors")

    assert job("inspect", str(folder.parent)).code == 0


@pytest.mark.parametrize("words", [(), ("--colour", "red", "x.pt"), ("--variant", "huge", "x.pt")])
def test_a_bad_command_line_is_one_line(job, words):
    job("inspect", *words).refused()


def test_no_tracker_is_opened(weights, person, tmp_path, request):
    source = request.config.rootpath / "src"

    done = subprocess.run(
        [sys.executable, "-m", "lrface", "inspect", str(weights)],
        cwd=tmp_path,
        env=person(PYTHONPATH=str(source)),
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def manager(request):
    """An environment manager of MLflow; `uv` only where its cache spares the download of several gigabytes."""
    if request.param == "uv":
        cache = subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
        if not any(Path(cache).glob(f"archive-v*/*/torch-{version('torch')}.dist-info")):
            pytest.skip("uv has no torch in its cache: the environment was made with pip")
    return request.param


@pytest.mark.parametrize("manager", ["local", "uv"], indirect=True)
def test_through_mlflow_run_a_missing_path_is_our_line(manager, mlflow_run, copy_project, tmp_path):
    """With `uv` MLflow makes an environment of its own from conda.yaml, without the package: src/ has to do."""
    project = copy_project(tmp_path / "project")

    ended = mlflow_run(
        project.root,
        "-e",
        "inspect",
        "-P",
        "path=/no such/file's.pt",
        folder=project.root,
        manager=manager,
        MLFLOW_ENV_ROOT=str(tmp_path / "environments"),
    )

    assert ended.code == 1
    assert "error: weights /no such/file's.pt: got no file at this path" in ended.err
    assert "Traceback" not in ended.err
    assert any((tmp_path / "environments").glob("*/bin/python")) == (manager == "uv")
    shutil.rmtree(tmp_path / "environments", ignore_errors=True)
