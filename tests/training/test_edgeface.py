import copy

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from lrface.errors import ConfigError, DataError, TrainingError
from lrface.images.ranges import to_float
from lrface.models.edgeface.adapters import AdaptedLinear
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import TrainableSettings
from lrface.training.batches.mix import mixed
from lrface.training.loop.fit import fit
from lrface.training.settings import CoarseSettings, CollapseSettings, EdgeFaceOptimSettings, MixSettings


def optim_of(**settings):
    return EdgeFaceOptimSettings(**{"backbone_lr": 1e-4, "head_lr": 1e-2, **settings})


def test_the_anchor_is_bit_identical_after_training_and_the_network_is_not(make_edgeface, recogniser, tools):
    before = tools.state(recogniser)
    module = tools.improving(make_edgeface(epochs=1))
    fit(module, tools.cpu)
    assert tools.same(tools.state(recogniser), before)
    assert not tools.same(tools.state(module.edgeface), before)
    assert not any(name.startswith(("_frozen", "anchor")) for name in module.state_dict())


@pytest.mark.parametrize(
    ("layers", "moving"),
    [("head", ("model.head.fc.",)), ("last_stage", ("model.head.", "model.stages.3.", "model.norm_pre."))],
)
def test_only_the_chosen_layers_move(make_edgeface, recogniser, tools, layers, moving):
    optim = optim_of(train=TrainableSettings(layers=layers), weight_decay=0.1)
    module = tools.improving(make_edgeface(epochs=1, optim=optim))
    fit(module, tools.cpu)
    for name, value in recogniser.state_dict().items():
        if not name.startswith(moving):
            assert torch.equal(module.edgeface.state_dict()[name], value), name
    assert not tools.same(tools.state(module.edgeface), tools.state(recogniser))


@pytest.mark.parametrize("epochs", [0, 2])
def test_adapters_train_and_merge_into_a_plain_network(make_edgeface, recogniser, tools, epochs):
    adapters = optim_of(backbone_lr=1e-2, train=TrainableSettings(layers="adapters", adapter_rank=2))
    module = tools.improving(make_edgeface(epochs=epochs, optim=adapters))
    fit(module, tools.cpu)
    assert not any(isinstance(part, AdaptedLinear) for part in module.edgeface.modules())
    plain = EdgeFace("xxs")
    plain.load_state_dict(module.edgeface.state_dict())
    images = to_float(module.data.pack.faces[:2])
    changed = (plain(images) - recogniser(images)).abs().max()
    assert changed == 0 if epochs == 0 else changed > 1e-4


def test_adapters_go_on_after_a_kill(make_edgeface, tools, tmp_path):
    adapters = optim_of(backbone_lr=1e-2, train=TrainableSettings(layers="adapters", adapter_rank=2))
    whole = make_edgeface(folder=tmp_path / "whole", epochs=2, optim=adapters)
    wanted = fit(whole, tools.cpu)
    module = make_edgeface(epochs=2, optim=adapters)
    plain = module.losses

    def losses(batch):
        if module.current_epoch == 1:
            raise LookupError
        return plain(batch)

    module.losses = losses
    with pytest.raises(LookupError):
        fit(module, tools.cpu)
    again = make_edgeface(epochs=2, optim=adapters)
    assert fit(again, tools.cpu).history == wanted.history
    assert tools.same(tools.state(again.edgeface), tools.state(whole.edgeface))


def test_body_and_head_have_their_own_rates_and_clips(make_edgeface, tools, notes):
    module = make_edgeface(epochs=1, optim=optim_of(clip=0.25))
    norms = {}

    def moved():
        for group in module.optimizers().param_groups:
            grads = [parameter.grad for parameter in group["params"] if parameter.grad is not None]
            norms.setdefault(group["name"], []).append(torch.cat([grad.flatten() for grad in grads]).norm().item())

    module.moved = moved
    fit(module, tools.cpu)
    assert set(norms) == {"backbone", "head"}
    for of_group in norms.values():
        assert of_group == pytest.approx([0.25] * 2, rel=1e-3)
    told = {name: value for _, values in notes.values for name, value in values.items()}
    assert told["train/norm_backbone"] > 0.25
    assert told["train/lr_backbone"] == pytest.approx(told["train/lr_head"] / 100)


