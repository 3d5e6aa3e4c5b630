"""`train_dsr`: whose supervision decides the alias, and what a version records."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.training.dsr import DsrTraining
from onnx_files import write_recogniser

SMALL = ("--preset", "smoke", "--epochs", "1")


def test_a_pretrained_supervisor_makes_a_baseline(job, project):
    ended = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@pretrained")

    assert ended.code == 0, ended.err
    version = project.version("dsr", "baseline")
    assert version.tags["supervisor"] == "models:/edgeface/1"
    assert project.registry()["dsr"] == (3, {"baseline": 3, "cycle": 2})
    assert project.run("train_dsr baseline").data.params["loop.epochs"] == "1"


def test_a_finetuned_supervisor_makes_a_cycle(job, project):
    ended = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@finetuned", "--overrides", "loss.l1=2 dsr=edge")

    assert ended.code == 0, ended.err
    version = project.version("dsr", "cycle")
    tuned = project.version("edgeface", "finetuned")
    assert version.tags["supervisor"] == f"models:/edgeface/{tuned.version}"
    assert version.tags["supervisor_sha256"] == tuned.tags["weights_sha256"]
    assert version.tags["supervisor_super_resolver"] == tuned.tags["super_resolver"]
    assert project.run("train_dsr cycle").data.params["loss.l1"] == "2.0"


def test_no_epochs_move_no_alias(job, project):
    before = project.registry()["dsr"]

    ended = job("train_dsr", *SMALL[:2], "--epochs", "0", "--edgeface", "models:/edgeface@pretrained")

    assert ended.code == 0, ended.err
    assert project.registry()["dsr"] == (before[0] + 1, before[1])
    assert "warning: untrained: " in ended.out


def test_epochs_alone_leave_the_documented_defaults(job, project):
    """A parameter must not bring its group back to other values than the job's own."""
    line = job("train_dsr", "--epochs", "-3").refused()

    assert "loop.epochs" in line
    assert "required" not in line


def test_several_supervisors_and_a_judge_that_chooses_the_epoch(job, project, tmp_path):
    second = EdgeFace("xxs", seed=9)
    write_model(tmp_path / "second", second, edgeface_spec(second))
    judge = str(write_recogniser(tmp_path / "stranger.onnx"))

    ended = job(
        "train_dsr",
        *(*SMALL, "--edgeface", "models:/edgeface@pretrained", "--judge", judge, "--overrides"),
        f"supervisors='{tmp_path / 'second'}' optim.select=judge",
    )

    assert ended.code == 0, ended.err
    version, run = project.version("dsr", "baseline"), project.run("train_dsr baseline")
    assert version.tags["supervisor"] == "models:/edgeface/1"
    assert version.tags["supervisors"] == f"models:/edgeface/1, {tmp_path / 'second'}"
    assert len(version.tags["supervisors_sha256"].split(", ")) == 2
    assert version.tags["judge"] == judge
    assert "val/judge_similarity" in run.data.metrics
    assert "val/similarity" in run.data.metrics


def test_a_stranger_is_no_supervisor_and_a_supervisor_no_judge(job, project, tmp_path):
    stranger = str(write_recogniser(tmp_path / "stranger.onnx"))
    before = project.registry()["dsr"]

    assert "name it as judge of the training" in job("train_dsr", *SMALL, "--edgeface", stranger).refused()
    given = ("--overrides", f"supervisors='{stranger}'")
    assert "name it as judge of the training" in job("train_dsr", *SMALL, *given).refused()
    same = ("--judge", "models:/edgeface@pretrained")
    assert "takes part in nothing else" in job("train_dsr", *SMALL, *same).refused()
    twice = ("--overrides", "supervisors=models:/edgeface@pretrained")
    assert "which is there already" in job("train_dsr", *SMALL, *twice).refused()
    assert "needs a judge" in job("train_dsr", *SMALL, "--overrides", "optim.select=judge").refused()
    assert project.registry()["dsr"] == before


def test_what_is_no_better_than_bicubic_is_told(job, project, monkeypatch):
    monkeypatch.setattr(DsrTraining, "score", lambda self, metrics: [0.0])
    ended = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@pretrained", "--seed", "6")

    assert ended.code == 0, ended.err
    assert "warning: below_bicubic: none of 1 epochs was better on the validation faces than bicubic" in ended.out
    assert "start_kept" not in ended.out
