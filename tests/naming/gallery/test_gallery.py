"""What holds for a gallery in a file and in PostgreSQL alike."""

import threading

import numpy as np
import pytest

from lrface.errors import DataError, WeightsError
from lrface.naming.gallery.entry import Enrolled, templates
from lrface.naming.gallery.exchange import export_gallery, import_gallery
from lrface.naming.gallery.gallery import Match
from lrface.naming.gallery.place import gallery_at

OWN, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64


def test_people_are_named_with_score_and_margin(gallery, faces):
    ann, bob = faces(1, 3), faces(2, 2)
    assert gallery.enrol({"Ann": ann, "Bob": bob}, OWN) == {"Ann": Enrolled(3), "Bob": Enrolled(2)}
    probes = np.concatenate([faces(1, 4)[3:], faces(2, 3)[2:], faces(3)])

    found = gallery.identify(probes, OWN, 0.35)

    wanted = probes @ np.stack([mean(ann), mean(bob)]).T
    assert [match.name for match in found] == ["Ann", "Bob", "unknown"]
    for match, scores in zip(found, wanted, strict=True):
        best, second = sorted(scores, reverse=True)
        assert match.score == pytest.approx(best, abs=1e-5)
        assert match.margin == pytest.approx(best - second, abs=1e-5)


def mean(embeddings):
    total = embeddings.sum(axis=0)
    return total / np.linalg.norm(total)