def test_an_epoch_that_forgets_hr_faces_cannot_win(make_edgeface):
    module = make_edgeface()
    module.start_metrics = {"hr_tar_at_far_1e-2": 0.9, "tar_at_far_1e-2": 0.3, "dprime": 1.0}
    forgetful = module.score({"hr_tar_at_far_1e-2": 0.88, "tar_at_far_1e-2": 0.99, "dprime": 9.0})
    faithful = module.score({"hr_tar_at_far_1e-2": 0.895, "tar_at_far_1e-2": 0.31, "dprime": 1.0})
    assert module.score(module.start_metrics) > forgetful
    assert faithful > module.score(module.start_metrics) > forgetful


def test_forgetting_is_seen_where_there_are_few_impostors(make_edgeface):
    module = make_edgeface()
    module.start_metrics = {"hr_tar_at_far_1e-1": 0.9, "dprime": 1.0, "hr_rank1": 1.0}
    assert module.score({"hr_tar_at_far_1e-1": 0.5, "dprime": 9.0, "hr_rank1": 1.0}) < module.score(
        module.start_metrics
    )
    module.start_metrics = {"dprime": 1.0, "hr_rank1": 1.0}
    assert module.score({"dprime": 9.0, "hr_rank1": 0.5}) < module.score(module.start_metrics)


def test_a_collapsed_network_cannot_win(make_edgeface):
    module = make_edgeface()
    module.start_metrics = module.validate()
    start = module.score(module.start_metrics)
    with torch.no_grad():
        for parameter in module.edgeface.head_parameters():
            parameter.zero_()
        module.edgeface.get_parameter("model.head.fc.bias").fill_(1.0)
    collapsed = module.validate()
    assert collapsed["similarity"] == pytest.approx(1)
    assert collapsed["impostor"] == pytest.approx(1)
    assert not module.score(collapsed) > start


def test_collapse_by_the_identity_term_alone_is_caught(make_edgeface, tools, notes, recogniser):
    """The prototype's way: follow similarity alone, at a rate that is far too high."""
    identity_alone = optim_of(backbone_lr=0.3, margin_weight=0.0, anchor=1.0, weight_decay=1.0, clip=100.0)
    module = make_edgeface(epochs=6, optim=identity_alone, collapse=CollapseSettings())
    with pytest.raises(TrainingError, match="expected embeddings that tell people apart") as caught:
        fit(module, tools.cpu)
    assert "\n" not in str(caught.value)
    assert tools.same(tools.state(module.edgeface), tools.state(recogniser))
    assert notes.findings[-1] == "stop_collapse"


def test_an_absurd_rate_is_caught(make_edgeface, tools, recogniser):
    module = make_edgeface(
        epochs=6, optim=optim_of(backbone_lr=1.0, head_lr=1.0, clip=1e6), collapse=CollapseSettings()
    )
    with pytest.raises(TrainingError):
        fit(module, tools.cpu)
    assert tools.same(tools.state(module.edgeface), tools.state(recogniser))


def test_a_network_from_nothing_has_half_its_epochs_to_spread(make_edgeface):
    module = make_edgeface(anchor=False, epochs=4, collapse=CollapseSettings())
    ill = {"impostor": 0.99, "effective_rank": 1.0}
    module.history = [ill] * 2
    assert "stop_collapse" not in [finding.name for finding in module.findings()]
    module.history = [ill] * 3
    assert [finding.name for finding in module.findings()] == ["stop_collapse"]


def test_metrics_hold_small_faces_hr_faces_and_the_old_gallery(make_edgeface):
    metrics = make_edgeface().validate()
    assert set(metrics) >= {"similarity", "impostor", "dprime", "effective_rank", "rank1", "hr_rank1"}
    assert metrics["anchor_similarity"] == pytest.approx(1, abs=1e-5)
    assert metrics["old_gallery_rank1"] == metrics["rank1"]
    assert "old_gallery_rank1" not in make_edgeface(anchor=False).validate()


def test_validation_is_the_same_each_time(make_edgeface):
    module = make_edgeface()
    assert module.validate() == module.validate()
    assert module.edgeface.training


def test_the_first_look_finds_a_super_resolver_that_does_nothing(make_edgeface, tools, notes):
    fit(make_edgeface(epochs=1, restore=lambda small: small.enlarged), tools.cpu)
    assert "dsr_equals_bicubic" in notes.findings


