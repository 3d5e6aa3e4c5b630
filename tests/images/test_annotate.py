import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.images.annotate import KNOWN, UNKNOWN, Label, annotated

number = st.floats(-300, 300, allow_nan=False)
length = st.floats(0.5, 300, allow_nan=False)
labels = st.lists(st.builds(Label, st.tuples(number, number, length, length), st.text(max_size=80), st.booleans()))


@settings(max_examples=15, deadline=None)
@given(labels)
def test_any_box_and_any_name_can_be_drawn(given_labels):
    image = np.full((60, 90, 3), 128, np.uint8)
    drawn = annotated(image, given_labels)
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert (image == 128).all()


def test_known_and_unknown_have_colours_of_their_own():
    image = np.full((200, 300, 3), 128, np.uint8)
    drawn = annotated(image, [Label((20, 60, 40, 40), "Ann", True), Label((150, 60, 40, 40), "unknown", False)])
    assert (drawn[80:100, 19] == KNOWN).all()
    assert (drawn[80:100, 149] == UNKNOWN).all()
    assert (drawn[70:90, 30:50] == 128).all()


def test_words_of_neighbours_do_not_cover_each_other():
    """Two boxes side by side, whose words are wider than they are."""
    image = np.full((200, 400, 3), 128, np.uint8)
    one, other = (Label((left, 90, 20, 20), f"somebody {left}", True) for left in (150, 175))
    covered = [(annotated(image, [label]) != 128).any(axis=2) for label in (one, other)]
    both = (annotated(image, [one, other]) != 128).any(axis=2)
    assert (covered[0] & covered[1]).sum() > 100
    assert both.sum() > (covered[0] | covered[1]).sum() + 100


def test_letters_beyond_latin_are_letters_and_no_boxes():
    image = np.full((100, 300, 3), 128, np.uint8)
    shown = [annotated(image, [Label((10, 40, 30, 30), text, True)]) for text in ("Ωμέγα", "Жанна", "\x00\x07")]
    assert not np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[2], annotated(image, [Label((10, 40, 30, 30), "", True)]))
