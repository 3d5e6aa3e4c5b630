import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from films import Blobs, drawn, scene
from lrface.naming.asked import Asked
from lrface.naming.namer import Namer
from lrface.naming.photograph import COLUMNS, labelled, name_faces, whole, words_of

PLACES = [(drawn(0), 10, 10, 48), (drawn(1), 90, 20, 20), (drawn(2), 20, 80, 12)]


@pytest.fixture
def namer(pair, gallery):
    people = {f"person {number}": pair.embed(pair.restore([drawn(number)])) for number in range(2)}
    gallery.enrol(people, pair.weights)
    return Namer(pair, gallery, None)


def test_every_face_has_its_box_its_size_and_a_name(namer):
    found = Blobs().find(scene(PLACES)).faces

    faces = name_faces(namer, found, Asked(0.98))

    assert [round(face.side) for face in faces] == pytest.approx([48, 20, 12], abs=1)
    assert [face.box[:2] for face in faces] == [pytest.approx(place[1:3], abs=1) for place in PLACES]
    assert [face.name for face in faces[:2]] == ["person 0", "person 1"]
    assert [face.pixels.shape[0] for face in faces] == [112, round(faces[1].side), round(faces[2].side)]
    row = faces[1].row()
    assert tuple(row) == COLUMNS
    assert (row["name"], row["threshold"], row["kind"]) == ("person 1", 0.98, "fixed")


def test_no_face_is_no_row(namer):
    assert name_faces(namer, [], Asked()) == []


def test_a_face_that_is_a_picture_by_itself():
    face = whole(drawn(0), 250)
    assert (face.box, face.side) == ((0, 0, 250, 250), 250)
    assert face.landmarks.mean(axis=0) == pytest.approx([125, 163], abs=4)


def test_the_picture_gets_boxes_and_names_and_is_not_changed_itself(namer):
    image = scene(PLACES)
    before = image.copy()

    drawn_in = labelled(image, name_faces(namer, Blobs().find(image).faces, Asked(0.98)))

    assert np.array_equal(image, before)
    assert (drawn_in != image).any(axis=2).mean() > 0.02
    assert np.array_equal(labelled(image, []), image)


def test_the_words_at_a_box():
    assert words_of("Ann", 0.512, 15.6) == "Ann 0.51 (16 px)"
    assert words_of("unknown", 0.2, 10.2) == "unknown (10 px)"
    assert words_of("Ann", None, 10.2) == "Ann (10 px)"