def test_the_anchor_term_is_the_distance_from_the_hr_embedding(make_edgeface, recogniser):
    module = make_edgeface(mix=MixSettings(sr=0, bicubic=0, hr=1))
    batch = next(iter(module.source))
    values = module.losses(module.prepared([batch])[0])
    assert values["loss_anchor"].abs().item() < 1e-5
    assert values["loss"].item() == pytest.approx(values["loss_arcface"].item(), abs=1e-4)
    shrunk = make_edgeface(mix=MixSettings(sr=0, bicubic=1, hr=0))
    values = shrunk.losses(shrunk.prepared([batch])[0])
    assert values["loss_anchor"].item() > 0.001
    wanted = values["loss_arcface"] + 5 * values["loss_anchor"]
    assert values["loss"].item() == pytest.approx(wanted.item())


def test_a_batch_is_mixed_by_its_shares(make_edgeface):
    module = make_edgeface(mix=MixSettings(sr=2, bicubic=1, hr=1))
    hr = torch.rand(1, 3, 112, 112).expand(200, -1, -1, -1)
    made = mixed(
        hr, module.recipe, lambda small: torch.full_like(small.enlarged, 0.123), torch.Generator().manual_seed(1)
    )
    restored, same = (made == 0.123).all(dim=(1, 2, 3)), (made == hr).all(dim=(1, 2, 3))
    assert restored.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert same.float().mean().item() == pytest.approx(0.25, abs=0.1)
    assert made.min() >= 0
    assert made.max() <= 1


def test_without_super_resolver_its_share_goes_to_the_others(make_edgeface):
    recipe = make_edgeface(mix=MixSettings(sr=2, bicubic=0, hr=1)).recipe
    hr = torch.rand(20, 3, 112, 112)
    assert torch.equal(mixed(hr, recipe, None, torch.Generator().manual_seed(1)), hr)


def test_a_mix_of_nothing_is_refused(make_edgeface):
    with pytest.raises(ValidationError, match="every share is 0"):
        MixSettings(sr=0, bicubic=0, hr=0)
    with pytest.raises(ConfigError, match=r"mix\.sr"):
        make_edgeface(mix=MixSettings(sr=1, bicubic=0, hr=0))


def test_one_person_alone_cannot_be_told_from_others(make_edgeface):
    module = make_edgeface()
    validation = copy.copy(module.data.validation)
    object.__setattr__(validation, "people", np.zeros_like(validation.people))
    object.__setattr__(module.data, "validation", validation)
    with pytest.raises(DataError, match="two people"):
        type(module)(
            module.edgeface, None, module.head, None, module.data, module.recipe,
            seed=0, report=module.report, folder=module.folder, device=torch.device("cpu"),
        )  # fmt: skip


def test_half_precision_where_it_is_asked_for(make_edgeface):
    batch = next(iter(make_edgeface().source))
    made = [make_edgeface(precision=precision) for precision in ("fp32", "bf16")]
    plain, half = (module.losses(module.prepared([batch])[0]) for module in made)
    assert half["loss"].dtype == torch.float32
    assert half["loss_arcface"].item() != plain["loss_arcface"].item()
    assert half["loss_arcface"].item() == pytest.approx(plain["loss_arcface"].item(), rel=0.1)


@pytest.mark.parametrize("nonsense", [{"head_lr": 0}, {"anchor": -1}, {"select": "similarity"}, {"hr_tolerance": 2}])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        EdgeFaceOptimSettings(**nonsense)


def test_embeddings_have_unit_length(recogniser):
    made = recogniser(torch.rand(2, 3, 112, 112))
    torch.testing.assert_close(made, F.normalize(made))


def test_the_coarse_epochs_train_on_shrunk_faces_and_the_others_on_whole_ones(make_edgeface, tools):
    module = tools.improving(make_edgeface(anchor=False, coarse=CoarseSettings(epochs=1, side=48), epochs=2))
    seen, plain = [], module.losses

    def losses(ready):
        seen.append((module.current_epoch, tuple(ready["images"].shape[1:])))
        return plain(ready)

    module.losses = losses
    fit(module, tools.cpu)
    assert set(seen) == {(0, (3, 48, 48)), (1, (3, 112, 112))}
    assert all(np.isfinite(epoch["train_loss"]) for epoch in module.history)
