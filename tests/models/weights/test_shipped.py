"""The weights that come with the package: whole, ours to give, and good at what they were trained for."""

import numpy as np
import pytest
import torch

from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.images.ranges import to_float
from lrface.models.checkpoint.doctor import load_edgeface
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import read_spec, write_model
from lrface.models.weights.shipped import DRAWN, LICENCE, is_shipped, ship, shipped_folder


@pytest.fixture(scope="module")
def network():
    return load_edgeface(shipped_folder())[0]


def test_they_are_small_whole_and_free(network):
    folder = shipped_folder()
    spec = read_spec(folder)
    assert (spec.variant, spec.licence) == ("xxs", LICENCE)
    assert load_edgeface(folder)[1].sha256 == spec.sha256
    assert {value.dtype for value in network.state_dict().values()} == {torch.float32}
    assert (folder / "model.safetensors").stat().st_size < 5_200_000


def test_the_card_names_hash_licence_and_command():
    card, spec = (shipped_folder() / "README.md").read_text(), read_spec(shipped_folder())
    for fact in (spec.sha256, LICENCE, "-e pretrain", "preset=drawn"):
        assert fact in card


def test_a_folder_of_the_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_shipped(DRAWN)
    (tmp_path / DRAWN).mkdir()
    assert not is_shipped(DRAWN)


@torch.inference_mode()
def test_people_whom_they_have_not_seen_are_told_apart(network):
    drawn = list(render_faces(ProceduralSettings(subjects=12, images_per_subject=3, seed=71), workers=1))
    people = np.array([subject for subject, _, _ in drawn])
    cosine = (found := network(to_float(np.stack([face for _, _, face in drawn])))) @ found.T
    same = torch.from_numpy(people[:, None] == people)
    cosine.fill_diagonal_(-1.0)
    assert cosine[~same].mean().abs() < 0.25
    nearest = people[cosine.argmax(1).numpy()]
    assert (nearest == people).mean() > 0.85


def test_half_precision_moves_no_embedding_by_more_than_a_hair(tmp_path):
    network = EdgeFace("xxs", seed=5, layer_scale=1.0).eval()
    write_model(tmp_path / "whole", network, edgeface_spec(network))
    assert ship(tmp_path / "whole", tmp_path / "half") == read_spec(tmp_path / "half").sha256
    halved = load_edgeface(tmp_path / "half")[0]
    faces = torch.rand(4, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert (network(faces) * halved(faces)).sum(1).min() > 0.9999
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.55 * sizes[0]
