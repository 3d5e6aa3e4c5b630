import pytest

from lrface.errors import ConfigError, DataError
from lrface.naming.asked import Asked
from lrface.naming.namer import NO_POINTS, Namer

from .conftest import face


def enrolled(pair, gallery, seeds=(1, 2, 3)):
    gallery.enrol({f"p{seed}": pair.embed(pair.restore([face(seed)])) for seed in seeds}, pair.weights)


def test_each_face_is_held_against_the_threshold_for_its_size(pair, gallery, points):
    enrolled(pair, gallery)
    small, large = Namer(pair, gallery, points).name([face(1, 8), face(2)], asked=Asked(fpir=0.01))
    assert (small.name, large.name) == ("p1", "p2")
    assert small.threshold < large.threshold
    assert (small.side, large.side) == (8, 112)
    assert small.rate == large.rate == pytest.approx(0.01)
    assert small.kind == "fpir"
    assert not small.note


def test_the_effective_side_counts_and_not_the_picture(pair, gallery, points):
    enrolled(pair, gallery)
    namer = Namer(pair, gallery, points)
    (enlarged,) = namer.name([face(1)], [8.0])
    assert enlarged.threshold == namer.point(8).threshold < namer.point(112).threshold


def test_below_the_threshold_a_face_is_unknown(pair, gallery, points):
    enrolled(pair, gallery)
    namer = Namer(pair, gallery, points)
    (found,) = namer.name([face(99)], asked=Asked(1.0))
    assert found.name == "unknown"
    assert found.score is not None
    assert namer.name([face(99)], asked=Asked(found.score - 1e-6))[0].name != "unknown"
    assert namer.name([]) == []


def test_a_pair_without_points_names_at_a_fixed_number_and_says_so(pair, gallery):
    enrolled(pair, gallery)
    namer = Namer(pair, gallery, None)
    (found,) = namer.name([face(1)])
    assert (found.threshold, found.rate, found.kind, found.note) == (0.35, None, "fixed", NO_POINTS)
    assert "the false alarm rate of 0.6 is not known" in namer.name([face(1)], asked=Asked(0.6))[0].note
    with pytest.raises(ConfigError, match="without operating points"):
        namer.name([face(1)], asked=Asked(fpir=0.01))


def test_a_rate_that_nobody_can_tell_is_refused_where_it_was_asked_for(pair, gallery, points):
    enrolled(pair, gallery)
    with pytest.raises(ConfigError, match="too few: 10000 searches"):
        Namer(pair, gallery, points).name([face(1)], asked=Asked(fpir=1e-5))


def test_without_a_gallery_it_says_what_to_do_and_with_nobody_in_it_too(pair, gallery, points):
    namer = Namer(pair, gallery, points)
    with pytest.raises(DataError, match="enrol somebody first"):
        namer.name([face(1)])
    enrolled(pair, gallery, (1,))
    gallery.remove("p1")
    (found,) = namer.name([face(1)])
    assert (found.name, found.score, found.note) == ("unknown", None, "nobody is enrolled")


def test_sides_and_faces_are_as_many(pair, gallery, points):
    with pytest.raises(DataError, match="1 sides"):
        Namer(pair, gallery, points).name([face(1), face(2)], [8.0])
