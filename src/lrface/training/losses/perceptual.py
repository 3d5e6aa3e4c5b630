"""Perceptual loss: distance of VGG19 or VGG16 features.

Johnson, Alahi and Fei-Fei, Perceptual losses for real-time style transfer and super-resolution, ECCV 2016, eq. 2,
with four weighted layers and the L1 norm.
"""

import hashlib
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import VGG16_Weights, VGG19_Weights, vgg16, vgg19

from lrface.base.given_paths import given_path
from lrface.errors import WeightsError
from lrface.training.losses.settings import LAYERS, PerceptualSettings
from lrface.training.losses.terms import at_least_single

SHA256_PREFIX = {"vgg19": "dcbb9e9d", "vgg16": "397923af"}
"""First digits of the sha256 of torchvision's ImageNet weights, which are part of their file name."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class PerceptualLoss(nn.Module):
    """`L_p = sum_l w_l * mean |phi_l(sr) - phi_l(hr)|`, no deeper than the last layer that counts.

    Args:
        settings: Network, weights and layers; `weights` must not be `none`.
        features: Weights of the network's `features` by torchvision's names, where they were read from elsewhere.

    Raises:
        WeightsError: The weights cannot be had, or are not torchvision's.
    """

    def __init__(self, settings: PerceptualSettings, features: Mapping[str, Tensor] | None = None) -> None:
        super().__init__()
        places = LAYERS[settings.network]
        self.layer_weights = {places[name]: weight for name, weight in settings.layers.items()}
        state = _imagenet_state(settings) if features is None else {f"features.{k}": v for k, v in features.items()}
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = vgg19(init_weights=False) if settings.network == "vgg19" else vgg16(init_weights=False)
        body = {name.removeprefix("features."): value for name, value in state.items() if name.startswith("features.")}
        network.features.load_state_dict(body, assign=True)
        self.features = network.features[: max(self.layer_weights) + 1]
        for module in self.features:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # an in-place ReLU would change a feature that is still compared
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, restored: Float[Tensor, "n 3 h w"], target: Float[Tensor, "n 3 h w"]) -> Float[Tensor, ""]:
        """Compare two batches in [0, 1]; no gradient goes into `target`."""
        with torch.no_grad():
            wanted = self._layers(target)
        losses = [
            weight * F.l1_loss(at_least_single(ours), at_least_single(theirs))
            for (ours, theirs), weight in zip(
                zip(self._layers(restored), wanted, strict=True),
                (self.layer_weights[index] for index in sorted(self.layer_weights)),
                strict=True,
            )
        ]
        return torch.stack(losses).sum()

    def _layers(self, images: Tensor) -> list[Tensor]:
        features, kept = (images - self.mean) / self.std, []  # type: ignore[operator]
        for index, module in enumerate(self.features):
            features = module(features)
            if index in self.layer_weights:
                kept.append(features)
        return kept

    def train(self, mode: bool = True) -> "PerceptualLoss":  # noqa: ARG002
        """Stay in evaluation: this network judges and never learns."""
        return super().train(False)


def _imagenet_state(settings: PerceptualSettings) -> dict[str, Tensor]:
    title = settings.network.upper()
    released = VGG19_Weights.IMAGENET1K_V1 if settings.network == "vgg19" else VGG16_Weights.IMAGENET1K_V1
    if settings.weights == "imagenet":
        try:
            return dict(released.get_state_dict(progress=False, check_hash=True))
        except (OSError, RuntimeError) as error:
            raise WeightsError(
                f"{title} weights",
                got=f"no download ({' '.join(str(error).split())})",
                expected=f"{released.url}",
                remedy="fetch that file by hand and give its path as loss.perceptual_network.weights=PATH, "
                "or switch the term off with loss.perceptual_network.weights=none",
            ) from error
    path = given_path(settings.weights)
    if not path.is_file():
        raise WeightsError(
            f"{title} weights",
            got=f"no file {path}",
            expected=f"`imagenet`, `none` or the path of torchvision's {released.url.rpartition('/')[2]}",
            remedy="correct loss.perceptual_network.weights",
        )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if not digest.startswith(SHA256_PREFIX[settings.network]):
        raise WeightsError(
            f"{title} weights {path}",
            got=f"sha256 {digest[:8]}...",
            expected=f"sha256 {SHA256_PREFIX[settings.network]}... (torchvision's IMAGENET1K_V1)",
            remedy="fetch the file again",
        )
    return dict(torch.load(path, map_location="cpu", weights_only=True))
