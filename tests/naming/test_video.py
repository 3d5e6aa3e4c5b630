import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from films import Blobs, drawn, scene, write_film
from lrface.data.settings import CrowdSettings
from lrface.naming.asked import Asked
from lrface.naming.film import Film
from lrface.naming.namer import Namer
from lrface.naming.settings import FilmSettings
from lrface.naming.video import COLUMNS, name_tracks, watch, write_annotated

PIXELS = 1_000_000


@pytest.fixture
def namer(pair, gallery):
    people = {f"person {number}": pair.embed(pair.restore([drawn(number)])) for number in range(2)}
    gallery.enrol(people, pair.weights)
    return Namer(pair, gallery, None)


def passing(t):
    """One goes to the right all the time; another comes in the sixth frame and stands still; a third leaves early."""
    faces = [(drawn(0), 4 + 4 * t, 10, 40)]
    faces += [(drawn(1), 100, 70, 24)] if t >= 6 else []
    return scene([*faces, *([(drawn(2), 20, 80, 20)] if t < 2 else [])])


@pytest.fixture
def film(tmp_path):
    return Film(write_film(tmp_path / "film.avi", (passing(t) for t in range(20))), PIXELS)


def test_everybody_is_followed_and_named_once(film, namer):
    told, crowd = [], Blobs()

    watched = watch(film, crowd, namer, FilmSettings(every=3, gap=3), lambda *at: told.append(at))
    named = name_tracks(namer, watched.tracks, Asked(0.9))

    assert [item.named.name for item in named] == ["person 0", "person 1"]
    assert [item.track.frames[0] for item in named] == [0, 6]
    assert [item.track.frames[-1] for item in named] == [19, 19]
    assert [len(item.track.frames) for item in named] == [20, 14]
    assert (watched.frames, watched.fleeting, watched.cut) == (20, 1, "")
    assert watched.notes == ["1 faces were left out that were seen in too few of their frames"]
    assert told[-1] == (20, 20)
    assert crowd.searched == 7
    row = named[1].row(film.rate)
    assert tuple(row) == COLUMNS
    assert (row["from"], row["from_seconds"], row["to_seconds"], row["frames"]) == (6, 0.6, 1.9, 14)
    assert row["side"] == pytest.approx(24, abs=1)


def test_what_is_seen_now_and_then_is_no_face(tmp_path, namer):
    """As a detector takes a cup for a face in some of the frames that are searched, and nowhere in between."""
    frames = [scene([(drawn(0), 30, 30, 40)] if t % 4 == 0 else []) for t in range(20)]
    film = Film(write_film(tmp_path / "film.avi", frames), PIXELS)
    watched = watch(film, Blobs(), namer, FilmSettings(every=1), lambda *_: None)
    assert (watched.tracks, watched.fleeting) == ((), 1)


def test_pictures_of_a_track_are_bounded(film, namer):
    watched = watch(film, Blobs(), namer, FilmSettings(pictures=2), lambda *_: None)
    assert {track.pictures for track in watched.tracks} <= {1, 2}
    assert all(np.linalg.norm(track.embedding) == pytest.approx(1, abs=1e-5) for track in watched.tracks)


def test_more_faces_than_are_taken_are_told(film, namer):
    crowd = Blobs(settings=CrowdSettings(most=1))
    watched = watch(film, crowd, namer, FilmSettings(every=1), lambda *_: None)
    assert len(watched.tracks) == 1
    assert watched.notes[0].startswith("up to 1 faces of a frame were left out")


def test_the_annotated_film_is_whole_and_shows_the_boxes(film, namer, tmp_path):
    named = name_tracks(namer, watch(film, Blobs(), namer, FilmSettings(), lambda *_: None).tracks, Asked(0.9))
    path = tmp_path / "out" / "named.avi"

    write_annotated(film, named, path, "MJPG", lambda *_: None)

    written = Film(path, PIXELS)
    assert (written.claimed, written.rate, written.width, written.height) == (20, 10.0, 160, 120)
    changed = [
        np.abs(one.astype(int) - other).max(axis=2) > 60
        for one, other in zip(film.frames(), written.frames(), strict=True)
    ]
    left = [np.flatnonzero(frame[30:48].any(axis=0)).min() for frame in changed]  # below the words
    assert left[12] > left[2] + 20
    assert [found.name for found in path.parent.iterdir()] == ["named.avi"]


def test_a_film_without_a_face(tmp_path, namer):
    film = Film(write_film(tmp_path / "film.avi", (scene([]) for _ in range(5))), PIXELS)
    watched = watch(film, Blobs(), namer, FilmSettings(), lambda *_: None)
    assert (watched.tracks, watched.frames) == ((), 5)
    assert name_tracks(namer, watched.tracks, Asked()) == []
