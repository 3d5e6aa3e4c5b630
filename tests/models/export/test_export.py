import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrface.errors import WeightsError
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.export import export_onnx


class Upscaler(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images):
        return F.interpolate(self.conv(images), size=(112, 112), mode="bicubic", align_corners=False)


class Moody(nn.Module):
    """Computes something else once it is traced."""

    def forward(self, images):
        return images + (1.0 if torch.onnx.is_in_onnx_export() else 0.0)


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_edgeface_is_the_same_in_onnx(tmp_path):
    model = EdgeFace("xxs", layer_scale=1.0).train()
    report = export_onnx(
        model, noise(2, 3, 112, 112), tmp_path / "new" / "edgeface.onnx", names=("images", "embeddings")
    )
    assert report.largest_difference < 1e-5
    assert report.shapes == ((2, 3, 112, 112), (6, 3, 112, 112))
    assert model.training
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["edgeface.onnx"]
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    images = noise(5, 3, 112, 112)
    (embeddings,) = session.run(["embeddings"], {"images": images.numpy()})
    with torch.no_grad():
        np.testing.assert_allclose(embeddings, model.eval()(images).numpy(), atol=1e-5)


def test_the_batch_can_be_fixed(tmp_path):
    report = export_onnx(nn.Linear(3, 2), noise(2, 3), tmp_path / "fixed.onnx", dynamic_batch=False)
    assert report.shapes == ((2, 3),)
    session = onnxruntime.InferenceSession(report.path, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [2, 3]


def test_the_size_can_be_free(tmp_path):
    report = export_onnx(
        Upscaler(), noise(1, 3, 16, 16), tmp_path / "up.onnx", dynamic_size=True, probes=[noise(1, 3, 8, 8)]
    )
    assert (1, 3, 8, 8) in report.shapes


def test_a_network_that_differs_is_not_written(tmp_path):
    with pytest.raises(WeightsError, match="differ by 1"):
        export_onnx(Moody(), noise(1, 3), tmp_path / "moody.onnx")
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_are_not_finite_are_a_difference(tmp_path):
    linear = nn.Linear(3, 2)
    with torch.no_grad():
        linear.bias.fill_(float("nan"))
    with pytest.raises(WeightsError, match="differ by nan"):
        export_onnx(linear, noise(1, 3), tmp_path / "nan.onnx")
