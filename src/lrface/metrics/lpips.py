"""LPIPS: how unlike two pictures look, by the features of a network that learnt to tell objects apart.

Zhang, Isola, Efros, Shechtman and Wang, The unreasonable effectiveness of deep features as a perceptual metric, CVPR
2018, equation 1, with the linear layers of their version 0.1. Implementations at hand fetch their backbone by
themselves and take no other; this one is given its weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.errors import EvaluationError
from lrface.metrics.fidelity import checked_pictures

Features = tuple[Tensor, ...]

SHIFT: Final = (-0.030, -0.088, -0.188)
SCALE: Final = (0.458, 0.448, 0.450)
_TINY: Final = 1e-10


@dataclass(frozen=True)
class _Plan:
    """A backbone without its weights.

    Attributes:
        strides: Of each convolution.
        padding: Of each convolution.
        pooled: Convolutions in front of which the largest of a window is taken.
        window: Side of that window; it moves by 2.
        taken: Convolutions whose output, after ReLU, is compared.
    """

    strides: tuple[int, ...]
    padding: tuple[int, ...]
    pooled: frozenset[int]
    window: int
    taken: tuple[int, ...]


_PLANS: Mapping[str, _Plan] = MappingProxyType(
    {
        "vgg16": _Plan((1,) * 13, (1,) * 13, frozenset({2, 4, 7, 10}), 2, (1, 3, 6, 9, 12)),
        "alexnet": _Plan((4, 1, 1, 1, 1), (2, 2, 1, 1, 1), frozenset({1, 2}), 3, (0, 1, 2, 3, 4)),
    }
)


class Lpips(nn.Module):
    """`d = sum_l mean over places of w_l . (u_l(picture) - u_l(original))^2`, `u` a place's features of unit length.

    Args:
        network: The backbone.
        convolutions: Weight and bias of each of its convolutions.
        linear: The weight of each channel of each of the five layers that are compared.

    Raises:
        EvaluationError: The weights are not those of such a network.
    """

    def __init__(
        self,
        network: Literal["vgg16", "alexnet"],
        convolutions: Sequence[tuple[Tensor, Tensor]],
        linear: Sequence[Tensor],
    ) -> None:
        super().__init__()
        self.network, self._plan = network, _PLANS[network]
        channels = [len(convolutions[place][1]) for place in self._plan.taken if place < len(convolutions)]
        if len(convolutions) != len(self._plan.strides) or channels != [layer.numel() for layer in linear]:
            raise EvaluationError(
                f"LPIPS of {network}",
                got=f"{len(convolutions)} convolutions and linear layers of {[layer.numel() for layer in linear]}",
                expected=f"{len(self._plan.strides)} convolutions and linear layers of {channels}",
                remedy="give the weights of that network",
            )
        for place, (weight, bias) in enumerate(convolutions):
            self.register_buffer(f"weight_{place}", weight.detach().float(), persistent=False)
            self.register_buffer(f"bias_{place}", bias.detach().float(), persistent=False)
        for place, layer in enumerate(linear):
            self.register_buffer(f"linear_{place}", layer.detach().float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)
        self.eval()

    def forward(self, picture: Float[Tensor, "n 3 h w"], original: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " n"]:
        """Compare pictures in [0, 1]; 0 for equal ones.

        Raises:
            EvaluationError: Shapes differ, or values outside [0, 1].
        """
        checked_pictures(picture, original)
        return self.distance(self.features(picture), self.features(original))

    def features(self, images: Float[Tensor, "n 3 h w"]) -> Features:
        """What is compared of images in [0, 1]: five maps of features, of unit length at each place."""
        plan = self._plan
        values, found = (2.0 * images.float() - 1.0 - self.shift) / self.scale, []  # type: ignore[operator]
        for place, (stride, padding) in enumerate(zip(plan.strides, plan.padding, strict=True)):
            if place in plan.pooled:
                values = F.max_pool2d(values, plan.window, 2)
            weight, bias = getattr(self, f"weight_{place}"), getattr(self, f"bias_{place}")
            values = F.relu(F.conv2d(values, weight, bias, stride, padding))
            if place in plan.taken:
                found.append(values / (values.norm(dim=1, keepdim=True) + _TINY))
        return tuple(found)

    def distance(self, picture: Features, original: Features) -> Float[Tensor, " n"]:
        """LPIPS of images by their features."""
        layers = [
            ((ours - theirs).square() * getattr(self, f"linear_{place}")).sum(1).mean((1, 2))
            for place, (ours, theirs) in enumerate(zip(picture, original, strict=True))
        ]
        return torch.stack(layers).sum(0)
