"""`finetune`: what it starts from, what it is fed with, and the second cycle that is refused."""

import itertools
import json
import math

import pytest

from lrface.config import FinetuneSettings
from lrface.jobs.finetune import GENTLE_CLIP, GENTLE_HEAD_LR, _without_sr, gentler
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.training.edgeface import EdgeFaceTraining
from lrface.training.settings import MixSettings

SMALL = ("--preset", "smoke", "--epochs", "1")


def test_without_a_super_resolver_it_is_direct_and_of_no_cycle(job, project):
    tuned = project.version("edgeface", "finetuned").version
    ended = job("finetune", *SMALL, "--dsr", "none")

    assert ended.code == 0, ended.err
    version = project.version("edgeface", "direct")
    assert version.tags["super_resolver"] == "bicubic"
    assert version.tags["start"] == "models:/edgeface/1"
    assert version.tags["cycle"] == "0"
    assert project.version("edgeface", "finetuned").version == tuned
    assert project.run("direct pretrained").data.metrics.keys() >= {"val_best/rank1", "stage1/loss_arcface"}


def test_no_epochs_move_no_alias(job, project):
    before = project.registry()["edgeface"]

    ended = job("finetune", *SMALL[:2], "--epochs", "0", "--dsr", "none")

    assert ended.code == 0, ended.err
    assert project.registry()["edgeface"] == (before[0] + 1, before[1])
    assert "warning: untrained: " in ended.out


def test_without_a_super_resolver_bicubic_has_its_share_and_hr_no_more_than_its_own():
    mix = _without_sr(MixSettings(sr=0.6, bicubic=0.2, hr=0.2))

    assert (mix.sr, mix.hr) == (0.0, 0.2)
    assert mix.bicubic == pytest.approx(0.8)


def test_direct_has_as_many_faces_of_its_own_and_those_of_its_start_in_its_tags(job, project):
    assert job("finetune", *SMALL, "--dsr", "none", "--seed", "3").code == 0
    first = project.version("edgeface", "direct")
    assert job("finetune", *SMALL, "--dsr", "none", "--edgeface", "models:/edgeface@direct").code == 0
    again = project.version("edgeface", "direct")

    # what the weights of the package saw before they came into the registry is not counted
    assert "faces_seen_in_all" not in project.version("edgeface", "pretrained").tags
    own = int(first.tags["faces_seen"])
    assert own > 0
    assert int(first.tags["faces_seen_in_all"]) == own
    assert int(again.tags["faces_seen_in_all"]) == 2 * own


def test_what_a_super_resolver_has_shown_faces_to_is_not_called_direct(job, project):
    before = project.registry()

    line = job("finetune", *SMALL, "--overrides", "alias=direct").refused()

    assert "dsr=none" in line
    assert project.registry() == before


def test_a_second_cycle_is_refused_until_asked_for(job, project):
    tuned = job("finetune", *SMALL, "--edgeface", "models:/edgeface/2", "--dsr", "models:/dsr@cycle", "--seed", "2")
    assert tuned.code == 0, tuned.err
    version = project.version("edgeface", "finetuned")
    assert version.tags["cycle"] == "2"
    before = project.registry()

    line = job("train_dsr", *SMALL, "--edgeface", "models:/edgeface@finetuned").refused()

    assert "allow_second_cycle=true" in line
    assert project.registry() == before


def test_a_collapse_is_named_and_registers_nothing(job, project):
    """The prototype's way: follow similarity alone, at a rate that is far too high."""
    before = project.registry()
    alone = "optim.margin_weight=0 optim.anchor=1 optim.backbone_lr=0.5 optim.weight_decay=1 optim.clip=100"

    line = job("finetune", "--preset", "smoke", "--epochs", "6", "--overrides", f"{alone} loop.patience=0").refused()

    assert "expected embeddings that tell people apart" in line
    assert project.registry() == before
    ill = project.runs("tags.`lrface.job` = 'finetune'")[-1]
    assert ill.info.status == "FAILED"
    assert "stop_collapse" in " ".join(ill.data.tags)


def _breaks(monkeypatch, is_ill):
    """Makes the loss of every batch of stage 2 no number where the recipe is still as `is_ill` says."""
    plain = EdgeFaceTraining.losses

    def losses(self, ready):
        values = plain(self, ready)
        return {**values, "loss": values["loss"] * math.nan} if is_ill(self.recipe.optim) else values

    monkeypatch.setattr(EdgeFaceTraining, "losses", losses)


