import threading

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from skimage.transform import SimilarityTransform

from lrface.errors import ConfigError, DataError
from lrface.images.procedural import (
    ProceduralSettings,
    draw_identity,
    draw_nuisance,
    landmarks,
    render,
    render_faces,
    subject_name,
)
from lrface.images.procedural.view.pose import TEMPLATE, fit_similarity, rotation


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """Faces of 6 people, 4 pictures each: 6 x 4 x 112 x 112 x 3."""
    population = ProceduralSettings(subjects=6, images_per_subject=4, seed=7)
    return np.stack([face for _, _, face in render_faces(population, workers=1)]).reshape(6, 4, 112, 112, 3)


def test_a_face_is_112_pixels_of_8_bit_colour(people):
    assert people.shape == (6, 4, 112, 112, 3)
    assert people.dtype == np.uint8
    assert np.ptp(people.mean(axis=(0, 1, 2, 3))) > 2  # the channels differ: it is a colour picture


def test_the_same_seed_gives_the_same_bytes(people):
    again = render(draw_identity(7, 3), draw_nuisance(7, 3, 2))
    assert np.array_equal(again, people[3, 2])


def test_another_seed_gives_other_people(people):
    other = render(draw_identity(8, 3), draw_nuisance(7, 3, 2))
    assert np.abs(other.astype(int) - people[3, 2]).mean() > 5


def test_nobody_depends_on_how_many_are_drawn(people):
    population = ProceduralSettings(subjects=2, images_per_subject=3, seed=7)
    fewer = list(render_faces(population, workers=1))
    assert [(subject, image) for subject, image, _ in fewer] == [(s, i) for s in range(2) for i in range(3)]
    for subject, image, face in fewer:
        assert np.array_equal(face, people[subject, image])


def test_the_number_of_workers_changes_nothing(people):
    population = ProceduralSettings(subjects=3, images_per_subject=2, seed=7)
    shared = list(render_faces(population, workers=2))
    assert [(subject, image) for subject, image, _ in shared] == [(s, i) for s in range(3) for i in range(2)]
    assert np.array_equal(np.stack([face for _, _, face in shared]), people[:3, :2].reshape(6, 112, 112, 3))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), subject=st.integers(0, 9998))
def test_everybody_is_somebody_else_and_within_human_bounds(seed, subject):
    identity = draw_identity(seed, subject)
    assert identity == draw_identity(seed, subject)
    assert identity != draw_identity(seed, subject + 1)
    assert 14 < identity.eyes.half_distance < 21
    assert 60 < identity.nose.tip_height < 80 < identity.mouth.height < 102
    assert 0 < min(identity.hair.colour) <= max(identity.hair.colour) < 1


def test_stopping_early_leaves_no_process_and_no_thread_behind():
    before = {child.pid for child in psutil.Process().children()}
    population = ProceduralSettings(subjects=40, images_per_subject=1, seed=7)
    faces = render_faces(population, workers=2)
    next(faces)
    assert len({child.pid for child in psutil.Process().children()} - before) == 2
    faces.close()
    assert {child.pid for child in psutil.Process().children()} <= before
    assert not [thread for thread in threading.enumerate() if "listen" in thread.name]


def test_a_worker_that_dies_is_an_error_that_names_the_person():
    before = {child.pid for child in psutil.Process().children()}
    faces = render_faces(ProceduralSettings(subjects=400, images_per_subject=1, seed=7), workers=2)
    next(faces)
    for child in psutil.Process().children():
        if child.pid not in before:
            child.kill()
    with pytest.raises(DataError, match=r"p\d{4}.*ended with code -9"):
        list(faces)


