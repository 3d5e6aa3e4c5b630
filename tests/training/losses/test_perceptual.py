import hashlib
from urllib.error import URLError

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from lrface.errors import WeightsError
from lrface.training.losses import perceptual
from lrface.training.losses.perceptual import PerceptualLoss
from lrface.training.losses.settings import LAYERS, PerceptualSettings

WIDTHS = (2, 2, "M", 3, 3, "M", 4, 4, 4, 4, "M", 5, 5, 5, 5, "M", 5, 5, 5, 5, "M")


class NarrowVgg(nn.Module):
    """VGG19 with the layers of the real one in the same places, and hardly any channels."""

    def __init__(self, **_):
        super().__init__()
        layers, width = [], 3
        for entry in WIDTHS:
            if entry == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(width, entry, 3, padding=1), nn.ReLU(inplace=True)]
                width = entry
        self.features = nn.Sequential(*layers)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file of random weights for a narrow VGG19, and its hash as the expected one."""
    torch.manual_seed(3)
    path = tmp_path / "vgg19.pth"
    torch.save(NarrowVgg().state_dict(), path)
    monkeypatch.setattr(perceptual, "vgg19", NarrowVgg)
    monkeypatch.setitem(perceptual.SHA256_PREFIX, "vgg19", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    return path


@pytest.fixture
def loss(weights):
    return PerceptualLoss(PerceptualSettings(weights=str(weights)))


@pytest.fixture
def images(generator):
    return torch.rand(2, 3, 32, 32, generator=generator)


@pytest.mark.parametrize(("network", "config"), [("vgg19", "E"), ("vgg16", "D")])
def test_the_layers_are_the_relus_of_torchvisions_network(network, config):
    from torchvision.models.vgg import cfgs, make_layers

    with torch.device("meta"):
        layers = make_layers(cfgs[config])
    names, block, number = {}, 1, 1
    for index, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU):
            names[f"relu{block}_{number}"] = index
            number += 1
        elif isinstance(layer, nn.MaxPool2d):
            block, number = block + 1, 1
    assert {name: names[name] for name in LAYERS[network]} == LAYERS[network]
    for name, place in LAYERS[network].items():
        assert isinstance(layers[place + 1], nn.MaxPool2d), name
    if network == "vgg19":
        assert [type(layer) for layer in layers] == [type(layer) for layer in NarrowVgg().features]


def test_vgg16_has_layers_of_its_own_with_the_same_weights():
    wanted = {"relu1_2": 0.4, "relu2_2": 0.3, "relu3_3": 0.2, "relu4_3": 0.1}
    assert PerceptualSettings(network="vgg16").layers == wanted
    given = PerceptualSettings(network="vgg16", layers=PerceptualSettings().layers)
    assert given == PerceptualSettings(network="vgg16")
    assert PerceptualSettings(network="vgg16", layers={"relu3_3": 1.0}).layers == {"relu3_3": 1.0}
    with pytest.raises(ValidationError, match="relu3_4"):
        PerceptualSettings(network="vgg16", layers={"relu3_4": 1.0})


def test_features_from_elsewhere_take_the_place_of_a_file(weights, loss, images):
    state = {name.removeprefix("features."): value for name, value in torch.load(weights, weights_only=True).items()}
    other = PerceptualLoss(PerceptualSettings(weights="somewhere"), state)
    assert other(images, images.flip(-1)) == loss(images, images.flip(-1))


def test_zero_on_identical_images_and_positive_on_others(loss, images):
    assert loss(images, images) == 0
    assert loss(images, images.flip(-1)) > 0


def test_the_formula_by_hand(loss, weights, images):
    network = NarrowVgg()
    network.load_state_dict(torch.load(weights, weights_only=True))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def features(batch, last):
        normal = (batch - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        return network.features[: last + 1](normal)

    other = images.flip(-1)
    places = {3: 0.4, 8: 0.3, 17: 0.2, 26: 0.1}
    wanted = sum(weight * (features(images, at) - features(other, at)).abs().mean() for at, weight in places.items())
    assert loss(images, other).item() == pytest.approx(wanted.item(), rel=1e-5)


def test_only_chosen_layers_count_and_nothing_deeper_is_computed(weights, images):
    shallow = PerceptualLoss(PerceptualSettings(weights=str(weights), layers={"relu2_2": 2.0}))
    single = PerceptualLoss(PerceptualSettings(weights=str(weights), layers={"relu2_2": 1.0}))
    assert len(shallow.features) == 9
    torch.testing.assert_close(shallow(images, images.flip(-1)), 2 * single(images, images.flip(-1)))


def test_no_gradient_into_the_target_and_inputs_are_not_edited(loss, images):
    restored, target = images.clone().requires_grad_(), images.flip(-1).clone().requires_grad_()
    loss(restored, target).backward()
    assert restored.grad.abs().sum() > 0
    assert target.grad is None
    assert torch.equal(restored, images)
    assert torch.equal(target, images.flip(-1))


def test_the_network_never_learns_and_stays_in_evaluation(loss):
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not loss.train().training
    assert not loss.features.training


def test_gradients_agree_with_finite_differences(loss, generator):
    loss.double()
    restored = torch.rand(1, 3, 16, 16, generator=generator, dtype=torch.float64).requires_grad_()
    target = torch.rand(1, 3, 16, 16, generator=generator, dtype=torch.float64)
    assert loss(restored, target).dtype == torch.float64
    assert torch.autograd.gradcheck(lambda image: loss(image, target), restored, eps=1e-7, atol=1e-6)


def test_half_precision_features_are_compared_in_single(loss, images):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert loss(images, images.flip(-1)).dtype == torch.float32


def test_making_one_leaves_the_global_generator_alone(weights):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    PerceptualLoss(PerceptualSettings(weights=str(weights)))
    assert torch.equal(torch.rand(3), expected)


def refusal(settings):
    with pytest.raises(WeightsError) as caught:
        PerceptualLoss(settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    assert f"got no file {tmp_path / 'no.pth'}" in refusal(PerceptualSettings(weights=str(tmp_path / "no.pth")))


def test_another_file_is_one_line(weights):
    weights.write_bytes(weights.read_bytes() + b" ")
    assert "expected sha256" in refusal(PerceptualSettings(weights=str(weights)))


def test_no_network_is_one_line_with_the_manual_way(monkeypatch):
    def refuse(*_, **__):
        raise URLError("no route\nto host")

    monkeypatch.setattr(perceptual.VGG19_Weights, "get_state_dict", refuse)
    message = refusal(PerceptualSettings())
    assert "loss.perceptual_network.weights=PATH" in message
    assert "loss.perceptual_network.weights=none" in message


def test_unknown_or_no_layers_and_negative_weights_are_refused():
    for layers in ({"relu9_1": 1.0}, {}, {"relu1_2": -0.1}, {"relu1_2": 0.0}):
        with pytest.raises(ValidationError):
            PerceptualSettings(layers=layers)
