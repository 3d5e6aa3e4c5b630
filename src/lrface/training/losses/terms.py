"""The loss terms of the super-resolver. Each is zero, or at its minimum, on identical images."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from kornia.losses import total_variation
from torch import Tensor
from torch.nn import functional as F


def pixel_loss(restored: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
    """Mean absolute error of pixels: `L_1 = mean |sr - hr|`.

    Zhao et al., Loss functions for image restoration with neural networks, TCI 2017, eq. 2.
    """
    return F.l1_loss(restored, target)


def identity_loss(
    restored: Float[Tensor, "n d"], target: Float[Tensor, "n d"], share: Float[Tensor, " n"] | None = None
) -> Float[Tensor, ""]:
    """Distance of embeddings: `L_id = mean (1 - cos(e_sr, e_hr))`; `share` says how much each face counts.

    Zhang et al., Super-identity convolutional neural network for face hallucination, ECCV 2018, eq. 3, which compares
    unit-length embeddings; for these the squared distance is twice this value.
    """
    return _mean(1 - F.cosine_similarity(restored, target, dim=1), share)


def contrast_loss(
    restored: Float[Tensor, "n d"],
    target: Float[Tensor, "n d"],
    share: Float[Tensor, " n"] | None = None,
    temperature: float = 0.1,
    same_above: float = 0.4,
    batch: Float[Tensor, "m d"] | None = None,
    first: int = 0,
) -> Float[Tensor, ""]:
    """Recognise each SR face among the HR faces of the batch.

    `L_c = -mean log( e^{c_ii / t} / sum_j e^{c_ij / t} )`, `c_ij` the cosine of SR face i to HR face j: the InfoNCE of
    van den Oord et al., 2018, eq. 4. The identity term alone can be served by moving every face towards the average
    face, which raises the cosine to everybody; this one cannot. Faces whose HR embeddings are nearer than
    `same_above` may show one person and are no negatives to each other.

    Where several processes share a batch, `batch` is the HR embeddings of all of it, of which `target` is the part
    that begins at `first`; the mean over the processes is then the loss of the whole batch.
    """
    everyone = F.normalize(target if batch is None else batch, dim=1)
    cosine = F.normalize(restored, dim=1) @ everyone.T
    own = torch.arange(first, first + len(cosine), device=cosine.device)
    with torch.no_grad():
        others = own.unsqueeze(1) != torch.arange(len(everyone), device=cosine.device)
        alike = (F.normalize(target, dim=1) @ everyone.T > same_above) & others
    each = F.cross_entropy(cosine.masked_fill(alike, -torch.inf) / temperature, own, reduction="none")
    return _mean(each, share)


def feature_matching_loss(
    restored: Sequence[Float[Tensor, "n c h w"]],
    target: Sequence[Float[Tensor, "n c h w"]],
    share: Float[Tensor, " n"] | None = None,
) -> Float[Tensor, ""]:
    """Distance of a recogniser's intermediate features; `share` says how much each face counts.

    `L_fm = mean over stages and places of |u_sr - u_hr|^2`, where `u` is the feature vector of a place, divided by
    its length, so that no stage outweighs another by its scale. Feature matching as in Wang et al., pix2pixHD, CVPR
    2018, eq. 3, with the unit-length channels of Zhang et al., LPIPS, CVPR 2018, eq. 1, in place of the L1 norm.
    """
    stages = [
        _mean((F.normalize(ours, dim=1) - F.normalize(theirs, dim=1)).square().sum(1).mean((1, 2)), share)
        for ours, theirs in zip(restored, target, strict=True)
    ]
    return torch.stack(stages).mean()


def total_variation_loss(restored: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
    """Anisotropic total variation, summed over an image, mean over images: `L_tv = sum |dx| + |dy|`.

    Rudin, Osher and Fatemi, Nonlinear total variation based noise removal, Physica D 1992. The sum, not the mean over
    pixels, is what a weight of 3e-6 belongs to.
    """
    by_channel: Tensor = total_variation(restored, reduction="sum")
    return by_channel.sum(-1).mean()


def at_least_single(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The values in float32, or in float64 where they are that already: losses are too fine for half precision."""
    return values if values.dtype == torch.float64 else values.float()


def _mean(each: Float[Tensor, " n"], share: Float[Tensor, " n"] | None) -> Float[Tensor, ""]:
    return each.mean() if share is None else (each * share).mean()
