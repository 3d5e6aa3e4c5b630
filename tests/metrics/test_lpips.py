"""LPIPS against an independent implementation, on random weights and, where they are, on those of its authors."""

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torchmetrics.functional.image.lpips import _LPIPS

from lrface.errors import EvaluationError
from lrface.metrics.lpips import Lpips
from lrface.models.weights.backbones import lpips_linear, read_backbone

NAMES = {"alexnet": "alex", "vgg16": "vgg"}


@pytest.fixture(scope="module", params=NAMES)
def pair(request):
    """The same weights in torchmetrics' network and in ours; random ones in the convolutions."""
    torch.manual_seed(5)
    theirs = _LPIPS(pretrained=False, net=NAMES[request.param], pnet_rand=True)
    layers = [module for module in theirs.net.modules() if isinstance(module, nn.Conv2d)]
    convolutions = [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
    linear = lpips_linear(request.param)
    for layer, own in zip(theirs.lins, linear, strict=True):
        layer.model[1].weight.data.copy_(own.view(1, -1, 1, 1))
    return Lpips(request.param, convolutions, linear), theirs


@pytest.fixture
def pictures(generator):
    original = torch.rand(3, 3, 112, 112, generator=generator)
    noise = 0.1 * torch.randn(3, 3, 112, 112, generator=generator)
    return (original + noise).clamp(0, 1), original


def test_it_is_what_torchmetrics_computes(pair, pictures):
    ours, theirs = pair
    with torch.no_grad():
        wanted = theirs(*pictures, normalize=True).flatten()
    assert wanted.min() > 0
    torch.testing.assert_close(ours(*pictures), wanted, rtol=2e-3, atol=1e-5)


def test_equal_pictures_are_at_no_distance_and_order_does_not_matter(pair, pictures):
    ours, _ = pair
    picture, original = pictures
    assert (ours(original, original) == 0).all()
    torch.testing.assert_close(ours(picture, original), ours(original, picture))
    torch.testing.assert_close(ours(picture, original)[1:], ours(picture[1:], original[1:]), rtol=1e-4, atol=1e-7)


def test_a_range_or_shape_that_is_wrong_is_refused(pair, pictures):
    ours, _ = pair
    picture, original = pictures
    with pytest.raises(EvaluationError, match="expected 0 to 1"):
        ours(picture * 255, original)
    with pytest.raises(EvaluationError, match="one shape"):
        ours(picture[:2], original)


def test_weights_of_another_network_are_refused():
    weights = [(torch.zeros(4, 3, 3, 3), torch.zeros(4))] * 13
    with pytest.raises(EvaluationError, match="13 convolutions"):
        Lpips("alexnet", weights, lpips_linear("alexnet"))
    with pytest.raises(EvaluationError, match="linear layers"):
        Lpips("vgg16", weights, lpips_linear("vgg16"))


@pytest.mark.real
@pytest.mark.parametrize(("name", "wanted"), [("alexnet", 0.5483696), ("vgg16", 0.4811789)])
def test_the_authors_weights_give_the_reference_value(name, wanted):
    """The value that torchmetrics' network gives with these weights."""
    folder = Path(os.environ.get("LRFACE_LPIPS", Path(__file__).resolve().parents[3] / "shared" / "lpips"))
    path = folder / f"{name}.ckpt"
    if not path.is_file():
        pytest.skip(f"no weights at {path}; LRFACE_LPIPS names the folder of alexnet.ckpt and vgg16.ckpt")
    backbone = read_backbone(path, name)
    for own, packaged in zip(backbone.linear, lpips_linear(name), strict=True):
        assert torch.equal(own, packaged)
    across = torch.linspace(0, 1, 112).expand(1, 3, 112, 112)
    found = float(Lpips(name, backbone.convolutions, backbone.linear)(across, across.mT))
    assert found == pytest.approx(wanted, rel=1e-4)
