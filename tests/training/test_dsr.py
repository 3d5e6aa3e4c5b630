import math
import re

import pytest
import torch
from pydantic import ValidationError

from lrface.errors import NonFiniteError
from lrface.images.degradation.degradation import degrade, fixed_draw
from lrface.images.degradation.resample import enlarge
from lrface.images.ranges import to_float
from lrface.training.loop.fit import fit
from lrface.training.losses.settings import DsrLossSettings, PerceptualSettings
from lrface.training.settings import DsrOptimSettings

NO_VGG = PerceptualSettings(weights="none")


def test_the_supervisor_is_frozen_and_bit_identical_after_training(make_dsr, recogniser, tools):
    before = tools.state(recogniser)
    module = make_dsr(supervisor=recogniser, epochs=1)
    start = tools.state(module.dsr)
    fit(module, tools.cpu)
    assert tools.same(tools.state(recogniser), before)
    assert not recogniser.training
    assert all(parameter.grad is None for parameter in recogniser.parameters())
    assert not any("supervisor" in name or "edgeface" in name for name in module.state_dict())
    assert not tools.same(tools.state(module.dsr), start)


def test_the_untrained_network_scores_as_bicubic(make_dsr, tiny_pack):
    module = make_dsr()
    metrics = module.validate()
    validation = module.data.validation
    total = 0.0
    for owner, size in zip(validation.owner, validation.size, strict=True):
        hr = to_float(validation.hr[owner][None])
        vlr = degrade(hr, fixed_draw(int(size), 1)).enlarged.clamp(0, 1)
        total += -10 * math.log10((vlr - hr).square().mean())
    assert metrics["psnr"] == pytest.approx(total / len(validation.owner), rel=1e-4)
    assert set(metrics) >= {"loss", "loss_l1", "loss_identity", "loss_feature", "loss_tv", "ssim", "similarity"}


def test_validation_is_the_same_each_time_and_leaves_training_mode(make_dsr):
    module = make_dsr()
    assert module.validate() == module.validate()
    assert module.dsr.training


def test_the_running_mean_follows_its_formula(make_dsr, tools):
    module = make_dsr(epochs=2, optim=DsrOptimSettings(lr=1e-2, ema=0.9))
    seen = []
    plain = module.moved

    def end():
        plain()
        seen.append((module.dsr.tail.weight.detach().clone(), module.mean.module.tail.weight.detach().clone()))

    module.moved = end
    fit(module, tools.cpu)
    assert len(seen) == 4
    mean = seen[0][0]
    for step, (current, averaged) in enumerate(seen):
        if step:
            mean = torch.lerp(mean, current, 1 - min(0.9, (1 + step) / (10 + step)))
        torch.testing.assert_close(averaged, mean)
    assert not torch.equal(seen[-1][0], seen[-1][1])


def test_the_running_mean_is_what_is_judged_and_kept(make_dsr):
    module = make_dsr()
    assert module.trained() is module.mean.module
    without = make_dsr(optim=DsrOptimSettings(ema=0.0))
    assert without.mean is None
    assert without.trained() is without.dsr


