"""`gallery action=identify` of photographs and films: everybody in them, in a table and with boxes."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from films import Blobs, drawn, scene, write_film
from lrface.jobs.shared import sighting
from lrface.naming import photograph, video
from lrface.naming.film import Film

PAIR = ("--pair", "models:/lrface@challenger")


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    """A folder of two people, and the path of a gallery that is to hold them."""
    root = tmp_path_factory.mktemp("sighting")
    for person in range(2):
        (root / "people" / f"person {person}").mkdir(parents=True)
        Image.fromarray(drawn(person)).save(root / "people" / f"person {person}" / "0.png")
    return root


@pytest.fixture
def identify(job, enrolled, monkeypatch):
    """Names who is in a source, with a detector that needs no weights."""
    gallery = ("--gallery", str(enrolled / "gallery.parquet"))
    if not (enrolled / "gallery.parquet").exists():
        assert job("gallery", "--action", "enrol", "--source", str(enrolled / "people"), *PAIR, *gallery).code == 0
    monkeypatch.setattr(sighting, "Crowd", Blobs)

    def run(source, *words):
        return job("gallery", "--action", "identify", "--source", str(source), *PAIR, *gallery, *words)

    return run


def save(path, *faces):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scene(faces)).save(path)


def test_every_face_of_a_folder_of_photographs(identify, tmp_path):
    save(tmp_path / "photos" / "a.png", (drawn(0), 10, 10, 48), (drawn(1), 90, 20, 40))
    save(tmp_path / "photos" / "day two" / "b.jpg.png", (drawn(1), 40, 40, 16))
    save(tmp_path / "photos" / "nobody.png")

    ended = identify(tmp_path / "photos", "--detect", "true", "--threshold", "-1", "--out", str(tmp_path / "out"))

    assert ended.code == 0, ended.err
    assert "3 faces of 3 photographs: 3 named, 0 unknown" in ended.out
    table = pd.read_csv(tmp_path / "out" / "identified.csv", float_precision="round_trip")
    assert list(table.columns) == ["picture", "face", *photograph.COLUMNS]
    assert list(table["picture"]) == ["a.png", "a.png", "day two/b.jpg.png"]
    assert list(table["face"]) == [1, 2, 1]
    assert list(table["side"]) == pytest.approx([48, 40, 16], abs=1)
    assert set(table["threshold"]) == {-1}
    shown = tmp_path / "out" / "annotated"
    assert {path.relative_to(shown).as_posix() for path in shown.rglob("*.png")} == {
        "a.png.png",
        "day two/b.jpg.png.png",
    }
    before, after = (np.asarray(Image.open(path)) for path in (tmp_path / "photos" / "a.png", shown / "a.png.png"))
    assert before.shape == after.shape
    assert (before != after).any()


def test_a_photograph_without_a_face_leaves_with_1(identify, tmp_path):
    save(tmp_path / "nobody.png")
    refused = identify(tmp_path / "nobody.png", "--detect", "true").refused()
    assert "a photograph without a face that YuNet finds" in refused


def test_fifty_faces_are_bounded_and_that_is_told(identify, tmp_path):
    places = [(drawn(n % 2), 4 + 15 * (n % 10), 4 + 20 * (n // 10), 8) for n in range(50)]
    save(tmp_path / "many.png", *places)

    ended = identify(tmp_path / "many.png", "--detect", "true", "--overrides", "crowd.most=20")

    assert "50 faces, of which the 20 largest were taken" in ended.out
    assert "20 faces of 1 photographs" in ended.out


def test_without_a_detector_it_is_one_line(job, tmp_path):
    save(tmp_path / "a.png", (drawn(0), 10, 10, 48))
    words = ("--action", "identify", "--source", str(tmp_path / "a.png"), "--detect", "true")
    assert "face detector: got no weights" in job("gallery", *words, *PAIR).refused()


def test_folders_as_probes_are_of_single_faces(identify, tmp_path):
    save(tmp_path / "a.png", (drawn(0), 10, 10, 48))
    assert "probes: got folders" in identify(tmp_path / "a.png", "--detect", "true", "--probes", "folders").refused()


def test_a_film(identify, tmp_path):
    frames = [scene([(drawn(0), 4 + 4 * t, 10, 40), (drawn(1), 100, 70, 24)]) for t in range(12)]
    path = write_film(tmp_path / "a street.avi", frames)

    ended = identify(
        path, "--threshold", "-1", "--out", str(tmp_path / "out"), "--overrides", "film.codec=MJPG film.every=3"
    )

    assert ended.code == 0, ended.err
    assert "2 faces in 12 frames: 2 named, 0 unknown" in ended.out
    table = pd.read_csv(tmp_path / "out" / "tracks.csv", float_precision="round_trip")
    assert list(table.columns) == list(video.COLUMNS)
    assert list(table["frames"]) == [12, 12]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"tracks.csv", "a street.annotated.avi"}
    assert Film(tmp_path / "out" / "a street.annotated.avi", 10**6).claimed == 12


def test_a_film_that_was_cut_short_is_named_as_far_as_it_goes(identify, tmp_path):
    path = write_film(tmp_path / "cut.avi", [scene([(drawn(0), 30, 30, 40)]) for _ in range(40)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    ended = identify(path)

    assert ended.code == 0, ended.err
    assert "it was cut short, or is damaged" in ended.out
    assert "1 faces in" in ended.out


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mp4", b"", "got an empty file"),
        ("words.mp4", b"no film", "cannot open: no film, cut short"),
    ],
)
def test_what_is_no_film_leaves_with_1(identify, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert words in identify(tmp_path / name).refused()


def test_what_cannot_be_asked_is_refused_before_anything_is_looked_through(identify, tmp_path, monkeypatch):
    path = write_film(tmp_path / "film.avi", [scene([(drawn(0), 30, 30, 40)]) for _ in range(4)])
    monkeypatch.setattr(sighting.video, "watch", None)

    assert "fpir" in identify(path, "--fpir", "0.0001").refused()
    monkeypatch.setitem(sighting.CODECS, "mp4v", ".nothing")
    assert "cannot write" in identify(path, "--out", str(tmp_path / "out")).refused()


def test_a_film_of_nobody_leaves_with_1(identify, tmp_path):
    path = write_film(tmp_path / "nobody.avi", [scene([]) for _ in range(4)])
    assert "4 frames without a face that YuNet finds" in identify(path).refused()
