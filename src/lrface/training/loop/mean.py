"""The running mean of weights whose memory grows with the steps, so that its start is soon forgotten."""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

Tensors = tuple[Tensor, ...] | list[Tensor]


def running_mean(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of a network that follows it: `mean += (1 - min(decay, (1 + n) / (10 + n))) (weights - mean)`.

    Args:
        network: The network.
        decay: Share of the mean that a step leaves, once there have been many steps.
    """

    @torch.no_grad()
    def update(means: Tensors, currents: Tensors, averaged: Tensor | int) -> None:
        steps = float(averaged)
        torch._foreach_lerp_(means, currents, 1 - min(decay, (1 + steps) / (10 + steps)))

    return AveragedModel(network, multi_avg_fn=update).requires_grad_(False)


@torch.no_grad()
def move_mean(mean: AveragedModel, network: nn.Module, decay: float) -> None:
    """One step of the mean."""
    if mean.n_averaged.device.type == "cpu":
        mean.update_parameters(network)
    else:
        move_unread(mean, network, decay)


@torch.no_grad()
def move_unread(mean: AveragedModel, network: nn.Module, decay: float) -> None:
    """The same without reading back how many steps there were, so that a CUDA graph can hold it."""
    steps = mean.n_averaged.float()
    weight = 1 - ((1 + steps) / (10 + steps)).clamp(max=decay)
    weight = torch.where(steps == 0, 1.0, weight)
    means: list[Tensor] = [value.detach() for value in mean.module.parameters()]
    currents: list[Tensor] = [value.detach() for value in network.parameters()]
    changes = list(torch._foreach_sub(currents, means))
    torch._foreach_mul_(changes, weight)
    torch._foreach_add_(means, changes)
    mean.n_averaged.add_(1)