def test_the_rate_warms_up_and_falls(make_dsr, tools, notes):
    module = make_dsr(epochs=4, warmup_epochs=1, optim=DsrOptimSettings(lr=1e-3, ema=0.0))
    rates = []
    plain = module.losses

    def losses(batch):
        rates.append(module.optimizers().param_groups[0]["lr"])
        return plain(batch)

    module.losses = losses
    fit(module, tools.cpu)
    cosine = [1e-3 * 0.5 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert rates == pytest.approx([1e-3 / 3, 2e-3 / 3, *cosine])


def test_what_is_told_of_an_epoch(make_dsr, tools, notes):
    fit(make_dsr(epochs=2), tools.cpu)
    told = {}
    for _, values in notes.values:
        told |= values
    terms = {"l1", "identity", "feature", "tv"}
    assert set(told) >= {f"train/loss_{term}" for term in terms} | {f"val/loss_{term}" for term in terms}
    assert set(told) >= {"train/norm_dsr", "train/lr_dsr", "train/skipped", "val/psnr", "val/ssim", "val_start/psnr"}
    assert sum(told[f"train/share_{term}"] for term in terms) == pytest.approx(1)
    assert notes.images == [("validation_faces", 0), ("validation_faces", 1)]
    number = r"[-+.\de]+"
    terms_shown = "  ".join(f"{name} {number}" for name in ("loss", "l1", "identity", "feature", "tv"))
    figures = rf"loss {number}  psnr {number}  ssim {number}  similarity {number}"
    assert re.fullmatch(rf"dsr epoch 1/2  {terms_shown} \| val {figures} \| lr_dsr {number}( \*)?", notes.lines[0])


def test_a_batch_that_is_not_finite_is_left_out_and_counted(make_dsr, tools):
    module = make_dsr(epochs=1)
    plain, weights = module.losses, []

    def losses(batch):
        weights.append(module.dsr.tail.weight.detach().clone())
        values = plain(batch)
        if batch.step == 0:
            module.left_out = batch.rows.tolist()
            return {**values, "loss": values["loss"] * torch.nan}
        return values

    module.losses = losses
    outcome = fit(module, tools.cpu)
    assert outcome.skipped == 1
    assert module.skipped_batches == [{"epoch": 0, "step": 0, "rows": module.left_out, "loss": "nan", "norms": {}}]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(module.dsr.tail.weight, weights[1])
    assert outcome.history[0]["train_skipped"] == 1
    assert all(math.isfinite(value) for value in outcome.history[0].values())
    assert outcome.history[0]["train_norm_dsr"] > 0


def test_a_gradient_that_is_not_finite_is_left_out_and_counted(make_dsr, tools):
    module = make_dsr(epochs=1)
    plain = module.losses

    def losses(batch):
        values = plain(batch)
        if batch.step == 1:
            module.left_out = batch.rows.tolist()
            values["loss"] = values["loss"] + (module.dsr.tail.weight.sum() * 0).sqrt()
        return values

    module.losses = losses
    outcome = fit(module, tools.cpu)
    assert outcome.skipped == 1
    (left_out,) = module.skipped_batches
    assert (left_out["epoch"], left_out["step"], left_out["rows"]) == (0, 1, module.left_out)
    assert math.isfinite(left_out["loss"])
    assert left_out["norms"] == {"dsr": "nan"}
    assert all(bool(parameter.isfinite().all()) for parameter in module.dsr.parameters())


@pytest.mark.parametrize("images", [6, 3])
def test_an_epoch_that_is_not_finite_stops_and_says_what_to_try(make_dsr, tools, images):
    module = make_dsr(epochs=3, batch_size=6 // (6 // images))
    plain = module.losses
    module.losses = lambda batch: {"loss": plain(batch)["loss"] * torch.inf}
    with pytest.raises(NonFiniteError, match=r"2 of 2|1 of 1") as caught:
        fit(module, tools.cpu)
    assert "\n" not in str(caught.value)
    assert "clip=0.5" in str(caught.value)


def test_a_single_batch_that_is_not_finite_is_a_whole_epoch(make_dsr, tools):
    module = make_dsr(epochs=3, batch_size=6)
    plain = module.losses
    module.losses = lambda batch: {"loss": plain(batch)["loss"] * torch.nan}
    with pytest.raises(NonFiniteError, match="1 of 1 batches"):
        fit(module, tools.cpu)


def test_weights_that_overflow_stop_the_training_by_name(make_dsr, tools):
    module = make_dsr(epochs=2, optim=DsrOptimSettings(ema=0.0))
    before = tools.state(module.dsr)
    plain = module.moved

    def end():
        plain()
        with torch.no_grad():
            module.dsr.tail.bias.fill_(torch.nan)

    module.moved = end
    module.loop = module.loop.model_copy(update={"max_skipped": 1.0})
    with pytest.raises(NonFiniteError):
        fit(module, tools.cpu)
    assert tools.same(tools.state(module.dsr), before)


def test_terms_without_weight_are_not_computed(make_dsr, monkeypatch):
    module = make_dsr(loss=DsrLossSettings(identity=0, feature=0, tv=0, perceptual_network=NO_VGG))
    hr = torch.rand(2, 3, 112, 112)
    monkeypatch.setattr(type(module._judges[0]), "embed_with_features", None)
    assert set(module.terms(enlarge(hr[..., ::7, ::7]), hr, torch.tensor([16, 16])).values) == {"l1"}


def test_every_term_pulls_at_the_restored_face(make_dsr, recogniser):
    module = make_dsr(supervisor=recogniser)
    hr = to_float(module.data.pack.faces[:2])
    restored = enlarge(hr[..., ::7, ::7]).requires_grad_()
    for name, value in module.terms(restored, hr, torch.tensor([16, 16])).values.items():
        (gradient,) = torch.autograd.grad(value, restored, retain_graph=True)
        assert gradient.abs().sum() > 0, name


def test_weights_that_leave_the_pixel_term_idle_are_named_once(make_dsr, tools, notes):
    few = DsrLossSettings(l1=1e-4, identity=1.0, feature=0.0, perceptual_network=NO_VGG)
    fit(make_dsr(epochs=2, loss=few), tools.cpu)
    assert notes.findings.count("pixel_term_idle") == 1


def test_selection_by_psnr_or_by_identity(make_dsr):
    metrics = {"psnr": 25.0, "similarity": 0.9, "dprime": 2.0, "tar_at_far_1e-2": 0.5}
    assert make_dsr().score(metrics) == [25.0]
    assert make_dsr(optim=DsrOptimSettings(select="identity")).score(metrics) == [0.5, 2.0]


@pytest.mark.parametrize("nonsense", [{"lr": 0}, {"ema": 1.0}, {"clip": 0}, {"select": "loss"}])
def test_nonsense_is_refused(nonsense):
    with pytest.raises(ValidationError):
        DsrOptimSettings(**nonsense)