def test_progress_counts_every_picture():
    seen: list[tuple[int, int]] = []
    population = ProceduralSettings(subjects=2, images_per_subject=2, seed=1)
    for _ in render_faces(population, workers=1, progress=lambda done, total: seen.append((done, total))):
        pass
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_drawing_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global state is what is watched
    render(draw_identity(0, 0), draw_nuisance(0, 0, 0))
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_straight_look_tells_people_apart():
    """In soft light, the same person is nearer to themselves than to anybody else."""
    faces = np.stack([
        [render(draw_identity(3, subject), draw_nuisance(3, subject, image, 0.15)) for image in range(2)]
        for subject in range(8)
    ])  # fmt: skip
    small = np.stack(
        [cv2.resize(face, (28, 28), interpolation=cv2.INTER_AREA) for face in faces.reshape(16, 112, 112, 3)]
    )
    middle = small[:, 4:25, 6:22].astype(np.float64).reshape(8, 2, -1)
    first = middle[:, 0] - middle[:, 0].mean(axis=0)
    second = middle[:, 1] - middle[:, 1].mean(axis=0)
    likeness = (first @ second.T) / np.outer(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
    assert (likeness.argmax(axis=1) == np.arange(8)).mean() > 0.85


def test_backgrounds_say_nothing_about_the_person(people):
    """The corners of two pictures of one person differ as much as those of two people."""
    corners = people[:, :, 30:60, :6].astype(np.float64).mean(axis=(2, 3))
    within = corners.std(axis=1).mean()
    assert within > 10
    between = corners.mean(axis=1).std(axis=0).mean()
    assert between < 1.5 * within


@pytest.mark.parametrize("subject", range(6))
def test_the_five_points_sit_on_the_template(subject):
    straight = landmarks(draw_identity(5, subject), draw_nuisance(5, subject, 0, 0.0))
    assert np.abs(straight - TEMPLATE).max() < 4.5
    wild = landmarks(draw_identity(5, subject), draw_nuisance(5, subject, 1))
    assert np.linalg.norm(wild - TEMPLATE, axis=1).mean() < 6.0


def test_eyes_are_where_the_points_say():
    """Around the marked eyes a straight, unspectacled face is darker than on the cheeks below."""
    darker = []
    for subject in range(10):
        identity = draw_identity(9, subject)
        nuisance = draw_nuisance(9, subject, 0, 0.0)
        if identity.glasses is None:
            face = render(identity, nuisance).mean(axis=2)
            for x, y in np.round(landmarks(identity, nuisance)[:2]).astype(int):
                eye = face[y - 2 : y + 3, x - 3 : x + 4].mean()
                darker.append(face[y + 12 : y + 18, x - 3 : x + 4].mean() - eye)
    assert len(darker) >= 8
    assert np.mean(np.array(darker) > 0) > 0.85


def test_detail_is_really_lost_at_16_pixels(people):
    """Shrunk to 16 pixels and enlarged again, a face has lost most of what its edges had."""
    grey = people.reshape(-1, 112, 112, 3).mean(axis=3)[:, 10:102, 14:98]
    faces = people.reshape(-1, 112, 112, 3)
    back = np.stack([
        cv2.resize(small, (112, 112), interpolation=cv2.INTER_CUBIC)
        for small in (cv2.resize(face, (16, 16), interpolation=cv2.INTER_AREA) for face in faces)
    ])  # fmt: skip
    lost = back.mean(axis=3)[:, 10:102, 14:98]

    def detail(pictures):
        return np.stack([cv2.Laplacian(picture, cv2.CV_64F) for picture in pictures]).var(axis=(1, 2))

    assert np.median(detail(lost) / detail(grey)) < 0.1
    assert np.median(detail(grey)) > 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"subjects": 0},
        {"subjects": 10_000},
        {"images_per_subject": 0},
        {"seed": -1},
        {"nuisance": 2.0},
        {"people": 3},
    ],
)
def test_nonsense_is_refused(wrong):
    with pytest.raises(ValidationError):
        ProceduralSettings(**wrong)


def test_negative_workers_are_refused():
    with pytest.raises(ConfigError, match="workers"):
        next(render_faces(ProceduralSettings(subjects=1, images_per_subject=1), workers=-1))


def test_names_sort_as_people_do():
    names = [subject_name(subject) for subject in (0, 8, 9, 99, 998)]
    assert names == ["p0001", "p0009", "p0010", "p0100", "p0999"]
    assert names == sorted(names)


def test_the_fit_agrees_with_skimage():
    generator = np.random.default_rng(0)
    source, target = generator.normal(size=(5, 2)), generator.normal(size=(5, 2))
    reference = SimilarityTransform.from_estimate(source, target)
    assert np.allclose(fit_similarity(source, target), reference.params[:2])


def test_turning_is_a_rotation_and_yaw_turns_the_nose_to_the_side():
    turned = rotation(0.3, 0.1)
    assert np.allclose(turned @ turned.T, np.eye(3))
    assert np.isclose(np.linalg.det(turned), 1.0)
    nose = rotation(0.3, 0.0) @ np.array([0.0, 0.0, 1.0])
    assert np.isclose(nose[0], np.sin(0.3))