def test_an_epoch_that_is_not_finite_stops_and_keeps_its_batches(job, project, monkeypatch):
    _breaks(monkeypatch, lambda optim: True)
    before = project.registry()

    line = job("finetune", *SMALL, "--seed", "5").refused()

    assert "optim.head_lr=5e-5" in line
    assert project.registry() == before
    ill = project.runs("tags.`lrface.job` = 'finetune'")[-1]
    first = project.read_json(ill, "skipped.json")[0]
    assert first["loss"] == "nan"
    assert first["rows"]


def test_gentler_settings_are_tried_where_asked_for(job, project, monkeypatch):
    _breaks(monkeypatch, lambda optim: optim.clip > GENTLE_CLIP)
    overrides = "on_nan=retry optim.head_lr=1e-4 optim.backbone_lr=1e-5 optim.clip=1"

    ended = job("finetune", *SMALL, "--seed", "6", "--overrides", overrides)

    assert ended.code == 0, ended.err
    assert "trying again, 1 of 3" in ended.out
    assert "trying again, 2 of 3" in ended.out
    tags = project.runs("tags.`lrface.job` = 'finetune'")[-1].data.tags
    first, second = json.loads(tags["retry_1"]), json.loads(tags["retry_2"])
    assert (first["head_lr"], first["backbone_lr"], first["clip"]) == (5e-5, 5e-6, 1.0)
    assert (second["head_lr"], second["clip"]) == (5e-5, 0.5)


def test_after_rate_and_clip_the_margin_gets_softer():
    settings = FinetuneSettings()
    for _ in range(3):
        settings = gentler(settings)
    assert (settings.margin.scale, settings.margin.margin) == (16.0, 0.2)
    assert settings.optim.head_lr < GENTLE_HEAD_LR or settings.optim.clip == GENTLE_CLIP


def test_before_and_after_are_shown_side_by_side(job, project):
    """With two validation images of a person: one to enrol and one to search with."""
    ended = job("finetune", *SMALL, "--overrides", "data.faces.images_per_subject=12 data.faces.subjects=9")

    assert ended.code == 0, ended.err
    shown = project.artifacts(project.runs("tags.`lrface.job` = 'finetune'")[-1], "before_and_after")
    assert {"embeddings.png", "report.html", "scores_before_and_after.png"} <= shown


def test_part_of_the_way_back_to_the_start_is_another_version(job, project, monkeypatch):
    better = itertools.count()  # each epoch is the best so far, so that the tuned network is what is kept
    monkeypatch.setattr(EdgeFaceTraining, "score", lambda self, metrics: [float(next(better))])
    whole = job("finetune", *SMALL, "--seed", "7", "--overrides", "optim.backbone_lr=1e-3")
    first = project.version("edgeface", "finetuned")
    half = job("finetune", *SMALL, "--seed", "7", "--overrides", "optim.backbone_lr=1e-3 tuned_share=0.5")
    second = project.version("edgeface", "finetuned")

    assert (whole.code, half.code) == (0, 0), whole.err + half.err
    assert first.version != second.version
    assert first.tags["weights_sha256"] != second.tags["weights_sha256"]
    assert "0.5 of the way from models:/edgeface/1 is registered: val similarity" in half.out
    figures = project.runs("tags.`lrface.job` = 'finetune'")
    told = [run.data.metrics for run in figures if "val_registered/similarity" in run.data.metrics]
    assert len(told) == 1
    assert told[0]["val_registered/similarity"] != told[0]["val_best/similarity"]


def test_both_networks_at_once_are_two_versions_that_belong_together(job, project, tmp_path):
    words = ("--dsr", "models:/dsr@baseline", "--overrides", "joint.lr=1e-3 optim.contrast=1", "--out", str(tmp_path))
    ended = job("finetune", *SMALL, *words)

    assert ended.code == 0, ended.err
    assert {place.name for place in tmp_path.iterdir()} == {"edgeface", "dsr"}
    assert all((tmp_path / half / "model.safetensors").is_file() for half in ("edgeface", "dsr"))
    tuned, restorer = project.version("edgeface", "finetuned"), project.version("dsr", "cycle")
    assert restorer.tags["supervisor"] == f"models:/edgeface/{tuned.version}"
    assert restorer.tags["supervisor_sha256"] == tuned.tags["weights_sha256"]
    assert restorer.tags["start"] == "models:/dsr/1"
    assert restorer.tags["cycle"] == tuned.tags["cycle"] == "1"
    assert int(restorer.tags["faces_seen"]) == int(tuned.tags["faces_seen"]) > 0
    assert {f"models:/dsr/{restorer.version}", f"models:/edgeface/{tuned.version}"} <= set(
        ended.out.splitlines()[-1].replace(",", "").split()
    )


