import pytest
import torch
from pydantic import ValidationError
from torch import nn

from lrface.errors import ConfigError
from lrface.models.edgeface.adapters import (
    AdaptedLinear,
    adapter_parameters,
    add_adapters,
    choose_trainable,
    merge_adapters,
    merged_copy,
)
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import TrainableSettings


@pytest.fixture
def model():
    return EdgeFace("xxs", layer_scale=1.0).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))


def trained(model):
    """The names whose values a step of training changes."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(parameters, lr=1.0)
    aim = torch.rand(512, generator=torch.Generator().manual_seed(1))
    (model(images) * aim).sum().backward()
    optimiser.step()
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def test_all_layers_train(model):
    chosen = choose_trainable(model, TrainableSettings(layers="all"))
    assert len(chosen.body) + len(chosen.head) == len(list(model.parameters()))
    assert len(chosen.head) == 2
    assert "model.stem.0.weight" in trained(model)


def test_the_head_alone_trains(model):
    chosen = choose_trainable(model, TrainableSettings(layers="head"))
    assert chosen.body == ()
    assert trained(model) == {"model.head.fc.weight", "model.head.fc.bias"}


def test_the_last_stage_trains_with_the_head(model):
    choose_trainable(model, TrainableSettings(layers="last_stage"))
    changed = trained(model)
    assert "model.stages.3.blocks.1.mlp.fc2.weight" in changed
    assert all(name.startswith(("model.stages.3.", "model.head.")) for name in changed)


def test_the_choice_can_change(model):
    choose_trainable(model, TrainableSettings(layers="head"))
    chosen = choose_trainable(model, TrainableSettings(layers="all"))
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert chosen.body


def test_adapters_start_without_effect_and_train_alone(model, images):
    before = model(images)
    chosen = choose_trainable(model, TrainableSettings(layers="adapters", adapter_rank=4))
    assert torch.equal(model(images), before)
    # `up` is zero at first, so only it moves in the first step.
    assert {name.rpartition(".")[2] for name in trained(model)} == {"up"}
    assert {name.rpartition(".")[2] for name in trained(model)} == {"up", "down"}
    assert len(chosen.head) == 2
    assert sum(p.numel() for p in (*chosen.body, *chosen.head)) < 0.1 * 1_244_744


@pytest.mark.parametrize("variant", ["xxs", "xs_gamma_06"])
def test_merged_adapters_compute_the_same_in_a_plain_network(variant, images):
    model = EdgeFace(variant, layer_scale=1.0).eval()
    plain_names = list(model.state_dict())
    before = model(images)
    add_adapters(model, rank=3, alpha=6.0, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in adapter_parameters(model):
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    adapted = model(images)
    assert (adapted - before).abs().max() > 1e-3
    copied = merged_copy(model)
    assert any(isinstance(module, AdaptedLinear) for module in model.modules())
    for merged in (copied, merge_adapters(model)):
        torch.testing.assert_close(merged(images), adapted, rtol=0, atol=2e-6)
        assert list(merged.state_dict()) == plain_names
        assert all(parameter.requires_grad for parameter in merged.projection.parameters())
    EdgeFace(variant).load_state_dict(model.state_dict(), strict=True)


def test_the_update_is_the_paper_s():
    linear = nn.Linear(5, 3)
    adapted = AdaptedLinear(linear, rank=2, alpha=8.0, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        adapted.up.normal_(generator=torch.Generator().manual_seed(1))
    inputs = torch.rand(4, 5, generator=torch.Generator().manual_seed(2))
    expected = inputs @ (linear.weight + 8.0 / 2 * adapted.up @ adapted.down).T + linear.bias
    torch.testing.assert_close(adapted(inputs), expected)


def test_the_seed_decides_the_start():
    starts = []
    for seed in (0, 0, 1):
        model = nn.Sequential(nn.Linear(8, 8))
        add_adapters(model, seed=seed)
        starts.append(model[0].down)
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])


def test_misuse_is_refused(model):
    add_adapters(model)
    with pytest.raises(ConfigError, match="merge them first"):
        add_adapters(model)
    with pytest.raises(ConfigError, match="merge the adapters first"):
        choose_trainable(model, TrainableSettings(layers="all"))
    with pytest.raises(ConfigError, match="without linear layers"):
        add_adapters(nn.Conv2d(1, 1, 1))
    with pytest.raises(ValidationError):
        TrainableSettings(layers="some")


def test_a_network_with_adapters_resumes(model, images):
    add_adapters(model, seed=1)
    trained(model.requires_grad_())
    other = EdgeFace("xxs", seed=5).eval()
    add_adapters(other, seed=6)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(images), model(images))
