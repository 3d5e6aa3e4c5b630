"""The named, weighted sum of loss terms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lrface.training.losses.settings import DsrLossSettings


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


def share_of_size(settings: DsrLossSettings, size: Int64[Tensor, " n"]) -> Float[Tensor, " n"]:
    """How much each face counts in identity and feature matching, by its side in pixels."""
    return (settings.fade_from / size.float()).square().clamp(max=1.0)


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
