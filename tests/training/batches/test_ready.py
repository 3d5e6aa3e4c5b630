"""Faces of several steps made ready at once, and steps that do not wait for a GPU."""

import contextlib

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lrface.models.edgeface.network import EdgeFace
from lrface.training import head
from lrface.training.batches.ready import grouped
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.settings import EdgeFaceOptimSettings, HeadSettings, MixSettings
from lrface.training.supervisors import Ensemble


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


class NothingOfTheCpus(TorchDispatchMode):
    """Refuses what takes numbers of the CPU to the device `meta`: on a GPU each such copy waits."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given = [value for value in tree_leaves((args, kwargs or {})) if isinstance(value, torch.Tensor)]
        made = function(*args, **(kwargs or {}))
        every = given + [value for value in tree_leaves(made) if isinstance(value, torch.Tensor)]
        if any(value.device.type == "meta" for value in every) and any(value.device.type == "cpu" for value in every):
            raise AssertionError(f"{function} brings what lies on the CPU to the device")
        return made


def test_a_copy_from_the_cpu_in_a_step_is_noticed():
    mask = torch.zeros(3, 3, device="meta")
    for copies in (
        lambda: torch.tensor([1.0, 2.0]).to("meta"),
        lambda: mask[torch.arange(3)],
        lambda: mask + torch.ones(3, 3).to("meta"),
    ):
        with NothingOfTheCpus(), pytest.raises(AssertionError, match="lies on the CPU"):
            copies()
    with NothingOfTheCpus():
        mask.add_(1.0).sum()


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
    inputs = {name: tensor.to(meta) for name, tensor in (ready.tensors | ready.loose).items()}
    module._step(inputs)  # what depends on sizes alone is made in the first, before a capture
    with NothingOfTheCpus():
        module._step(inputs)
    assert all(parameter.grad is not None for group in module.parameter_groups() for parameter in group["params"])


def test_a_super_resolvers_step_reads_nothing_back(make_dsr, monkeypatch):
    loss = DsrLossSettings(contrast=1.0, perceptual_network=PerceptualSettings(weights="none"))
    supervisor = EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False)
    step_on_meta(make_dsr(supervisor=supervisor, loss=loss, precision="fp32"), monkeypatch)


def test_a_recognisers_step_reads_nothing_back(make_edgeface, monkeypatch):
    for margin in (MarginSettings(), MarginSettings(kind="cosface"), MarginSettings(kind="subcentre")):
        optim = EdgeFaceOptimSettings(contrast=1.0, ema=0.9)
        step_on_meta(make_edgeface(margin=margin, optim=optim, precision="fp32"), monkeypatch)
    for optim in (EdgeFaceOptimSettings(anchor_centre=0.3), EdgeFaceOptimSettings(anchor=0.0)):
        step_on_meta(make_edgeface(margin=MarginSettings(sample=0.5), optim=optim, precision="fp32"), monkeypatch)


def test_a_step_of_both_at_once_reads_nothing_back(make_pair, monkeypatch):
    step_on_meta(make_pair(), monkeypatch)


def test_a_step_under_several_supervisors_reads_nothing_back(make_dsr, monkeypatch):
    members = [EdgeFace("xxs", layer_scale=1.0).eval().requires_grad_(False) for _ in range(2)]
    loss = DsrLossSettings(contrast=1.0, perceptual_network=PerceptualSettings(weights="none"))
    step_on_meta(make_dsr(supervisor=Ensemble(members), loss=loss, precision="fp32"), monkeypatch)


def test_the_class_centres_steps_read_nothing_back(monkeypatch):
    steps = []
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(head, "Graphed", lambda step, *_: steps.append(step) or (lambda _: None))
    for margin in (MarginSettings(), MarginSettings(kind="subcentre"), MarginSettings(sample=0.5)):
        centres = MarginHead(margin, 6, torch.Generator().manual_seed(0))
        embeddings, labels = torch.randn(12, 512), torch.arange(12) % 6
        head.train_head(centres, embeddings, labels, HeadSettings(epochs=1), 4, 0)
        inner = dict(zip(steps[-1].__code__.co_freevars, steps[-1].__closure__, strict=True))
        centres.to("meta")
        for name in ("embeddings", "labels", "total", "right"):
            inner[name].cell_contents = inner[name].cell_contents.to("meta")
        inner["optimizer"].cell_contents = torch.optim.SGD(centres.parameters(), lr=0.1)
        inputs = {"part": torch.arange(4, device="meta")}
        if margin.sample < 1:
            inputs["classes"] = torch.arange(3, device="meta")
        with NothingOfTheCpus():
            steps[-1](inputs)
