"""`pretrain`: a recogniser from weights, from the registry, or trained on drawn faces."""

import json

import pytest
import torch

from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import read_spec
from lrface.models.weights.shipped import shipped_folder


@pytest.fixture
def released(tmp_path):
    """Weights in the layout of the released checkpoints."""
    file = tmp_path / "edgeface_xxs.pt"
    torch.save(EdgeFace("xxs", seed=4).state_dict(), file)
    return file


def test_weights_become_a_version(job, project, released, tmp_path):
    ended = job(
        "pretrain",
        "--edgeface",
        str(released),
        "--out",
        str(tmp_path / "copy"),
        "--overrides",
        "edgeface.licence=CC-BY-NC-SA-4.0",
    )

    assert ended.code == 0, ended.err
    version = project.version("edgeface", "pretrained")
    assert version.tags["licence"] == "CC-BY-NC-SA-4.0"
    assert version.tags["cycle"] == "0"
    assert project.run("pretrain from edgeface_xxs").data.tags["lrface.job"] == "pretrain"
    spec = json.loads((tmp_path / "copy" / "edgeface" / "config.json").read_text())
    assert spec["variant"] == "xxs"
    assert spec["sha256"] == version.tags["weights_sha256"]


def test_trained_from_nothing_the_same_seed_gives_the_same_figures(job, project):
    line = ("pretrain", "--preset", "smoke", "--epochs", "1", "--seed", "5")

    figures = []
    for _ in range(2):
        assert job(*line).code == 0
        metrics = project.run("pretrain xxs").data.metrics
        figures.append({name: value for name, value in metrics.items() if name.startswith(("train/", "val/"))})

    assert figures[0] == figures[1]
    assert {"train/loss", "train/loss_arcface", "train/accuracy", "val/rank1"} <= set(figures[0])
    assert {"val/similarity", "val/impostor", "val/effective_rank", "val/dprime"} <= set(figures[0])


def test_the_weights_of_the_package_become_a_version_by_their_name(job, project):
    ended = job("pretrain", "--edgeface", "drawn")

    assert ended.code == 0, ended.err
    version = project.version("edgeface", "pretrained")
    assert version.tags["licence"] == "CC0-1.0"
    assert version.tags["source_sha256"] == read_spec(shipped_folder()).sha256
    assert project.run("pretrain from drawn").data.tags["lrface.job"] == "pretrain"


def test_weights_of_another_network_are_refused_and_nothing_is_registered(job, project, tmp_path):
    file = tmp_path / "other.pt"
    torch.save({"conv1.weight": torch.zeros(8, 3, 3, 3), "fc.bias": torch.zeros(10)}, file)
    before, runs = project.registry(), len(project.runs())

    line = job("pretrain", "--edgeface", str(file)).refused()

    assert "other.pt" in line
    assert project.registry() == before
    assert len(project.runs()) == runs


def test_no_epochs_move_no_alias(job, project):
    before = project.registry()["edgeface"]

    ended = job("pretrain", "--preset", "smoke", "--epochs", "0")

    assert ended.code == 0, ended.err
    assert project.registry()["edgeface"] == (before[0] + 1, before[1])
    assert "warning: untrained: " in ended.out
