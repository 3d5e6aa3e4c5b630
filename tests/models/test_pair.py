import numpy as np
import pytest
import torch

from lrface.errors import DataError, WeightsError
from lrface.evaluation.protocol.arms import bicubic
from lrface.images.ranges import to_float
from lrface.models.dsr.folder import dsr_spec
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.pair import Pair, read_pair, write_bicubic
from lrface.models.store import write_model


@pytest.fixture(scope="module")
def networks():
    return EdgeFace("xxs").eval(), DSR("edge").eval()


def draw(side, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def test_sizes_may_be_mixed_and_each_goes_its_way(networks):
    pair = Pair(*networks, "a" * 64)
    images = [draw(112), draw(12), draw(300), draw(12, 1), draw(32)]
    faces = pair.restore(images)
    assert torch.equal(faces[0], to_float(images[0][None])[0])
    for place in (1, 3, 4):
        with torch.no_grad():
            assert torch.allclose(faces[place], networks[1](to_float(images[place][None]))[0], atol=1e-5)
    assert faces.shape == (5, 3, 112, 112)
    assert 0 <= float(faces.min()) <= float(faces.max()) <= 1
    embeddings = pair.embed(faces)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_more_than_a_batch_is_the_same_as_one_by_one(networks):
    pair = Pair(networks[0], bicubic, "a" * 64)
    images = [draw(8, seed) for seed in range(70)]
    faces = pair.restore(images)
    assert torch.allclose(faces[69], pair.restore(images[69:])[0], atol=1e-6)
    assert np.allclose(pair.embed(faces)[69], pair.embed(faces[69:])[0], atol=1e-5)
    assert pair.embed(faces[:0]).shape == (0, 512)


@pytest.mark.parametrize("shape", [(16, 12, 3), (7, 7, 3), (16, 16)])
def test_what_is_no_face_is_refused(networks, shape):
    with pytest.raises(DataError, match="crop the face first"):
        Pair(*networks, "a" * 64).restore([np.zeros(shape, np.uint8)])


def test_a_pair_is_read_from_its_folder_with_the_hash_of_its_recogniser(networks, tmp_path):
    sha256 = write_model(tmp_path / "edgeface", networks[0], edgeface_spec(networks[0]))
    write_model(tmp_path / "dsr", networks[1], dsr_spec(networks[1]))
    assert read_pair(tmp_path).weights == sha256
    (tmp_path / "dsr").rename(tmp_path / "other")
    (tmp_path / "edgeface").rename(tmp_path / "dsr")
    (tmp_path / "other").rename(tmp_path / "edgeface")
    with pytest.raises(WeightsError, match="got a dsr; expected a edgeface"):
        read_pair(tmp_path)


def test_larger_pictures_go_in_smaller_batches(networks, monkeypatch):
    pair = Pair(*networks, "a" * 64)
    sizes = []
    real = pair._enlarged

    def counted(batch):
        sizes.append(tuple(batch.shape))
        return real(batch)

    monkeypatch.setattr(pair, "_enlarged", counted)
    images = [
        np.full((side, side, 3), 10 * number, np.uint8)
        for number, side in enumerate((448, 448, 448, 448, 448, 1024, 1024))
    ]
    faces = pair.restore(images)
    assert sizes == [(4, 3, 448, 448), (1, 3, 448, 448), (1, 3, 1024, 1024), (1, 3, 1024, 1024)]
    assert [round(float(face.mean()) * 255) for face in faces] == [10 * number for number in range(7)]


def test_a_pair_without_a_super_resolver_says_so_and_enlarges_by_bicubic(networks, tmp_path):
    write_model(tmp_path / "edgeface", networks[0], edgeface_spec(networks[0]))
    write_bicubic(tmp_path / "dsr")

    faces = read_pair(tmp_path).restore([draw(12)])

    assert torch.allclose(faces, bicubic(to_float(draw(12)[None])), atol=1e-6)


def test_a_missing_super_resolver_is_not_taken_for_bicubic(networks, tmp_path):
    write_model(tmp_path / "edgeface", networks[0], edgeface_spec(networks[0]))
    (tmp_path / "dsr").mkdir()
    with pytest.raises(WeightsError):
        read_pair(tmp_path)
    write_model(tmp_path / "dsr", networks[1], dsr_spec(networks[1]))
    write_bicubic(tmp_path / "dsr")
    with pytest.raises(WeightsError, match="do not belong together"):
        read_pair(tmp_path)
