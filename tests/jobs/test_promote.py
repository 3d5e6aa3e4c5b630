"""`promote`: the decision, the aliases, and the way back."""

import hashlib
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lrface.data.pack.manifest import read_manifest
from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.jobs import promote
from onnx_files import write_recogniser

QUICK = ("--preset", "smoke")


def test_a_refusal_is_recorded_and_leaves_the_champion_alone(job, project):
    ended = job("promote", *QUICK)

    assert ended.code == 0, ended.err
    count, aliases = project.registry()["lrface"]
    assert "champion" not in aliases
    assert aliases["challenger"] == count
    pair = project.client.get_model_version("lrface", str(count))
    assert pair.tags["verdict"] in {"keep", "tune", "revert", "refused"}
    assert pair.tags["verdict_reason"] in ended.out
    assert "verdict.txt" in project.artifacts(project.run("promote"))


def test_files_cannot_be_promoted(job, project, tmp_path):
    exported = job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(tmp_path))
    assert exported.code == 0, exported.err
    before = project.registry()

    line = job("promote", *QUICK, "--edgeface", str(tmp_path / "edgeface")).refused()

    assert "two versions in the registry" in line
    assert project.registry() == before


def test_without_an_earlier_champion_there_is_no_way_back(job, project):
    before = project.registry()

    line = job("promote", "--rollback", "true").refused()

    assert "no earlier champion" in line
    assert project.registry() == before


def test_a_recogniser_of_others_is_promoted_with_a_super_resolver_in_front(job, project, tmp_path):
    stranger = str(write_recogniser(tmp_path / "stranger.onnx", width=24))
    count = project.registry()["edgeface"][0]
    words = ("promote", *QUICK, "--edgeface", stranger, "--dsr", "models:/dsr@cycle")

    ended = job(*words)

    assert ended.code == 0, ended.err
    assert f"{stranger}, which nobody retrained: rank-1 at " in ended.out
    number, aliases = project.registry()["lrface"]
    assert number in aliases.values()
    pair = project.client.get_model_version("lrface", str(number))
    assert pair.tags["edgeface"] == f"models:/edgeface/{count + 1}"
    half = project.client.get_model_version("edgeface", str(count + 1))
    assert half.tags["network"] == "onnx"
    assert half.tags["weights_sha256"] == hashlib.sha256(Path(stranger).read_bytes()).hexdigest()

    assert job(*words, "--seed", "1").code == 0
    assert project.registry()["edgeface"][0] == count + 1
    assert project.registry()["lrface"][0] == number + 1
    # from the registry it is what it was as a file
    again = job("evaluate", *QUICK, "--edgeface", f"models:/edgeface/{count + 1}", "--dsr", "none")
    assert again.code == 0, again.err
    refused = job("export", "--edgeface", f"models:/edgeface/{count + 1}", "--dsr", "none").refused()
    assert "gives no gradients and cannot be trained" in refused


def test_one_that_dies_after_the_alias_has_moved_is_done_when_it_is_started_again(job, project, monkeypatch, tmp_path):
    """It was held against itself, found no better, and registered a second time as a refusal."""
    sure = promote._told

    def convinced(verdict, before):
        return replace(sure(verdict, before), decision="promote", gates=())

    def died(*_):
        raise OSError("no space left")

    words = ("promote", *QUICK, "--seed", "5")
    with monkeypatch.context() as patch:
        patch.setattr(promote, "_told", convinced)
        patch.setattr(promote, "curves", died)
        with pytest.raises(OSError, match="no space"):
            job(*words)
    registry = project.registry()["lrface"]
    assert registry[1]["champion"] == registry[0]

    ended = job(*words)

    assert ended.code == 0, ended.err
    assert f"models:/lrface/{registry[0]} was made champion by this very decision" in ended.out
    assert project.registry()["lrface"] == registry
    # its report is there for whoever asks for it now
    assert job(*words, "--out", str(tmp_path)).code == 0
    assert {"report.html", "metrics.json"} <= {place.name for place in tmp_path.iterdir()}
    assert project.registry()["lrface"] == registry


def test_a_figure_that_cannot_be_copied_out_moves_no_alias(job, project, monkeypatch, tmp_path):
    sure = promote._told
    monkeypatch.setattr(
        promote, "_told", lambda verdict, before: replace(sure(verdict, before), decision="promote", gates=())
    )
    before = project.registry()["lrface"][1].get("champion")
    (tmp_path / "file").write_text("in the way")

    line = job("promote", *QUICK, "--seed", "6", "--out", str(tmp_path / "file")).refused()

    assert str(tmp_path / "file") in line
    assert project.registry()["lrface"][1].get("champion") == before


def test_people_who_were_trained_on_are_no_test_people(job, project, tmp_path):
    """Of a folder everybody is a test person, also where the training was on that very folder."""
    faces = render_faces(ProceduralSettings(subjects=12, images_per_subject=5, seed=5), workers=1)
    for subject, image, pixels in faces:
        place = tmp_path / "people" / f"p{subject:02d}" / f"{image}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(pixels)).save(place)
    source = ("--data", "folder", "--source", str(tmp_path / "people"))
    splits = "data.splits.val_subjects=4 data.splits.test_subjects=3"
    made = job("finetune", *QUICK, *source, "--dsr", "none", "--epochs", "1", "--overrides", splits)
    assert made.code == 0, made.err
    direct = ("--edgeface", "models:/edgeface@direct", "--dsr", "none")

    told = job("evaluate", *QUICK, *source, *direct)
    assert told.code == 0, told.err
    assert "warning: trained_on: 9 of 12 test people have faces that the networks were trained on" in told.out
    (pack,) = [path.parent for path in project.root.glob("mlruns/packs/people-*/pack.json") if _split(path.parent)]
    apart = job("evaluate", *QUICK, "--data", "pack", "--source", str(pack), *direct)
    assert apart.code == 0, apart.err
    assert "trained_on" not in apart.out
    # the three who are left are those whom the pack of the training keeps for tests
    figures = [run.data.metrics for run in project.runs("attributes.run_name = 'evaluate'")[-2:]]
    assert len(figures[0]) > 10
    assert figures[0] == figures[1]

    # a set of one's own is read as it is, and told
    own = job("verify", "--source", str(tmp_path / "people"), "--kind", "people", *direct, "--overrides", "sizes=[16]")
    assert own.code == 0, own.err
    assert "warning: trained_on: 45 of 60 faces of people are faces that the networks were trained on" in own.out
    assert "45 of 60 faces of people" in project.run("verify").data.tags["trained_on"]

    for place in sorted((tmp_path / "people").iterdir()):
        if place.name in _test_people(pack):
            shutil.rmtree(place)
    line = job("promote", *QUICK, *source, *direct).refused()
    assert "got 9 of 9 with faces that the networks were trained on" in line


def _split(pack):
    return (read_manifest(pack / "manifest.parquet")["superres"] == "train").any()


def _test_people(pack):
    manifest = read_manifest(pack / "manifest.parquet")
    return set(manifest.loc[manifest["superres"] == "test", "subject"])


def test_direct_from_a_file_is_held_against_that_file_where_nothing_else_is_registered(job, copy_project, tmp_path):
    fresh = copy_project(tmp_path / "fresh")
    words = (*QUICK, "--dsr", "none", "--edgeface")
    made = job("finetune", *words, "drawn", "--epochs", "1", folder=fresh.root)
    assert made.code == 0, made.err

    ended = job("promote", *words, "models:/edgeface@direct", folder=fresh.root)

    assert ended.code == 0, ended.err
    assert set(fresh.registry()) == {"edgeface", "lrface"}
