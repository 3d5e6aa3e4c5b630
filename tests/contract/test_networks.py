"""Every size of EdgeFace, variant of DSR, margin and arm."""

import contextlib
import re
from types import SimpleNamespace
from typing import get_args

import pytest
import torch

from lrface.errors import LrfaceError
from lrface.images.degradation.resample import shrink
from lrface.jobs.shared.evaluation.assessment import arms_of
from lrface.models.dsr.network import DSR
from lrface.models.dsr.network import VARIANTS as DSR_VARIANTS
from lrface.models.edgeface.network import VARIANTS as EDGEFACE_VARIANTS
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.graphs import DsrGraph
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import MarginSettings

from .common import DOCS, ELSEWHERE, faces, one_line, seeded


@pytest.mark.parametrize("variant", EDGEFACE_VARIANTS)
def test_a_size_of_edgeface_keeps_the_contract(variant):
    with ELSEWHERE:
        away = EdgeFace(variant).eval()
    embeddings = away(torch.empty(2, 3, 112, 112, device=ELSEWHERE))
    assert embeddings.device == ELSEWHERE
    assert embeddings.shape == (2, away.width)
    assert sum(value.numel() for value in away.parameters()) == EDGEFACE_VARIANTS[variant].parameters
    network = EdgeFace(variant, layer_scale=1.0, seed=1).eval()
    with torch.no_grad():
        images = faces(1)
        before, seen = images.clone(), network(images)
        assert torch.equal(network(images), seen)
    assert torch.equal(images, before)
    assert seen.norm(dim=1).item() == pytest.approx(1, abs=1e-6)
    state = EdgeFace(variant, layer_scale=1.0, seed=1).state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, state[name]) for name, value in EdgeFace(variant, seed=2).state_dict().items())
    with pytest.raises(LrfaceError) as caught:
        network(faces(1)[..., :100])
    one_line(caught, "100")
    assert re.search(rf"\b(edgeface_)?{variant}\b", DOCS)


@pytest.mark.parametrize("variant", DSR_VARIANTS)
def test_a_variant_of_dsr_keeps_the_contract(variant):
    with ELSEWHERE:
        away = DSR(variant)
    assert away(torch.empty(2, 3, 13, 13, device=ELSEWHERE)).device == ELSEWHERE
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(DSR(variant).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert any(not torch.equal(value, states[2][name]) for name, value in states[0].items())
    network = DSR(variant).eval()
    with torch.no_grad():
        network.tail.weight.normal_(std=0.02, generator=seeded(1))
        for size in (8, 21, 32):
            small = shrink(faces(1), size)
            before, made = small.clone(), network(small)
            assert made.shape == (1, 3, 112, 112)
            assert torch.equal(network(small), made)
            assert torch.equal(small, before)
            torch.testing.assert_close(DsrGraph(network)(small), made, atol=1e-5, rtol=0)
    for side in (7, 33):
        with pytest.raises(LrfaceError) as caught:
            network(torch.rand(1, 3, side, side))
        one_line(caught, str(side))
    assert f"`{variant}`" in DOCS


@pytest.mark.parametrize("kind", get_args(MarginSettings.model_fields["kind"].annotation))
def test_a_margin_keeps_the_contract(kind, monkeypatch):
    def head(seed):
        return MarginHead(MarginSettings(kind=kind), 5, seeded(seed))

    embeddings = torch.nn.functional.normalize(torch.randn(6, 512, generator=seeded(3))).requires_grad_()
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    before, one = embeddings.detach().clone(), head(1)
    loss = one(embeddings, labels)
    loss.backward()
    assert torch.isfinite(loss)
    assert embeddings.grad.norm() > 0
    assert one.centres.grad.norm() > 0
    assert torch.equal(embeddings.detach(), before)
    assert torch.equal(head(1)(embeddings, labels), loss)
    assert not torch.equal(head(2)(embeddings, labels), loss)
    assert one.predict(embeddings, None).shape == labels.shape
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # it does not know that device
    moved = head(1).to(ELSEWHERE)
    assert moved(embeddings.detach().to(ELSEWHERE), labels.to(ELSEWHERE)).device == ELSEWHERE
    assert f"`{kind}`" in DOCS or kind in DOCS


def _network(network, label, judges=False):
    return SimpleNamespace(network=network, label=label, judges=judges, sha256=label, version=None, cycle=0)


def _every_arm():
    recognisers = [
        _network(EdgeFace("xxs", seed=seed).eval(), label) for seed, label in enumerate(("pretrained", "finetuned"))
    ]
    judge = _network(EdgeFace("xxs", seed=3).eval(), "other", judges=True)
    resolvers = [_network(DSR("edge").eval(), label) for label in ("baseline", "cycle")]
    rival = _network(EdgeFace("xxs", seed=4).eval(), "direct")
    return {arm.name: arm for arm in arms_of([*recognisers, judge], resolvers, rival)}


ARMS = _every_arm()


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_keeps_the_contract(name):
    arm = ARMS[name]
    sizes = [size for size in (8, 16, 32, 112) if arm.takes(size)]
    assert sizes[0] == 8
    images = faces(1)
    with torch.no_grad():
        for size in sizes[:1]:
            small = images if arm.is_ceiling else shrink(images, size)
            before = small.clone()
            shown = small if arm.upscaler is None else arm.upscaler(small)
            seen = arm.embedder(shown)
            assert shown.shape == (1, 3, 112, 112)
            assert shown.min() >= 0
            assert shown.max() <= 1
            assert seen.norm().item() == pytest.approx(1, abs=1e-6)
            assert torch.equal(small, before)
            assert torch.equal(arm.embedder(small if arm.upscaler is None else arm.upscaler(small)), seen)
    assert arm.enrols_with(images).shape == seen.shape
    for part in re.split("[-_]", name):
        assert re.search(rf"\b{part}\b", DOCS), f"the documentation names no arm {part}"
