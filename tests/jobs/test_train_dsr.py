"""`train_dsr`: whose supervision decides the alias, and what a version records."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from PIL import Image

from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.models.dsr.folder import dsr_spec
from lrface.models.dsr.network import DSR
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


def test_what_it_starts_from_is_in_its_line_and_its_terms(job, project, tmp_path):
    restorer = DSR("edge")
    write_model(tmp_path / "start", restorer, dsr_spec(restorer, licence="CC-BY-NC-4.0"))

    ended = job(
        "train_dsr", *SMALL, "--edgeface", "models:/edgeface@pretrained", "--overrides", f"start='{tmp_path}/start'"
    )

    assert ended.code == 0, ended.err
    version = project.version("dsr", "baseline")
    assert version.tags["start"] == f"{tmp_path}/start"
    assert len(version.tags["start_sha256"]) == 64
    assert "CC-BY-NC-4.0" in version.tags["licence"]


def test_a_start_of_another_size_is_refused(job, project, tmp_path):
    before, restorer = project.registry()["dsr"], DSR("base")
    write_model(tmp_path / "start", restorer, dsr_spec(restorer))

    line = job("train_dsr", *SMALL, "--overrides", f"dsr=edge start='{tmp_path}/start'").refused()

    assert "say dsr=base" in line
    assert project.registry()["dsr"] == before


def test_people_of_one_face_cannot_choose_by_identity(job, photographs, tmp_path):
    """One face for everybody would be as near to each as can be, and would win."""
    faces = render_faces(ProceduralSettings(subjects=12, images_per_subject=1, seed=5), workers=1)
    for subject, image, pixels in faces:
        place = tmp_path / "people" / f"p{subject}" / f"{image}.png"
        place.parent.mkdir(parents=True)
        Image.fromarray(np.asarray(pixels)).save(place)
    words = ("train_dsr", "--data", "folder", "--source", str(tmp_path / "people"), "--epochs", "1")
    least = "loop.batch_size=4 loss.perceptual_network.weights=none"

    line = job(*words, "--overrides", f"{least} optim.select=identity").refused()
    assert "say optim.select=psnr" in line
    assert job(*words, "--overrides", f"{least} optim.select=psnr").code == 0
