import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lrface.errors import WeightsError
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.export import export_onnx
from lrface.models.export.quantise import quantise, sensitive_products


class Embedder(nn.Module):
    """Two products; the inputs of the second have one channel that is a thousand times the others."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first, self.second = nn.Linear(24, 24), nn.Linear(24, 16)
        scale = torch.ones(24)
        scale[0] = 1000.0
        self.register_buffer("scale", scale)

    def forward(self, faces):
        hidden = torch.relu(self.first(faces)) * self.scale
        return nn.functional.normalize(self.second(hidden / self.scale.sqrt()), dim=-1)


@pytest.fixture
def faces():
    return torch.rand(6, 24, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def plain(tmp_path, faces):
    export_onnx(Embedder().eval(), faces, tmp_path / "plain.onnx", names=("faces", "embedding"))
    return tmp_path / "plain.onnx"


def test_the_product_that_costs_most_stays_as_it_is(plain, faces, tmp_path):
    whole = quantise(plain, tmp_path / "whole.onnx", [faces], embedding=0)
    assert whole.kept == ()
    wanted = 1 - (1 - whole.similarity[1]) / 2
    kept = sensitive_products(plain, faces, wanted)
    assert kept
    better = quantise(plain, tmp_path / "better.onnx", [faces], kept, embedding=0)
    assert better.similarity[1] >= wanted > whole.similarity[1]
    assert set(better.kept) == set(kept)


def test_where_nothing_costs_much_everything_is_quantised(plain, faces):
    assert sensitive_products(plain, faces, 0.5) == ()


def test_a_similarity_that_cannot_be_had_is_refused(plain, faces):
    with pytest.raises(WeightsError, match="int8_similarity"):
        sensitive_products(plain, faces, 1.1)


def test_edgeface_in_int8_is_smaller_and_says_nearly_the_same(tmp_path):
    faces = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    export_onnx(EdgeFace("xxs", layer_scale=1.0), faces, tmp_path / "edgeface.onnx", names=("faces", "embedding"))
    report = quantise(tmp_path / "edgeface.onnx", tmp_path / "edgeface_int8.onnx", [faces], embedding=0)
    assert report.size == (tmp_path / "edgeface_int8.onnx").stat().st_size
    assert report.size < 0.6 * (tmp_path / "edgeface.onnx").stat().st_size
    assert 0.95 < report.similarity[0] <= report.similarity[1] < 1.0001
    assert report.largest_difference is None
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    (embeddings,) = session.run(None, {"faces": torch.cat([faces, faces]).numpy()})
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_other_outputs_are_compared_by_difference(plain, faces, tmp_path):
    report = quantise(plain, tmp_path / "int8.onnx", [faces])
    assert report.similarity is None
    assert 0 < report.largest_difference < 0.2
    assert {path.name for path in tmp_path.iterdir()} == {"plain.onnx", "int8.onnx"}
