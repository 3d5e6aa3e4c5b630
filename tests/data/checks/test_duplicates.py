import io

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lrface.data.checks.duplicates import _close_values, groups_of, near_pairs, same_pixels
from lrface.data.measure import measure


def copies(face: np.ndarray) -> list[np.ndarray]:
    file = io.BytesIO()
    Image.fromarray(face).save(file, "JPEG", quality=50)
    brighter = np.clip(face.astype(float) * 1.1 + 5, 0, 255).astype(np.uint8)
    return [np.asarray(Image.open(file)), brighter, cv2.GaussianBlur(face, (0, 0), 0.8)]


def hashes(faces) -> np.ndarray:
    return np.array([measure(face).perceptual for face in faces], dtype=np.uint64)


def test_copies_are_near_and_others_are_not(faces):
    pictures = [*faces, *copies(faces[3])]
    pairs = near_pairs(hashes(pictures), lambda row: pictures[row], 6, 0.97)
    groups = groups_of(len(pictures), pairs)
    assert groups[20:].tolist() == [3, 3, 3]
    assert groups[:20].tolist() == list(range(20))


def test_nothing_is_near_nothing(faces):
    assert near_pairs(hashes(faces), lambda row: faces[row], 4, 0.97).shape == (0, 2)


def test_the_pixels_decide(faces):
    assert len(near_pairs(np.zeros(20, dtype=np.uint64), lambda row: faces[row], 4, 0.9)) == 0


@given(st.integers(0, 10_000), st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_no_close_pair_is_missed(seed, distance):
    generator = np.random.default_rng(seed)
    base = generator.integers(0, 2**63, 20, dtype=np.uint64)
    flips = [np.uint64(sum(1 << int(bit) for bit in generator.choice(64, 6, replace=False))) for _ in range(20)]
    values = np.unique(np.r_[base, base ^ np.array(flips), base ^ np.uint64(5)])
    expected = {
        (one, other)
        for one in range(len(values))
        for other in range(one + 1, len(values))
        if int(values[one] ^ values[other]).bit_count() <= distance
    }
    assert set(_close_values(values, distance)) == expected


def test_same_pixels():
    assert same_pixels(["a", "b", "a", "c", "b", "a"]) == [[0, 2, 5], [1, 4]]


@given(st.integers(1, 30), st.data())
@settings(deadline=None)
def test_groups_join_what_pairs_join(rows, data):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, rows - 1)), max_size=40))
    groups = groups_of(rows, pairs)
    assert all(groups[one] == groups[other] for one, other in pairs)
    assert all(groups[group] == group <= row for row, group in enumerate(groups))
    reach = {row: {row} for row in range(rows)}
    for one, other in pairs:
        joined = reach[one] | reach[other]
        for row in joined:
            reach[row] = joined
    assert all(set(np.flatnonzero(groups == groups[row])) == reach[row] for row in range(rows))
