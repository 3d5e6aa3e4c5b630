"""`gallery`: people in, named, and out again; nothing of it in the tracker."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.jobs.gallery import _tell_look_alikes
from lrface.jobs.shared.tables import plain
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.naming.gallery.place import gallery_at
from onnx_files import write_recogniser

PAIR = ("--pair", "models:/lrface@challenger")


@pytest.fixture
def people(tmp_path):
    """Three drawn people with two large pictures each to enrol, and a small one to name."""
    for person in range(3):
        for image in range(3):
            face = Image.fromarray(np.asarray(render(draw_identity(9, person), draw_nuisance(9, person, image, 0.1))))
            folder = tmp_path / ("enrol" if image < 2 else "probe") / f"person {person}"
            folder.mkdir(parents=True, exist_ok=True)
            (face if image < 2 else face.resize((16, 16))).save(folder / f"{image}.png")
    return tmp_path


def test_enrol_identify_list_export_remove_import(job, project, people):
    gallery = ("--gallery", str(people / "gallery.parquet"))
    before = len(project.runs())
    ended = job("gallery", "--action", "enrol", "--source", str(people / "enrol"), *PAIR, *gallery)
    assert ended.code == 0, ended.err
    assert "person 2: 2 pictures" in ended.out
    assert "licence of models:/lrface/" in ended.out

    ended = job("gallery", "--action", "enrol", "--source", str(people / "enrol"), *PAIR, *gallery)
    assert "person 2: 2 pictures (2 of those given were there already, and count once)" in ended.out

    asked = ("--source", str(people / "probe"), "--threshold", "-1", "--out", str(people / "out"))
    assert job("gallery", "--action", "identify", *asked, *PAIR, *gallery).code == 0
    found = pd.read_csv(people / "out" / "identified.csv", float_precision="round_trip")
    assert list(found.columns) == ["picture", "name", "score", "margin", "side", "threshold", "rate", "came_as"]
    assert set(found["name"]) <= {"person 0", "person 1", "person 2"}
    assert found["score"].between(-1, 1).all()

    assert job("gallery", "--action", "export", "--source", str(people / "copy.parquet"), *gallery).code == 0
    assert job("gallery", "--action", "list", "--out", str(people / "out"), *gallery).code == 0
    listed = pd.read_csv(people / "out" / "people.csv", dtype=str)
    assert list(listed["name"]) == ["person 0", "person 1", "person 2"]
    ended = job("gallery", "--action", "remove", "--person", listed["key"][1], *gallery)
    assert ended.code == 0
    assert b"person 1" not in (people / "gallery.parquet").read_bytes()
    again = ("--action", "import", "--source", str(people / "copy.parquet"))
    assert "2 who are there already" in job("gallery", *again, *gallery).refused()
    for person in ("person 0", "person 2"):
        assert job("gallery", "--action", "remove", "--person", person, *gallery).code == 0
    ended = job("gallery", *again, *gallery)
    assert "3 people imported" in ended.out
    assert len(project.runs()) == before


def test_the_pictures_of_a_folder_are_one_probe(job, people):
    gallery = ("--gallery", str(people / "gallery.parquet"))
    assert job("gallery", "--action", "enrol", "--source", str(people / "enrol"), *PAIR, *gallery).code == 0
    asked = ("gallery", "--action", "identify", "--probes", "folders", "--threshold", "-1", *PAIR, *gallery)
    ended = job(*asked, "--source", str(people / "enrol"), "--out", str(people / "out"))
    assert ended.code == 0, ended.err
    found = pd.read_csv(people / "out" / "identified.csv", float_precision="round_trip")
    assert list(found["folder"]) == ["person 0", "person 1", "person 2"]
    assert list(found["name"]) == list(found["folder"])
    assert list(found["pictures"]) == [2, 2, 2]
    refused = job(*asked, "--source", str(people / "probe" / "person 0")).refused()
    assert "2.png, which lies in no folder" in refused


def test_another_recogniser_is_refused_and_may_be_accepted(job, people):
    for seed in (1, 2):
        network = EdgeFace("xxs", seed=seed)
        write_model(people / f"edgeface {seed}", network, edgeface_spec(network))
    gallery = ("--dsr", "none", "--gallery", str(people / "gallery.parquet"))
    maker, other = (("--edgeface", str(people / f"edgeface {seed}")) for seed in (1, 2))
    assert job("gallery", "--action", "enrol", "--source", str(people / "enrol"), *maker, *gallery).code == 0
    asked = ("gallery", "--action", "identify", "--source", str(people / "probe"), *gallery)
    assert "got probes of recogniser" in job(*asked, *other).refused()
    assert job("gallery", "--action", "accept", *other, *gallery).code == 0
    assert job(*asked, *other).code == 0


def test_a_recogniser_of_others_enrols_and_names(job, people):
    stranger, other = (str(write_recogniser(people / f"{seed}.onnx", seed=seed, width=24)) for seed in (1, 2))
    gallery = ("--dsr", "none", "--gallery", str(people / "gallery.parquet"))
    ended = job("gallery", "--action", "enrol", "--source", str(people / "enrol"), "--edgeface", stranger, *gallery)
    assert ended.code == 0, ended.err
    asked = ("gallery", "--action", "identify", "--source", str(people / "probe"), *gallery, "--edgeface")
    assert job(*asked, stranger).code == 0
    assert "got probes of recogniser" in job(*asked, other).refused()
    # the same file that is shown other values is another recogniser
    assert "got probes of recogniser" in job(*asked, stranger, "--overrides", "onnx_input.mean=0").refused()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--action", "enrol"), "got nothing; expected a value for action=enrol"),
        (("--action", "remove"), "expected a value for action=remove"),
        (("--action", "burn"), "action"),
        (("--action", "list", "--edgeface", "models:/edgeface@finetuned"), "edgeface and dsr are named both"),
        (("--gallery", "people.csv"), "expected path of a .parquet file"),
        (("--action", "identify", "--source", "src", "--pair", "nowhere"), "no image in it"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(job, words, message):
    assert message in job("gallery", *words).refused()


def test_pictures_without_a_persons_folder_are_refused(job, people):
    folder = people / "enrol" / "person 0"
    assert "SOURCE/PERSON/PICTURE" in job("gallery", "--action", "enrol", "--source", str(folder), *PAIR).refused()


def test_the_person_is_the_top_folder_and_what_is_left_out_is_told(job, people):
    gallery = ("--gallery", str(people / "gallery.parquet"))
    for person in (0, 1):
        folder = people / "enrol" / f"person {person}"
        (folder / "2023").mkdir()
        (folder / "1.png").rename(folder / "2023" / "1.png")
        (folder / "._1.png").write_bytes(b"\0\5\x16\7")
        (folder / "IMG_1.HEIC").write_bytes(b"x")
    (people / "enrol" / "person 2" / "again").symlink_to("..")
    ended = job("gallery", "--action", "enrol", "--source", str(people / "enrol"), *PAIR, *gallery)
    assert ended.code == 0, ended.err
    assert all(f"person {person}: 2 pictures" in ended.out for person in range(3))
    told = ended.out + ended.err
    assert "2 .heic (person 0 1, person 1 1); .heic: export as JPEG or PNG to have them read" in told
    assert (
        "1 links lead to folders that were read already, or that lie above, and were not followed: person 2/again"
        in told
    )


def test_a_name_in_another_spelling_is_refused_by_a_gallery_as_by_prepare(job, people):
    gallery = ("--gallery", str(people / "gallery.parquet"))
    enrol = ("gallery", "--action", "enrol", "--source", str(people / "enrol"), *PAIR, *gallery)
    assert job(*enrol).code == 0
    (people / "enrol" / "person 0").rename(people / "enrol" / "Person 0")
    assert "got 'Person 0' beside 'person 0', who is there already" in job(*enrol).refused()


def test_two_people_under_one_name_are_told(job, people, tmp_path):
    network = write_recogniser(tmp_path / "them.onnx", width=24)
    enrol = ("gallery", "--action", "enrol", "--edgeface", str(network), "--dsr", "none", "--threshold", "0.9999")
    ended = job(*enrol, "--source", str(people), "--gallery", str(people / "gallery.parquet"))
    assert ended.code == 0, ended.err
    assert "warning: several_people: the pictures of enrol fall into " in ended.out + ended.err


def test_one_person_under_two_names_is_told(tmp_path):
    told = []
    context = SimpleNamespace(terminal=SimpleNamespace(finding=lambda *words: told.append(words)))
    gallery = gallery_at(str(tmp_path / "gallery.parquet"))
    ann, other = np.eye(16)[:1], np.eye(16)[1:2]
    _tell_look_alikes(gallery, {"ann": ann, "bob": other}, "a" * 64, context)
    gallery.enrol({"ann": ann, "bob": other}, "a" * 64)
    _tell_look_alikes(gallery, {"ann": ann}, "a" * 64, context)
    _tell_look_alikes(gallery, {"anna": ann}, "b" * 64, context)
    assert told == []

    _tell_look_alikes(gallery, {"anna": ann, "hanna": ann}, "a" * 64, context)

    (words,) = told
    assert words[:2] == ("warning", "look_alikes")
    assert words[2].startswith(
        "3 pairs of people look like one person under two names: anna and hanna (1.00), anna and"
    )


def test_under_mlflow_run_a_name_is_refused_since_it_would_stay_in_the_records(mlflow_run, project, people):
    ended = mlflow_run(
        ".", "-e", "gallery", "-P", "action=remove", "-P", "person=Ann", folder=project.root, LRFACE_GALLERY="x.parquet"
    )
    assert ended.code != 0
    assert "expected the key that action=list shows" in ended.err


@pytest.mark.parametrize("name", ["=1+1", "+Ann", "-Ann", "@Ann"])
def test_a_name_is_no_formula_in_a_table(name):
    assert plain(name) == f"'{name}"
    assert (plain("Ann=Bob"), plain(-0.5)) == ("Ann=Bob", -0.5)
