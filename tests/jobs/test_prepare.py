"""`prepare`: a source to a pack; bad images; `mlflow run` by path from another folder."""

import json
import shutil

import pytest

from lrface.data.pack.pack import open_pack


@pytest.fixture
def damaged(photographs, tmp_path):
    """The photographs, one of them cut off."""
    root = tmp_path / "damaged"
    shutil.copytree(photographs, root)
    victim = sorted(root.glob("*/2.png"))[1]
    victim.write_bytes(victim.read_bytes()[:300])
    return root, victim.relative_to(root).as_posix()


def test_a_folder_becomes_a_pack_and_a_run(job, project, photographs, tmp_path):
    ended = job("prepare", "--data", "folder", "--source", str(photographs), "--out", str(tmp_path / "copy"))

    assert ended.code == 0, ended.err
    pack = open_pack(project.pack("our people"))
    assert len(pack) == 25
    assert pack.info.subjects == 5
    run = project.run("prepare folder")
    assert run.data.tags["pack_digest"] == pack.digest
    assert run.inputs.dataset_inputs[0].dataset.digest == pack.digest[:36]
    counted = sum(run.data.metrics[f"data/{split}_images"] for split in ("train", "val", "test"))
    assert counted == 25
    assert project.read_json(run, "pack.json")["digest"] == pack.digest
    assert open_pack(tmp_path / "copy").digest == pack.digest


def test_a_pack_is_made_once(job, project):
    before = {path: path.stat().st_mtime_ns for path in (project.root / "mlruns" / "packs").glob("procedural-*/*")}

    ended = job("prepare", "--preset", "smoke")

    after = {path: path.stat().st_mtime_ns for path in (project.root / "mlruns" / "packs").glob("procedural-*/*")}
    assert ended.code == 0
    assert after == before
    assert "prepare: 84/84" not in ended.out


def test_photographs_in_the_place_of_the_copy_are_refused_before_anything_is_read(job, photographs, tmp_path):
    (tmp_path / "mine.jpg").write_bytes(b"mine")
    line = job("prepare", "--data", "folder", "--source", str(photographs), "--out", str(tmp_path)).refused()
    assert "of another kind in this place" in line


def test_a_damaged_image_is_refused_by_name(job, project, damaged):
    root, name = damaged
    packs = set((project.root / "mlruns" / "packs").iterdir())

    ended = job("prepare", "--data", "folder", "--source", str(root))

    assert name in ended.refused()
    assert set((project.root / "mlruns" / "packs").iterdir()) == packs


def test_a_damaged_image_is_skipped_where_asked_and_counted(job, project, damaged):
    root, _ = damaged

    ended = job("prepare", "--data", "folder", "--source", str(root), "--overrides", "data.read.on_bad_image=skip")

    assert ended.code == 0, ended.err
    assert "1 files skipped as broken" in ended.out
    assert len(open_pack(project.pack("damaged"))) == 24


def test_by_path_from_elsewhere_everything_goes_into_the_project(mlflow_run, copy_project, photographs, tmp_path):
    """Also: values with spaces, quotes, brackets and dollar signs arrive whole."""
    project = copy_project(tmp_path / "a project")
    caller = tmp_path / "caller"
    caller.mkdir()
    terms = """with [consent], {of} everybody's "mother", for $5 only"""

    ended = mlflow_run(
        project.root,
        "-e",
        "prepare",
        "-P",
        "data=folder",
        "-P",
        f"source={photographs}",
        "-P",
        f"overrides=data.terms='{_quoted(terms)}' data.licence=CC-BY-4.0",
        "--run-name",
        "our own name",
        folder=caller,
    )

    assert ended.code == 0, ended.err
    assert list(caller.iterdir()) == []
    assert {path.name for path in project.root.iterdir()} == {"MLproject", "conda.yaml", "conf", "src", "mlruns"}
    info = json.loads((project.pack("our people") / "pack.json").read_text())
    assert info["terms"] == terms
    assert info["licence"] == "CC-BY-4.0"
    assert [(run.info.run_name, run.info.status) for run in project.runs()] == [("our own name", "FINISHED")]


def _quoted(text: str) -> str:
    return text.replace("'", "\\'")


def test_a_moved_project_writes_nothing_to_its_old_folder(job, cycle, project):
    """`project` is a copy of the cycle's folder with its runs."""
    before = sorted(cycle.project.root.rglob("*"))

    ended = job("prepare", "--preset", "smoke", "--seed", "1")

    assert ended.code == 0, ended.err
    run = project.run("prepare procedural")
    assert str(project.root) in run.info.artifact_uri
    assert project.artifacts(run, "images")
    assert sorted(cycle.project.root.rglob("*")) == before


def test_a_pack_goes_to_s3_and_is_trained_on_from_there(job, project, photographs, s3):
    uri = f"s3://{s3.bucket('photographs')}/packs/people"
    terms = "for [consenting] eyes, no resale"
    own = f'"data.terms=\\"{terms}\\""'
    made = job("prepare", "--data", "folder", "--source", str(photographs), "--out", uri, "--overrides", own)
    assert made.code == 0, made.err
    assert f"published as {uri}" in made.out

    small = ("--preset", "smoke", "--epochs", "1", "--edgeface", "models:/edgeface@pretrained")
    trained = job("train_dsr", *small, "--data", "pack", "--source", uri)

    assert trained.code == 0, trained.err
    (given,) = project.run("train_dsr baseline").inputs.dataset_inputs
    assert json.loads(given.dataset.source) == {"uri": uri}
    assert given.dataset.source_type == "s3"
    assert given.dataset.name == "people"
    digest = project.run("prepare folder").data.tags["pack_digest"]
    version = project.version("dsr", "baseline")
    assert version.tags["pack_digest"] == digest
    assert terms in version.tags["terms"].splitlines()
    assert list((project.root / "mlruns" / "cache" / "shards").glob("*.npy"))


def test_what_is_no_pack_is_not_read_from_s3(job):
    line = job("prepare", "--data", "folder", "--source", "s3://bucket/people").refused()

    assert "set data=pack where it is a pack" in line
