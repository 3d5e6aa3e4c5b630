"""Faces of several steps made ready at once, and steps that do not wait for a GPU."""

import contextlib

import torch
from torch import nn

from lrface.models.edgeface.network import EdgeFace
from lrface.training.batches.ready import grouped
from lrface.training.losses.settings import DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.settings import EdgeFaceOptimSettings, MixSettings


def assert_alike(one, other):
    assert one.tensors.keys() == other.tensors.keys()
    assert (one.step, one.rows.tolist(), one.part) == (other.step, other.rows.tolist(), other.part)
    for name, tensor in one.tensors.items():
        torch.testing.assert_close(tensor, other[name], atol=1e-5, rtol=1e-4)
    for name, tensor in one.loose.items():
        assert torch.equal(tensor, other[name])


def assert_a_group_changes_nothing(module):
    batches = list(module.source)
    assert len(batches) > 1
    together = module.prepared(batches)
    for batch, ready in zip(batches, together, strict=True):
        assert_alike(module.prepared([batch])[0], ready)
    assert not torch.equal(next(iter(together[0].tensors.values())), next(iter(together[1].tensors.values())))


def test_a_group_of_a_super_resolvers_batches_is_each_of_them(make_dsr, recogniser):
    module = make_dsr(
        supervisor=recogniser, loss=DsrLossSettings(perceptual_network=PerceptualSettings(weights="none"))
    )
    augmentation = module.recipe.augmentation.model_copy(update={"blend": 1.0, "bend": 1.0, "geometry": 1.0})
    object.__setattr__(module.recipe, "augmentation", augmentation)
    assert_a_group_changes_nothing(module)


def test_a_group_of_a_recognisers_batches_is_each_of_them(make_edgeface):
    mix = MixSettings(sr=1, bicubic=1, hr=1)
    assert_a_group_changes_nothing(make_edgeface(mix=mix, restore=lambda small: 0.5 * small.enlarged))
    assert_a_group_changes_nothing(make_edgeface(margin=MarginSettings(sample=0.5)))


def test_batches_are_grouped_up_to_a_number_of_faces(make_dsr):
    batches = list(make_dsr().source) * 5
    assert [len(group) for group in grouped(iter(batches), most=9)] == [3, 3, 3, 1]
    assert [len(group) for group in grouped(iter(batches[:2]), most=1)] == [1, 1]


class Still(torch.optim.SGD):
    """AdamW, fused, knows no meta tensors; what it is told is looked at."""

    def step(self):
        assert self.found_inf.device.type == "meta"


def step_on_meta(module, monkeypatch):
    """Do one step on the device `meta`, where nothing can be read back and nothing of the CPU's be mixed in."""
    (ready,) = module.prepared([next(iter(module.source))])
    meta = torch.device("meta")
    for frozen in vars(module).get("_judges", ()):
        if isinstance(frozen, nn.Module):
            frozen.to(meta)
    module.to(meta)
    module.place = meta
    if hasattr(module, "_body"):
        module._body = list(module.edgeface.parameters())
    optimizer = Still(module.parameter_groups())
    monkeypatch.setattr(module, "_optimizer", lambda: optimizer)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
    module._around = ready
    module._step({name: tensor.to(meta) for name, tensor in (ready.tensors | ready.loose).items()})
    assert all(parameter.grad is not None for group in module.parameter_groups() for parameter in group["params"])


def test_a_super_resolvers_step_reads_nothing_back(make_dsr, monkeypatch):
    loss = DsrLossSettings(contrast=1.0, perceptual_network=PerceptualSettings(weights="none"))
    supervisor = EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False)
    step_on_meta(make_dsr(supervisor=supervisor, loss=loss, precision="fp32"), monkeypatch)


def test_a_recognisers_step_reads_nothing_back(make_edgeface, monkeypatch):
    for margin in (MarginSettings(), MarginSettings(kind="cosface"), MarginSettings(kind="subcentre")):
        optim = EdgeFaceOptimSettings(contrast=1.0, ema=0.9)
        step_on_meta(make_edgeface(margin=margin, optim=optim, precision="fp32"), monkeypatch)
