"""Which layers of EdgeFace train, and low-rank adapters that merge back into plain weights.

Reference:
    Hu et al.: "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022 (arXiv 2106.09685), equation 3:
    W x + (alpha / r) B A x, with W frozen, A random and B zero at the start.
"""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lrface.errors import ConfigError
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import TrainableSettings

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True)
class TrainableParameters:
    """What the optimiser gets, body and head apart, for their own learning rates and clipping."""

    body: tuple[nn.Parameter, ...]
    head: tuple[nn.Parameter, ...]


class AdaptedLinear(nn.Module):
    """A frozen linear layer with a low-rank update beside it.

    Args:
        base: The layer; its parameters are frozen.
        rank: Rank of the update; no more than the layer has.
        alpha: The update is scaled by alpha / rank.
        generator: Draws the start of `down`; `up` starts at zero, so the layer starts unchanged.
    """

    def __init__(self, base: nn.Linear, *, rank: int, alpha: float, generator: torch.Generator) -> None:
        super().__init__()
        self.base = base.requires_grad_(requires_grad=False)
        rank = min(rank, base.in_features, base.out_features)
        self.scale = alpha / rank
        down = torch.empty(rank, base.in_features)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5), generator=generator)
        self.down = nn.Parameter(down.to(base.weight))
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, rank))

    def forward(self, inputs: Float[Tensor, "... d"]) -> Float[Tensor, "... e"]:
        """The layer's output plus the scaled update's."""
        update = nn.functional.linear(nn.functional.linear(inputs, self.down), self.up)
        outputs: Tensor = self.base(inputs) + self.scale * update
        return outputs

    def merged(self) -> nn.Linear:
        """A plain, trainable layer that computes the same; the update is added in double precision."""
        plain = copy.deepcopy(self.base).requires_grad_()
        with torch.no_grad():
            update = self.scale * (self.up.double() @ self.down.double())
            plain.weight.copy_(self.base.weight.double() + update)
        return plain


def choose_trainable(model: EdgeFace, settings: TrainableSettings, *, seed: int = 0) -> TrainableParameters:
    """Freeze all layers but the chosen ones; with `adapters`, add these first.

    Args:
        model: Changed in place.
        settings: Which layers, and the adapters' size.
        seed: Seed of the adapters' start.

    Returns:
        The parameters that train.

    Raises:
        ConfigError: Other layers than adapters are asked of a network that holds adapters.
    """
    if settings.layers != "adapters" and any(_adapted(model)):
        raise ConfigError(
            "trainable layers",
            got=f"{settings.layers!r} for a network with adapters",
            expected="'adapters', or a network without",
            remedy="merge the adapters first",
        )
    model.requires_grad_(requires_grad=False)
    match settings.layers:
        case "all":
            model.requires_grad_()
        case "head":
            _enable(list(model.head_parameters()))
        case "last_stage":
            _enable([*model.last_stage_parameters(), *model.head_parameters()])
        case "adapters":
            if not any(_adapted(model)):
                add_adapters(model, rank=settings.adapter_rank, alpha=settings.adapter_alpha, seed=seed)
            _enable(list(adapter_parameters(model)))
    return TrainableParameters(
        body=tuple(parameter for parameter in model.body_parameters() if parameter.requires_grad),
        head=tuple(parameter for parameter in model.head_parameters() if parameter.requires_grad),
    )


def add_adapters(model: nn.Module, *, rank: int = 8, alpha: float = 16.0, seed: int = 0) -> list[str]:
    """Put an adapter beside every linear layer, in place; the output is unchanged until it trains.

    Returns:
        Names of the adapted layers.

    Raises:
        ConfigError: The network has adapters already, or no linear layer.
    """
    if any(_adapted(model)):
        raise ConfigError("adapters", got="a network that has some", expected="one without", remedy="merge them first")
    linears = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear) and name}
    if not linears:
        raise ConfigError(
            "adapters", got="a network without linear layers", expected="some", remedy="train other layers"
        )
    generator = torch.Generator().manual_seed(seed)
    for name, linear in linears.items():
        adapted = AdaptedLinear(linear, rank=rank, alpha=alpha, generator=generator)
        model.set_submodule(name, adapted.train(linear.training))
    return list(linears)


def adapter_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters of the adapters, without the layers that they stand beside."""
    for _, adapted in _adapted(model):
        yield adapted.down
        yield adapted.up


def merge_adapters(model: ModuleT) -> ModuleT:
    """Turn every adapter and its layer into one plain layer, in place.

    The state dict then has the names of a network that never had adapters. Training goes on only with a new
    optimiser: the parameters are others.
    """
    for name, adapted in list(_adapted(model)):
        model.set_submodule(name, adapted.merged().train(adapted.training))
    return model


def merged_copy(model: ModuleT) -> ModuleT:
    """A copy with its adapters merged, for saving and measuring while training goes on."""
    return merge_adapters(copy.deepcopy(model))


def _adapted(model: nn.Module) -> Iterator[tuple[str, AdaptedLinear]]:
    for name, module in model.named_modules():
        if isinstance(module, AdaptedLinear):
            yield name, module


def _enable(parameters: list[nn.Parameter]) -> None:
    for parameter in parameters:
        parameter.requires_grad_()