def test_the_threshold_is_the_least_score_that_is_named(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    (match,) = gallery.identify(faces(1), OWN, -1.0)
    assert match.margin is None
    assert match.score == pytest.approx(1, abs=1e-5)
    (near,) = gallery.identify(faces(1, 2)[1:], OWN, -1.0)
    assert gallery.identify(faces(1, 2)[1:], OWN, near.score - 1e-4)[0].name == "Ann"
    assert gallery.identify(faces(1, 2)[1:], OWN, near.score + 1e-4)[0].name == "unknown"


def test_further_pictures_move_the_template_and_keep_key_and_date(gallery, faces):
    first, second = faces(1, 2), faces(1, 5)[2:]
    gallery.enrol({"Ann": first}, OWN)
    (before,) = gallery.entries()
    assert gallery.enrol({" Ann ": second}, OWN) == {"Ann": Enrolled(5)}
    (after,) = gallery.entries()
    assert (after.key, after.added, after.images) == (before.key, before.added, 5)
    assert after.changed >= before.changed
    np.testing.assert_allclose(after.template, mean(np.concatenate([first, second])), atol=1e-6)
    assert after.template == pytest.approx(templates(after.total[None])[0])


def test_an_empty_gallery_and_none_at_all(gallery, faces):
    assert gallery.about() is None
    assert gallery.entries() == []
    with pytest.raises(DataError, match="enrol somebody first"):
        gallery.identify(faces(1), OWN, 0.35)
    gallery.enrol({"Ann": faces(1)}, OWN)
    gallery.remove("Ann")
    assert gallery.entries() == []
    assert gallery.identify(faces(1, 2), OWN, 0.35) == [Match("unknown", None, None)] * 2


def test_another_recogniser_is_refused_until_a_person_declares_it_compatible(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    with pytest.raises(WeightsError, match=r"got probes of recogniser bbbbbbbbbbbb; expected aaaaaaaaaaaa"):
        gallery.identify(faces(1), OTHER, 0.35)
    with pytest.raises(WeightsError, match="enrol with that version"):
        gallery.enrol({"Bob": faces(2)}, OTHER)

    gallery.accept(OTHER)

    assert gallery.identify(faces(1), OTHER, 0.35)[0].name == "Ann"
    with pytest.raises(WeightsError):
        gallery.identify(faces(1), THIRD, 0.35)
    with pytest.raises(WeightsError):
        gallery.enrol({"Bob": faces(2)}, OTHER)
    assert [entry.name for entry in gallery.entries()] == ["Ann"]
    with pytest.raises(DataError, match="expected a sha256"):
        gallery.accept("models:/edgeface/2")


def test_a_gallery_has_the_width_of_its_recogniser_and_takes_no_other(gallery, faces, tmp_path):
    gallery.enrol({"Ann": faces(1, 2, width=128), "Bob": faces(2, width=128)}, OWN)
    assert [match.name for match in gallery.identify(faces(2, 3, width=128), OWN, 0.35)] == ["Bob"] * 3
    gallery.accept(OTHER)
    with pytest.raises(WeightsError, match="got embeddings of 512 numbers; expected 128"):
        gallery.identify(faces(1), OTHER, 0.35)
    for people in ({"Ann": faces(1)}, {"Cid": faces(3)}):
        with pytest.raises(WeightsError, match="got embeddings of 512 numbers; expected 128"):
            gallery.enrol(people, OWN)
    assert {len(entry.template) for entry in gallery.entries()} == {128}

    path = tmp_path / "out.parquet"
    export_gallery(gallery, path)
    wide = gallery_at(str(tmp_path / "wide.parquet"))
    wide.enrol({"Dee": faces(4)}, OWN)
    with pytest.raises(WeightsError, match="got embeddings of 128 numbers; expected 512"):
        import_gallery(wide, path)
    assert [entry.name for entry in wide.entries()] == ["Dee"]


def test_nobody_is_enrolled_where_two_people_have_other_widths(gallery, faces):
    with pytest.raises(WeightsError, match="got embeddings of 128 numbers; expected 512"):
        gallery.enrol({"Ann": faces(1), "Bob": faces(2, width=128)}, OWN)
    assert gallery.entries() == []


def test_a_gallery_that_is_empty_again_takes_any_width(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    gallery.remove("Ann")
    gallery.enrol({"Ann": faces(1, width=64)}, OWN)
    assert gallery.identify(faces(1, width=64), OWN, 0.35)[0].name == "Ann"


def test_nothing_can_be_declared_compatible_with_no_gallery(gallery):
    with pytest.raises(DataError, match="enrol somebody first"):
        gallery.accept(OTHER)


@pytest.mark.parametrize("name", ["", "  ", "unknown", "Unknown", "a\nb", "x" * 101, "a\u0000b", "\u202egnp"])
def test_names_that_cannot_be_used(gallery, faces, name):
    with pytest.raises(DataError, match="name of a person"):
        gallery.enrol({"Ann": faces(1), name: faces(2)}, OWN)
    assert gallery.entries() == []


def test_embeddings_that_cannot_be_used(gallery, faces):
    for bad in (np.ones((1, 512)), np.full((1, 512), np.nan), faces(1)[:, :100], np.empty((0, 512))):
        with pytest.raises(DataError, match="embeddings"):
            gallery.enrol({"Ann": faces(1), "Bob": bad}, OWN)
    with pytest.raises(DataError, match="cancel each other"):
        gallery.enrol({"Ann": np.concatenate([faces(1), -faces(1)])}, OWN)
    assert gallery.entries() == []


@pytest.mark.parametrize("threshold", [1.5, float("nan")])
def test_a_threshold_is_a_cosine(gallery, faces, threshold):
    with pytest.raises(DataError, match="expected a cosine"):
        gallery.identify(faces(1), OWN, threshold)


def test_removal_by_key_or_name(gallery, faces):
    gallery.enrol({"Ann": faces(1), "Bob": faces(2), "Eve": faces(3)}, OWN)
    key = next(entry.key for entry in gallery.entries() if entry.name == "Bob")
    assert gallery.remove(key).name == "Bob"
    assert gallery.remove("Eve").name == "Eve"
    assert [entry.name for entry in gallery.entries()] == ["Ann"]
    with pytest.raises(DataError, match="nobody called 'Bob'"):
        gallery.remove("Bob")


def test_a_name_like_somebodys_key_does_not_stand_in_front_of_it(gallery, faces):
    gallery.enrol({"Bob": faces(2)}, OWN)
    key = gallery.entries()[0].key
    gallery.enrol({key: faces(1)}, OWN)
    assert gallery.remove(key).name == "Bob"


def test_out_and_in_again(gallery, faces, tmp_path):
    gallery.enrol({"Ann": faces(1, 2), "Zoë": faces(2)}, OWN)
    gallery.accept(OTHER)
    file = tmp_path / "out.parquet"
    assert export_gallery(gallery, file) == 2
    with pytest.raises(DataError, match="a file that is there"):
        export_gallery(gallery, file)

    copy = gallery_at(str(file))
    assert copy.about().weights == OWN
    assert copy.about().compatible == ()
    assert [(item.key, item.name, item.images, item.added, item.changed) for item in copy.entries()] == [
        (item.key, item.name, item.images, item.added, item.changed) for item in gallery.entries()
    ]

    with pytest.raises(DataError, match=r"2 who are there already \(Ann, Zoë\)"):
        import_gallery(gallery, file)
    gallery.remove("Ann")
    gallery.remove("Zoë")
    assert import_gallery(gallery, file) == 2
    assert [match.name for match in gallery.identify(faces(2), OWN, 0.35)] == ["Zoë"]


def test_what_cannot_be_imported(gallery, faces, tmp_path):
    with pytest.raises(DataError, match="no such file"):
        import_gallery(gallery, tmp_path / "none.parquet")
    with pytest.raises(DataError, match=r"expected \.parquet"):
        import_gallery(gallery, tmp_path / "none.csv")
    foreign = gallery_at(str(tmp_path / "foreign.parquet"))
    foreign.enrol({"Eve": faces(9)}, OTHER)
    gallery.enrol({"Ann": faces(1)}, OWN)
    with pytest.raises(WeightsError):
        import_gallery(gallery, tmp_path / "foreign.parquet")
    assert [entry.name for entry in gallery.entries()] == ["Ann"]


def test_writers_at_once_lose_nothing(gallery, faces):
    threads = [
        threading.Thread(target=gallery.enrol, args=({f"p{number % 4}": faces(number % 4, 2)}, OWN))
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.name: entry.images for entry in gallery.entries()} == {f"p{number}": 6 for number in range(4)}


def known(*numbers):
    """What pictures are known by."""
    return [f"{number:064x}"[::-1] for number in numbers]


def test_a_picture_that_is_there_already_counts_once_and_is_told(gallery, faces):
    three = faces(1, 3)
    assert gallery.enrol({"Ann": three}, OWN, {"Ann": known(1, 2, 3)}) == {"Ann": Enrolled(3)}
    (before,) = gallery.entries()
    assert gallery.enrol({"Ann": three}, OWN, {"Ann": known(1, 2, 3)}) == {"Ann": Enrolled(3, again=3)}
    (after,) = gallery.entries()
    assert (after.images, after.changed) == (before.images, before.changed)
    np.testing.assert_array_equal(after.total, before.total)
    more = np.concatenate([three[1:2], faces(2)])
    assert gallery.enrol({"Ann": more}, OWN, {"Ann": known(2, 4)}) == {"Ann": Enrolled(4, again=1)}
    np.testing.assert_allclose(gallery.entries()[0].total, np.concatenate([three, faces(2)]).sum(axis=0), atol=1e-6)
    assert gallery.enrol({"Bob": faces(3, 2)}, OWN, {"Bob": known(7, 7)}) == {"Bob": Enrolled(1, again=1)}


def test_without_hashes_every_picture_is_another(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    assert gallery.enrol({"Ann": faces(1)}, OWN) == {"Ann": Enrolled(2)}


def test_one_picture_under_two_people_is_refused(gallery, faces):
    gallery.enrol({"Ann": faces(1, 2)}, OWN, {"Ann": known(1, 2)})
    with pytest.raises(DataError, match="a picture of 'Bob' that is enrolled as 'Ann'"):
        gallery.enrol({"Eve": faces(3), "Bob": faces(1)}, OWN, {"Eve": known(3), "Bob": known(2)})
    with pytest.raises(DataError, match="a picture of 'Bob' that is enrolled as 'Eve'"):
        gallery.enrol({"Eve": faces(3), "Bob": faces(3)}, OWN, {"Eve": known(3), "Bob": known(3)})
    assert [entry.name for entry in gallery.entries()] == ["Ann"]
    gallery.remove("Ann")
    assert gallery.enrol({"Bob": faces(1)}, OWN, {"Bob": known(2)}) == {"Bob": Enrolled(1)}


@pytest.mark.parametrize("other", ["ann lee", "Ann  Lee", "Ann\u00a0Lee", "\uff21nn Lee", "Ann Lee\u200b"])
def test_a_name_in_another_spelling_is_no_other_person(gallery, faces, other):
    gallery.enrol({"Ann Lee": faces(1)}, OWN)
    with pytest.raises(DataError, match=r"got .* beside 'Ann Lee', who is there already|name of a person"):
        gallery.enrol({other: faces(2)}, OWN)
    assert gallery.enrol({" Ann Lee ": faces(1, 2)[1:]}, OWN) == {"Ann Lee": Enrolled(2)}
    with pytest.raises(DataError, match="expected each subject under one name"):
        gallery.enrol({"Bob": faces(2), "bob": faces(3)}, OWN)
    assert [entry.name for entry in gallery.entries()] == ["Ann Lee"]


def test_what_pictures_are_known_by_goes_along_with_an_export(gallery, faces, tmp_path):
    gallery.enrol({"Ann": faces(1, 2)}, OWN, {"Ann": known(1, 2)})
    export_gallery(gallery, tmp_path / "copy.parquet")
    other = gallery_at(str(tmp_path / "other.parquet"))
    import_gallery(other, tmp_path / "copy.parquet")
    assert other.enrol({"Ann": faces(1)}, OWN, {"Ann": known(2)}) == {"Ann": Enrolled(2, again=1)}
    third = gallery_at(str(tmp_path / "third.parquet"))
    third.enrol({"Bob": faces(1)}, OWN, {"Bob": known(1)})
    with pytest.raises(DataError, match="a picture of 'Ann' that is enrolled as 'Bob'"):
        import_gallery(third, tmp_path / "copy.parquet")
    fourth = gallery_at(str(tmp_path / "fourth.parquet"))
    fourth.enrol({"ANN": faces(1)}, OWN)
    with pytest.raises(DataError, match="'Ann' beside 'ANN'"):
        import_gallery(fourth, tmp_path / "copy.parquet")
