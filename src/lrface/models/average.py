"""A network between two others of one size."""

import copy
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def interpolated(start: Network, tuned: Network, share: float) -> Network:
    """A copy of `tuned` whose weights are `(1 - share) * start + share * tuned`; what is no float is that of `tuned`.

    Fine-tuned weights that go part of the way back keep much of what both can do (Wortsman et al., Robust fine-tuning
    of zero-shot models, CVPR 2022, eq. 1).

    Args:
        start: The network before fine-tuning.
        tuned: The network after it, of the same architecture.
        share: Share of the fine-tuned weights, 0 to 1.

    Raises:
        KeyError: The networks are of different architectures.
    """
    mixed = copy.deepcopy(tuned)
    begin = start.state_dict()
    with torch.no_grad():
        for name, value in mixed.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.lerp(begin[name].to(value), value, share))
    return mixed
