"""Every loss: its value, and the length of its gradient."""

from typing import get_args

import torch
from torch.nn import functional as F

from lrface.images.degradation.resample import enlarge, shrink
from lrface.metrics.fidelity import psnr, ssim
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.perceptual import PerceptualLoss
from lrface.training.losses.settings import LAYERS, DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.losses.terms import (
    contrast_loss,
    feature_matching_loss,
    identity_loss,
    pixel_loss,
    total_variation_loss,
)
from lrface.training.losses.weighted import LossTerms, share_of_size

from .inputs import faces, numbers
from .of_networks import shipped
from .summary import Tolerance

SUMS = Tolerance(1e-6, 1e-6, "float32 sums in another order")
WIDE = Tolerance(0.02, 0.02, "float32 sums over 112 x 112 pixels, of some thousands")
DEEP = Tolerance(2e-5, 2e-5, "float32 sums in another order, through a whole network and back")


def _told(loss, wrt):
    (gradient,) = torch.autograd.grad(loss, wrt, retain_graph=True)
    return [float(loss.detach()), float(gradient.norm())]


def _vgg(network):
    """Weights for the perceptual loss, up to the last of its layers: He's scale keeps features from fading."""
    widths = {"vgg19": (2, 2, 4, 4), "vgg16": (2, 2, 3, 3)}[network]
    state, place, before = {}, 0, 3
    for block, count in enumerate(widths):
        for _ in range(count):
            width = 64 << block
            weight = numbers(f"{network}/{place}", width, before, 3, 3) * (2 / (9 * before)) ** 0.5
            state |= {f"{place}.weight": weight, f"{place}.bias": 0.02 * numbers(f"{network}/{place}/bias", width)}
            place, before = place + 2, width
        place += 1
    # Deeper layers are loaded too, and not computed.
    for _ in range(4 if network == "vgg19" else 3):
        state |= {f"{place}.weight": torch.zeros(512, 512, 3, 3), f"{place}.bias": torch.zeros(512)}
        place += 2
    return state


def losses():
    """Terms of the super-resolver, by the names of their weights; margins, by their kinds."""
    hr = faces(3)
    size = torch.tensor([8, 12, 24])
    restored = torch.cat([enlarge(shrink(face[None], int(side))) for face, side in zip(hr, size, strict=True)])
    restored.requires_grad_()
    settings = DsrLossSettings(fade_from=12, contrast=0.1)
    share = share_of_size(settings, size)
    network = shipped()
    wanted, wanted_features = network.embed_with_features(hr)
    embedding, features = network.embed_with_features(restored)
    terms = {
        "l1": pixel_loss(restored, hr),
        "tv": total_variation_loss(restored),
        "identity": identity_loss(embedding, wanted, share),
        "contrast": contrast_loss(embedding, wanted, share),
        "feature": feature_matching_loss(features, wanted_features, share),
    }
    for name, term in terms.items():
        yield f"term/{name}", _told(term, restored), WIDE if name == "tv" else DEEP if name != "l1" else SUMS
    for kind in LAYERS:
        judge = PerceptualLoss(PerceptualSettings(network=kind), _vgg(kind))
        loss = judge(restored[:1, :, 30:78, 30:78], hr[:1, :, 30:78, 30:78])
        yield f"term/perceptual/{kind}", _told(loss, restored), DEEP
        terms["perceptual"] = loss
    whole = LossTerms(terms, settings.weights())
    yield "total", [float(whole.total.detach())], DEEP
    yield "share_of_size", share, SUMS
    for kind in get_args(MarginSettings.model_fields["kind"].annotation):
        head = MarginHead(MarginSettings(kind=kind), 5, torch.Generator().manual_seed(0))
        with torch.no_grad():
            head.centres.copy_(F.normalize(numbers(f"margin/{kind}", *head.centres.shape), dim=0))
        unit = F.normalize(numbers("embeddings", 6, 512), dim=1).requires_grad_()
        labels = torch.tensor([0, 1, 2, 3, 4, 0])
        loss = head(unit, labels)
        yield f"margin/{kind}", [*_told(loss, unit), _told(loss, head.centres)[1]], DEEP
        sampled = head(unit, labels.clamp(max=2), torch.tensor([0, 1, 2, 4]))
        yield f"margin/{kind}/sampled", _told(sampled, unit), DEEP
        yield (
            f"margin/{kind}/start",
            MarginHead(MarginSettings(kind=kind), 5, torch.Generator().manual_seed(0)).centres,
            SUMS,
        )
    with torch.no_grad():
        yield "psnr", psnr(restored, hr), Tolerance(1e-4, 1e-4, "decibels of a float32 mean")
        yield "ssim", ssim(restored, hr), DEEP
