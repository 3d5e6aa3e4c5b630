"""One contract for every term of the super-resolver's loss, found by its weight in the settings."""

import contextlib

import pytest
import torch
from torch import nn

from lrface.images.degradation.resample import enlarge, shrink
from lrface.models.edgeface.network import EdgeFace
from lrface.training import dsr
from lrface.training.losses.settings import DsrLossSettings

from ...contract.common import DOCS, ELSEWHERE, faces

TERMS = tuple(DsrLossSettings().weights())
OTHERS = {name: 0.0 for name in DsrLossSettings.model_fields if name in TERMS}


class Blurred(nn.Module):
    """Stands in for VGG, whose weights have to be fetched."""

    def forward(self, restored, target):
        return (nn.functional.avg_pool2d(restored, 4) - nn.functional.avg_pool2d(target, 4)).abs().mean()


@pytest.fixture
def term(make_dsr, monkeypatch):
    """The terms of a training in which one counts alone."""
    monkeypatch.setattr(dsr, "perceptual_loss", lambda settings: Blurred())

    def of(name, device="cpu"):
        supervisor = EdgeFace("xxs", layer_scale=1.0, seed=1).eval().requires_grad_(False).to(device)
        return make_dsr(loss=DsrLossSettings(**{**OTHERS, name: 0.5}), supervisor=supervisor, precision="fp32").terms

    return of


@pytest.mark.parametrize("name", TERMS)
def test_a_term_keeps_the_contract(name, term):
    terms, hr = term(name), faces(3)
    size = torch.tensor([8, 16, 32])
    restored = torch.cat([enlarge(shrink(face[None], int(side))) for face, side in zip(hr, size, strict=True)])
    restored.requires_grad_()
    kept = hr.clone(), restored.detach().clone(), size.clone()

    found = terms(restored, hr, size)

    assert list(found.values) == [name]
    assert found.weights == {name: 0.5}
    assert found.values[name].shape == ()
    assert found.values[name] > 0
    assert found.total.detach() == 0.5 * found.values[name].detach()
    (gradient,) = torch.autograd.grad(found.total, restored)
    assert torch.isfinite(gradient).all()
    assert gradient.norm() > 0
    assert all(torch.equal(one, other) for one, other in zip(kept, (hr, restored.detach(), size), strict=True))
    assert torch.equal(terms(restored, hr, size).total, found.total)
    if name != "tv":  # which looks at one picture alone
        assert terms(hr, hr, size).values[name] < found.values[name]
    else:
        assert terms(hr.mean((2, 3), keepdim=True).expand_as(hr), hr, size).values[name] < 1e-3
    assert f"`loss.{name}`" in DOCS, f"docs/training.md names no loss.{name}"


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_where_the_faces_are(name, term, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # it does not know that device
    away = faces(3).to(ELSEWHERE)
    size = torch.tensor([8, 16, 32], device=ELSEWHERE)
    assert term(name, ELSEWHERE)(away, away, size).total.device == ELSEWHERE
