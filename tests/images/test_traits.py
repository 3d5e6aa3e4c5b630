"""What is told of a face without landmarks moves the way that its name says, and not with what it is not about."""

import cv2
import numpy as np
import pytest

from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.images.traits import traits, traits_of


@pytest.fixture(scope="module")
def face():
    return np.asarray(render(draw_identity(0, 3), draw_nuisance(0, 3, 0, 0.0)))


def scaled(face, gain):
    return (face.astype(np.float32) * gain).astype(np.uint8)


def test_light_and_contrast(face):
    plain, dark = traits(face), traits(scaled(face, 0.5))

    assert dark.brightness == pytest.approx(plain.brightness / 2, abs=0.01)
    assert dark.contrast == pytest.approx(plain.contrast / 2, abs=0.01)
    assert dark.sharpness == pytest.approx(plain.sharpness, abs=0.1)
    assert dark.asymmetry == pytest.approx(plain.asymmetry, abs=0.05)


def test_a_blurred_face_is_less_sharp_and_no_less_even(face):
    plain, blurred = traits(face), traits(cv2.GaussianBlur(face, (0, 0), 2.0))

    assert blurred.sharpness < plain.sharpness - 0.3
    assert blurred.asymmetry == pytest.approx(plain.asymmetry, abs=0.1)


def test_a_face_that_is_moved_aside_is_less_even_and_its_mirror_image_as_much(face):
    even = np.concatenate([face[:, :56], face[:, :56][:, ::-1]], axis=1)
    aside = np.roll(even, 12, axis=1)

    assert traits(even).asymmetry == pytest.approx(0.0, abs=1e-3)
    assert traits(aside).asymmetry > 0.2
    assert traits(aside[:, ::-1]).asymmetry == pytest.approx(traits(aside).asymmetry, abs=1e-4)


def test_a_face_of_one_level_has_finite_traits():
    flat = traits(np.full((112, 112, 3), 128, np.uint8))
    assert np.isfinite([flat.brightness, flat.contrast, flat.sharpness, flat.asymmetry]).all()


def test_stored_faces_come_in_the_order_of_their_rows(face):
    stored = np.stack([face, scaled(face, 0.5), scaled(face, 0.25)])
    levels = [item.brightness for item in traits_of(stored, [2, 0, 1])]
    assert levels[0] < levels[2] < levels[1]
