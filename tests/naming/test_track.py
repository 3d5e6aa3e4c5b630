"""Several pictures of one person as one probe."""

import numpy as np
import pytest

from lrface.errors import DataError
from lrface.naming.track import pooled, tracks, worth


def rows(generator: np.random.Generator, likeness: list[float], width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A person, and unit embeddings whose cosines to it are about `likeness`."""
    person = np.eye(width)[0]
    noise = generator.normal(size=(len(likeness), width))
    noise[:, 0] = 0
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    c = np.asarray(likeness)[:, None]
    return person, c * person + np.sqrt(1 - c**2) * noise


def test_worth_rises_with_the_side() -> None:
    found = worth([8, 10, 12, 16, 24, 32, 64, 112])
    assert (np.diff(found) > 0).all()
    assert (found > 0).all()


def test_weights_by_worth_are_nearer_to_the_person_than_the_plain_mean() -> None:
    generator = np.random.default_rng(0)
    gained = []
    for _ in range(50):
        person, embeddings = rows(generator, [0.3, 0.3, 0.3, 0.7])
        weighted = pooled(embeddings, worth([8, 8, 8, 24])).embedding
        gained.append(float(weighted @ person - pooled(embeddings).embedding @ person))
    assert np.mean(gained) > 0.02


def test_one_picture_is_its_own_probe() -> None:
    _, embeddings = rows(np.random.default_rng(1), [0.5])
    found = pooled(embeddings, worth([12]))
    np.testing.assert_allclose(found.embedding, embeddings[0], atol=1e-6)
    assert found.weights.tolist() == [1.0]


@pytest.mark.parametrize(
    ("embeddings", "weights", "got"),
    [
        (np.empty((0, 8)), None, "shape"),
        (np.eye(3), [1.0, 2.0], "weights"),
        (np.eye(3), [1.0, 0.0, 1.0], "weights"),
        (np.array([[1.0, 0.0], [-1.0, 0.0]]), None, "cancel"),
    ],
)
def test_what_is_no_track_is_told(embeddings: np.ndarray, weights: list[float] | None, got: str) -> None:
    with pytest.raises(DataError, match=got):
        pooled(embeddings, None if weights is None else np.array(weights))


def test_sides_that_are_none_are_told() -> None:
    with pytest.raises(DataError, match="pixels over 0"):
        worth([8, 0])


def test_rows_of_one_key_are_one_track_in_order() -> None:
    _, embeddings = rows(np.random.default_rng(2), [0.6] * 5)
    found = tracks(embeddings, [8, 16, 8, 12, 16], ["b", "a", "b", "c", "a"])
    assert [track.rows for track in found] == [(0, 2), (1, 4), (3,)]
    assert found[0].side > 8
    assert found[1].side > 16
    assert found[2].side == 12
    np.testing.assert_allclose(found[1].embedding, pooled(embeddings[[1, 4]]).embedding, atol=1e-6)
    with pytest.raises(DataError, match="4 keys"):
        tracks(embeddings, [8] * 5, ["a"] * 4)


def test_a_wrong_picture_has_hardly_a_share_and_is_told() -> None:
    person, embeddings = rows(np.random.default_rng(3), [0.6, 0.6, 0.6, 0.0])
    found = pooled(embeddings)
    assert found.odd == (3,)
    assert found.weights[3] < 0.5 * found.weights[:3].min()
    assert found.embedding @ person > embeddings.mean(axis=0) @ person / np.linalg.norm(embeddings.mean(axis=0))


def test_of_two_pictures_neither_is_the_odd_one() -> None:
    _, embeddings = rows(np.random.default_rng(4), [0.9, 0.0])
    found = pooled(embeddings)
    assert (found.odd, found.weights.tolist()) == ((), [0.5, 0.5])


def test_the_threshold_of_a_track_is_that_of_a_larger_face_the_more_pictures_it_has() -> None:
    _, embeddings = rows(np.random.default_rng(5), [0.47] * 8)
    sides = [tracks(embeddings[:count], [12] * count, ["a"] * count)[0].side for count in (1, 2, 4, 8)]
    assert sides[0] == 12
    assert (np.diff(sides) > 0).all()
    assert sides[-1] <= 112
