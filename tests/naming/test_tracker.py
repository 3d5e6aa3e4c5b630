import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.data.faces.crowd import Seen
from lrface.images.alignment import TEMPLATE
from lrface.naming.tracker import Picture, Tracker, overlaps, thinned

number = st.floats(-100, 100, allow_nan=False)
length = st.floats(1, 100, allow_nan=False)
boxes = st.lists(st.tuples(number, number, length, length), min_size=1, max_size=4)


def seen(left, top, side=12.0, sure=0.9):
    landmarks = (TEMPLATE + 0.5) * (side / 112) - 0.5 + [left, top]
    return Seen((left, top, side, side), landmarks, side, sure, np.full((12, 12, 3), round(left) % 256, np.uint8))


def follow(frames, overlap=0.2, gap=3, most=4):
    """All tracks of faces by frame, in the order of appearance."""
    tracker = Tracker(overlap, gap, most)
    ended = [track for number, faces in frames for track in tracker.step(number, faces)]
    return sorted([*ended, *tracker.end()], key=lambda track: track.number)


@settings(max_examples=30, deadline=None)
@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_of_a_box_with_itself(one, other):
    found = overlaps(one, other)
    assert ((found >= 0) & (found <= 1 + 1e-9)).all()
    assert np.allclose(found, overlaps(other, one).T)
    assert np.allclose(np.diag(overlaps(one, one)), 1)
    assert overlaps([], other).shape == (0, len(other))


def test_overlap_of_known_boxes():
    assert overlaps([(0, 0, 2, 2)], [(1, 0, 2, 2), (2, 0, 2, 2)]).tolist() == [[pytest.approx(1 / 3), 0]]
    assert overlaps([(0, 0, 2, 2)], [(2, 0, 2, 2)], 2.0)[0, 0] == pytest.approx(1 / 3)


def test_two_who_pass_each_other_keep_their_tracks():
    """They meet in the middle, where the nearest box is the other's; the way that each went tells them apart."""
    frames = [(t, [seen(10 + 4 * t, 20), seen(90 - 4 * t, 26)]) for t in range(20)]

    right, left = follow(frames)

    assert np.all(np.diff([box[0] for box in right.boxes]) > 0)
    assert np.all(np.diff([box[0] for box in left.boxes]) < 0)
    assert len(right.frames) == len(left.frames) == 20


def test_who_is_away_for_a_moment_comes_back_to_his_track():
    frames = [(t, [] if t in {5, 6, 7} else [seen(10 + 3 * t, 20)]) for t in range(12)]

    (track,) = follow(frames, gap=4)
    assert track.frames == [0, 1, 2, 3, 4, 8, 9, 10, 11]

    first, second = follow(frames, gap=3)
    assert (first.frames[-1], second.frames[0]) == (4, 8)


def test_a_face_that_leaps_is_another():
    first, second = follow([(0, [seen(10, 20)]), (1, [seen(80, 20)])])
    assert (first.number, second.number) == (1, 2)


def test_frames_in_which_nothing_begins():
    tracker = Tracker(0.2, 3, 4)
    assert tracker.step(0, [seen(10, 10)], begins=False) == []
    assert tracker.live == []


def test_where_it_should_be_next():
    tracker = Tracker(0.2, 5, 4)
    for t in range(3):
        tracker.step(t, [seen(10 + 2 * t, 20 - t)])

    box, landmarks = tracker.live[0].where(4)

    assert box == pytest.approx((18, 16, 12, 12))
    assert landmarks == pytest.approx(seen(18, 16).landmarks)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(2, 8))
def test_pictures_are_bounded_and_spread_over_the_track(frames, most):
    (track,) = follow([(t, [seen(10, 10)]) for t in range(frames)], most=most)

    kept = [picture.frame for picture in track.pictures]
    assert 1 <= len(kept) < 2 * most
    assert kept == sorted(kept)
    assert not kept or kept[-1] >= frames // 2


def test_of_two_neighbours_the_larger_is_kept_and_of_equals_the_surer():
    small, large = Picture(0, 10.2, 0.9, np.zeros(1)), Picture(1, 14.0, 0.7, np.zeros(1))
    sure = Picture(2, 13.8, 0.8, np.zeros(1))
    assert thinned([small, large]) == [large]
    assert thinned([large, sure, small]) == [sure, small]
