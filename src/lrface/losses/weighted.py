"""The named, weighted sum of loss terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float, Int64
from pydantic import Field, model_validator
from torch import Tensor

from lrface.losses.perceptual import PerceptualSettings
from lrface.settings import Settings


class DsrLossSettings(Settings):
    """Weights of the super-resolver's loss; a weight of 0 switches a term off."""

    l1: float = Field(1.0, ge=0, description="weight of the pixel term")
    perceptual: float = Field(0.02, ge=0, description="weight of the perceptual term")
    identity: float = Field(0.50, ge=0, description="weight of the identity term")
    feature: float = Field(0.15, ge=0, description="weight of feature matching")
    contrast: float = Field(0.0, ge=0, description="weight of recognising each SR face among the batch's HR faces")
    tv: float = Field(3e-6, ge=0, description="weight of total variation")
    fade_from: int = Field(
        32,
        ge=8,
        le=32,
        description="side in pixels above which identity and feature matching fade, as (fade_from / side)^2: there "
        "bicubic has lost little, and fidelity is what remains to be won",
    )
    perceptual_network: PerceptualSettings = PerceptualSettings()

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if not any(self.weights().values()):
            raise ValueError("every weight is 0, so there is nothing to learn")
        return self

    def weights(self) -> dict[str, float]:
        """Weight by term; without a perceptual network that term counts nothing."""
        perceptual = 0.0 if self.perceptual_network.weights == "none" else self.perceptual
        return {
            "l1": self.l1,
            "perceptual": perceptual,
            "identity": self.identity,
            "feature": self.feature,
            "contrast": self.contrast,
            "tv": self.tv,
        }

    def share(self, size: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
        """How much each face counts in identity and feature matching, by its side in pixels."""
        return (self.fade_from / size.float()).square().clamp(max=1.0)


@dataclass(frozen=True)
class LossTerms:
    """Values of the terms before weighting, and their weights."""

    values: Mapping[str, Float[Tensor, ""]]
    weights: Mapping[str, float]

    @property
    def total(self) -> Float[Tensor, ""]:
        """The weighted sum."""
        return torch.stack([self.weights[name] * value for name, value in self.values.items()]).sum()

    def detached(self) -> dict[str, Tensor]:
        """Values for the log, without their graph: `loss` and `loss_<term>`."""
        named = {f"loss_{name}": value.detach() for name, value in self.values.items()}
        return {"loss": self.total.detach(), **named}


def gradient_shares(
    terms: LossTerms, image: Float[Tensor, "n 3 h w"], mean: Callable[[Tensor], Tensor] = lambda values: values
) -> dict[str, float]:
    """How much each weighted term pulls at the SR image: norm of its gradient over the sum of these norms.

    Costs one backward pass a term, so it is for a batch now and then. The graph is kept. `mean` averages over the
    processes that share a batch.
    """
    squares = []
    for name, value in terms.values.items():
        (gradient,) = torch.autograd.grad(terms.weights[name] * value, image, retain_graph=True)
        squares.append(gradient.square().sum())
    norms: dict[str, float] = dict(zip(terms.values, mean(torch.stack(squares)).sqrt().tolist(), strict=True))
    whole = sum(norms.values())
    return {name: norm / whole if whole > 0 else 0.0 for name, norm in norms.items()}