def test_without_a_super_resolver_nothing_is_trained_with_it_and_that_is_told(job, project):
    before = project.registry()["dsr"]

    ended = job("finetune", *SMALL, "--dsr", "none", "--overrides", "joint.lr=1e-3")

    assert ended.code == 0, ended.err
    assert "joint.lr counts for nothing" in ended.out
    assert project.registry()["dsr"] == before


def test_a_recogniser_of_a_pair_goes_a_part_of_the_way_back_to_the_one_that_is_named(job, project, monkeypatch):
    better = itertools.count()
    monkeypatch.setattr(EdgeFaceTraining, "score", lambda self, metrics: [float(next(better))])
    ended = job(
        "finetune",
        *SMALL,
        "--edgeface",
        "models:/edgeface@finetuned",
        "--overrides",
        "joint.lr=1e-3 optim.backbone_lr=1e-3 tuned_share=0.25 back_to=models:/edgeface@pretrained",
    )

    assert ended.code == 0, ended.err
    tuned, restorer = project.version("edgeface", "finetuned"), project.version("dsr", "cycle")
    assert (tuned.tags["tuned_share"], tuned.tags["back_to"]) == ("0.25", "models:/edgeface/1")
    assert restorer.tags["supervisor_sha256"] == tuned.tags["weights_sha256"]
    assert "0.25 of the way from models:/edgeface/1 is registered" in ended.out


def test_only_a_recogniser_of_the_same_size_is_gone_back_to(job, tmp_path):
    other = EdgeFace("xs", seed=1)
    write_model(tmp_path / "other", other, edgeface_spec(other))
    line = job("finetune", *SMALL, "--overrides", f"tuned_share=0.5 back_to={tmp_path / 'other'}").refused()

    assert "EdgeFace xs" in line
    assert "back_to" in line


def test_a_way_back_to_what_is_no_ancestor_is_told(job, project, tmp_path):
    other = EdgeFace("xxs", seed=3)
    write_model(tmp_path / "other", other, edgeface_spec(other))
    ended = job("finetune", *SMALL, "--overrides", f"tuned_share=0.5 back_to={tmp_path / 'other'}")

    assert ended.code == 0, ended.err
    assert "warning: way_back_lost: 0.5 of the way from " in ended.out


def test_a_way_back_that_is_not_gone_is_refused(job):
    assert "lower it" in job("finetune", *SMALL, "--overrides", "back_to=models:/edgeface@pretrained").refused()


def test_a_teacher_is_told_by_version_and_hash(job, project):
    ended = job("finetune", *SMALL, "--dsr", "none", "--overrides", "teacher=models:/edgeface@finetuned")

    assert ended.code == 0, ended.err
    version = project.version("edgeface", "direct")
    assert version.tags["teacher_sha256"] == project.version("edgeface", "finetuned").tags["weights_sha256"]
    assert version.tags["teacher"].startswith("models:/edgeface/")
    assert "teaches nothing" not in ended.out
    idle = "teacher=models:/edgeface@finetuned optim.anchor=0 optim.contrast=0"
    told = job("finetune", *SMALL, "--dsr", "none", "--overrides", idle)
    assert "neither anchor nor contrast has a weight, so teacher=models:/edgeface/" in told.out


def test_that_nothing_was_better_than_the_start_is_told(job, project):
    ended = job("finetune", "--preset", "smoke", "--epochs", "1", "--overrides", "optim.backbone_lr=0")

    assert ended.code == 0, ended.err
    assert "warning: start_kept: none of 1 epochs was better on the validation faces than the start" in ended.out


def test_people_of_the_validation_split_choose_the_epoch_and_are_in_no_training(job, project):
    ended = job("finetune", "--preset", "smoke", "--epochs", "1", "--overrides", "val_people=unseen")

    assert ended.code == 0, ended.err
    assert "identities_disjoint" not in ended.out
    assert project.run("finetune pretrained").data.params["val_people"] == "unseen"
    assert "has learnt the validation people" not in ended.out
    known = job("finetune", *SMALL, "--dsr", "none")
    assert known.code == 0, known.err
    first = project.version("edgeface", "direct").version
    words = ("--edgeface", "models:/edgeface@direct", "--dsr", "none", "--overrides", "val_people=unseen")
    told = job("finetune", *SMALL, *words)
    assert f"warning: val_people: direct: models:/edgeface/{first} has learnt the validation people" in told.out
