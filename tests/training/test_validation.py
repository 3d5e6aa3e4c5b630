import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from lrface.images.degradation.resample import enlarge_unclamped, shrink
from lrface.images.ranges import to_float
from lrface.training.validation import SIZES, embed_all, recognition_metrics, validation_set


@given(st.integers(1, 60), st.integers(2, 80))
def test_a_set_is_no_larger_than_asked_and_uses_every_size(count, most):
    faces = np.zeros((count + 3, 1, 1, 3), dtype=np.uint8)
    rows = np.arange(count)
    made = validation_set(faces, rows, rows, most)
    assert len(made.owner) == len(made.size) <= max(most, 1)
    assert made.owner.max() < len(made.hr) == len(made.people)
    assert len(set(zip(made.owner, made.size, strict=True))) == len(made.owner)
    assert set(made.size) <= set(SIZES)
    if count * len(SIZES) >= most >= 10 and count >= 5:
        assert set(made.size) == set(SIZES)


def test_a_set_is_the_same_every_time_and_so_are_its_small_faces(tiny_pack):
    rows = tiny_pack.rows()
    one, two = (validation_set(tiny_pack.faces, rows, tiny_pack.labels(rows)[0], 12) for _ in range(2))
    assert np.array_equal(one.hr, two.hr)
    assert np.array_equal(one.size, two.size)
    first, again = (made.small(slice(0, 12), torch.device("cpu"))[0] for made in (one, two))
    assert torch.equal(first.enlarged, again.enlarged)


def test_small_faces_are_those_of_their_owners(tiny_pack):
    rows = tiny_pack.rows(superres="train")[::3]
    made = validation_set(tiny_pack.faces, rows, rows, 12)
    small, hr = made.small(slice(3, 9), torch.device("cpu"))
    assert len(hr) == 6
    for place, (owner, size) in enumerate(zip(made.owner[3:9], made.size[3:9], strict=True)):
        face = to_float(tiny_pack.faces[made.people[owner]][None])
        assert torch.equal(hr[place : place + 1], face)
        wanted = enlarge_unclamped(shrink(face, int(size)))
        torch.testing.assert_close(small.enlarged[place : place + 1], wanted, atol=5e-6, rtol=0)


def test_batches_cover_every_small_face_once(tiny_pack):
    rows = tiny_pack.rows()
    made = validation_set(tiny_pack.faces, rows, rows, 23)
    covered = np.concatenate([np.arange(len(made.owner))[part] for part in made.batches(5)])
    assert np.array_equal(covered, np.arange(len(made.owner)))


def test_a_gallery_is_only_searched_among(tiny_pack):
    rows, extra = tiny_pack.rows(superres="val"), tiny_pack.rows(superres="test")
    made = validation_set(tiny_pack.faces, rows, np.zeros(4), 8, gallery=(extra, np.ones(4)))
    assert made.owner.max() == 1
    assert made.people.tolist() == [0, 0, 1, 1, 1, 1]
    assert np.array_equal(made.hr[2:], tiny_pack.faces[extra])


def test_recognition_by_hand():
    gallery = F.normalize(torch.tensor([[1.0, 0.0, 0.1], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.1, 0.9, 0.2]]))
    probes = F.normalize(torch.tensor([[1.0, 0.1, 0.0], [0.2, 0.9, 0.0], [0.9, 0.3, 0.0]]))
    owner, people = np.array([0, 2, 3]), np.array([7, 7, 8, 8])
    metrics = recognition_metrics(probes, gallery, owner, people)
    scores = (probes @ gallery.T).numpy()
    assert metrics["similarity"] == pytest.approx((scores[0, 0] + scores[1, 2] + scores[2, 3]) / 3)
    assert metrics["genuine"] == pytest.approx((scores[0, 1] + scores[1, 3] + scores[2, 2]) / 3)
    impostor = [scores[0, 2], scores[0, 3], scores[1, 0], scores[1, 1], scores[2, 0], scores[2, 1]]
    assert metrics["impostor"] == pytest.approx(np.mean(impostor))
    assert metrics["rank1"] == pytest.approx(2 / 3)
    assert "tar_at_far_1e-2" not in metrics  # six impostors cannot tell


def test_the_own_image_is_never_the_one_that_is_found():
    embeddings = F.normalize(torch.eye(4) + 0.01)
    every = np.arange(4)
    assert recognition_metrics(embeddings, embeddings, every, np.array([0, 0, 1, 1]))["rank1"] < 1
    assert "rank1" not in recognition_metrics(embeddings, embeddings, every, np.zeros(4))


def test_a_network_that_gives_one_embedding_recognises_nobody():
    same = F.normalize(torch.ones(12, 512))
    metrics = recognition_metrics(same, same, np.arange(12), np.repeat(np.arange(4), 3))
    assert metrics["similarity"] == pytest.approx(1)
    assert metrics["impostor"] == pytest.approx(1)
    assert metrics["effective_rank"] == pytest.approx(1, abs=1e-3)
    assert metrics["rank1"] <= 0.25


def test_embedding_in_batches_changes_nothing(tiny_pack):
    def embedder(images):
        return images.mean((2, 3))

    whole = embed_all(tiny_pack.faces[:7], embedder, torch.device("cpu"))
    torch.testing.assert_close(embed_all(tiny_pack.faces[:7], embedder, torch.device("cpu"), 3), whole)
    assert not whole.requires_grad


@pytest.mark.parametrize(
    ("people", "each", "most"), [(400, 10, 100), (1_000, 10, 256), (10_000, 5, 1_000), (300, 2, 60)]
)
def test_of_many_people_whole_ones_are_judged_by(people, each, most):
    """Evenly spaced faces would be of as many people as faces: no two of anybody, and so nobody to be found again."""
    owner = np.repeat(np.arange(people), each)
    faces = np.zeros((len(owner), 1, 1, 3), dtype=np.uint8)

    made = validation_set(faces, np.arange(len(owner)), owner, most)

    counts = np.unique(made.people, return_counts=True)[1]
    assert counts.min() >= 2
    assert len(counts) >= min(people, most // 16)
    assert len(made.owner) <= most
    assert most // 4 <= len(made.people) <= most
    assert len(set(made.size)) == len(SIZES)


def test_people_with_one_face_are_passed_over_where_others_have_two():
    owner = np.concatenate([np.arange(1_000), np.repeat([1_000, 1_001, 1_002], 3)])
    made = validation_set(np.zeros((len(owner), 1, 1, 3), np.uint8), np.arange(len(owner)), owner, 40)
    assert set(made.people) == {1_000, 1_001, 1_002}


def test_everybody_who_is_searched_for_is_in_the_gallery():
    owner = np.repeat(np.arange(10_000), 2)
    faces = np.zeros((30_000, 1, 1, 3), dtype=np.uint8)
    enrolled = np.arange(20_000, 30_000), np.arange(10_000)

    made = validation_set(faces, np.arange(20_000), owner, 100, gallery=enrolled)

    probes, others = np.split(made.people, [made.owner.max() + 1])
    assert set(probes) <= set(others)
    assert len(others) == 100
