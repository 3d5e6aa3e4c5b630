import pytest
import torch

from lrface.training.loop.fit import fit
from lrface.training.settings import (
    MixSettings,
)


def test_both_networks_are_trained_and_what_they_are_held_against_is_not(make_pair, recogniser, tools):
    module = make_pair()
    before = tools.state(recogniser), tools.state(module.edgeface), tools.state(module.dsr)
    outcome = fit(tools.improving(module), tools.cpu)
    assert tools.same(tools.state(recogniser), before[0])
    assert not tools.same(tools.state(module.edgeface), before[1])
    assert not tools.same(tools.state(module.dsr), before[2])
    assert {"train_loss_l1", "train_loss_contrast", "train_norm_dsr", "psnr", "tar_at_far_1e-1"} <= set(
        outcome.history[-1]
    )


def test_what_is_recognised_goes_through_the_super_resolver(make_pair):
    module = make_pair(pixels=0.0, mix=MixSettings(sr=1, bicubic=0, hr=0))
    ready = module.prepared([next(iter(module.source))])[0]
    module.losses(ready)["loss"].backward()
    assert module.dsr.tail.weight.grad.abs().sum() > 0
    module.dsr.zero_grad()
    other = make_pair(pixels=0.0, mix=MixSettings(sr=0, bicubic=0, hr=1))
    other.losses(other.prepared([next(iter(other.source))])[0])["loss"].backward()
    assert other.dsr.tail.weight.grad.abs().sum() == 0


@pytest.mark.parametrize("ema", [0.0, 0.5])
def test_the_pair_ends_at_its_best_state_both_halves_of_one_epoch(make_pair, tools, monkeypatch, ema):
    module = make_pair(ema=ema, epochs=3)
    scores, states = iter([[0.0], [1.0], [5.0], [4.0]]), []
    monkeypatch.setattr(module, "score", lambda metrics: next(scores))
    plain = module.validate

    def validate():
        states.append((tools.state(module.judged), tools.state(module.judged_dsr)))
        return plain()

    monkeypatch.setattr(module, "validate", validate)
    assert fit(module, tools.cpu).best_epoch == 1
    assert tools.same(tools.state(module.edgeface), states[2][0])
    assert tools.same(tools.state(module.dsr), states[2][1])
    assert not tools.same(states[2][1], states[3][1])


def test_a_killed_training_of_a_pair_goes_on_as_if_nothing_had_happened(make_pair, tools, tmp_path):
    whole = tools.improving(make_pair(folder=tmp_path / "whole"))
    wanted = fit(whole, tools.cpu)
    module = tools.improving(make_pair())
    plain = module.losses

    def losses(ready):
        if module.current_epoch == 1:
            raise LookupError
        return plain(ready)

    module.losses = losses
    with pytest.raises(LookupError):
        fit(module, tools.cpu)
    again = make_pair()
    numbers = iter(range(10, 20))
    again.score = lambda metrics: [float(next(numbers))]
    assert fit(again, tools.cpu).history == wanted.history
    assert tools.same(tools.state(again.dsr), tools.state(whole.dsr))


def test_validation_sees_the_super_resolver_as_it_is(make_pair):
    module = make_pair(ema=0.0)
    start = module.validate()
    with torch.no_grad():
        module.dsr.tail.weight.fill_(0.05)
    assert module.validate()["psnr"] < start["psnr"]
    assert module.dsr.training
