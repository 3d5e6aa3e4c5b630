"""EdgeFace: a compact face recogniser on the EdgeNeXt body.

References:
    George, Ecabert, Shahreza, Kotwal, Marcel: "EdgeFace: Efficient Face Recognition Model for Edge
    Devices", IEEE TBIOM 2024 (arXiv 2307.01838), section III: EdgeNeXt, a 512-d head, and the low-rank
    linear layer y = W2 (W1 x) + b with rank max(2, int(min(in, out) * gamma)).
    Maaz et al.: "EdgeNeXt: Efficiently Amalgamated CNN-Transformer Architecture for Mobile Vision
    Applications", ECCV Workshops 2022 (arXiv 2206.10589).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import timm
import torch
import torch.nn.functional as F
from jaxtyping import Float
from timm.models.edgenext import PositionalEncodingFourier
from torch import Tensor, nn

from lrface.errors import ConfigError

EMBEDDING_SIZE = 512
IMAGE_SIZE = 112
STAGES = (0, 1, 2, 3)


@dataclass(frozen=True)
class Variant:
    """One size of EdgeFace.

    Attributes:
        name: The name users type.
        body: The timm model it is built on.
        gamma: Rank ratio of the low-rank linear layers; None keeps the linear layers whole.
        parameters: Number of parameters, low-rank head included.
    """

    name: str
    body: str
    gamma: float | None
    parameters: int


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        variant.name: variant
        for variant in (
            Variant("xxs", "edgenext_xx_small", None, 1_244_744),
            Variant("xs", "edgenext_x_small", None, 2_242_620),
            Variant("xs_gamma_06", "edgenext_x_small", 0.6, 1_770_492),
            Variant("s", "edgenext_small", None, 5_437_992),
            Variant("s_gamma_05", "edgenext_small", 0.5, 3_652_520),
            Variant("base", "edgenext_base", None, 18_225_812),
        )
    }
)


class LowRankLinear(nn.Module):
    """A linear layer as the product of two thin ones, y = W2 (W1 x) + b (EdgeFace, section III-B)."""

    def __init__(self, in_features: int, out_features: int, rank: int, *, bias: bool) -> None:
        super().__init__()
        self.linear1 = nn.Linear(in_features, rank, bias=False)
        self.linear2 = nn.Linear(rank, out_features, bias=bias)

    def forward(self, inputs: Float[Tensor, "... d"]) -> Float[Tensor, "... e"]:
        """Map the last dimension through the bottleneck."""
        outputs: Tensor = self.linear2(self.linear1(inputs))
        return outputs


def low_rank(in_features: int, out_features: int, gamma: float) -> int:
    """Rank of the pair that stands for an `in_features` x `out_features` layer."""
    return max(2, int(min(in_features, out_features) * gamma))


def _replace_linears(module: nn.Module, gamma: float, *, skip: frozenset[str], prefix: str = "") -> None:
    for name, child in list(module.named_children()):
        path = f"{prefix}{name}"
        if path in skip:
            continue
        if isinstance(child, nn.Linear):
            rank = low_rank(child.in_features, child.out_features, gamma)
            pair = LowRankLinear(child.in_features, child.out_features, rank, bias=child.bias is not None)
            setattr(module, name, pair)
        else:
            _replace_linears(child, gamma, skip=skip, prefix=f"{path}.")


class SharedPositions(PositionalEncodingFourier):  # type: ignore[misc]
    """EdgeNeXt's encoding of places: its waves depend on the size of the map alone and are made once."""

    def __init__(self, hidden_dim: int, dim: int, temperature: float) -> None:
        super().__init__(hidden_dim, dim, temperature)
        self._waves: dict[tuple[int, int, torch.device, torch.dtype], Tensor] = {}

    def forward(self, shape: tuple[int, int, int]) -> Float[Tensor, "n c h w"]:
        """Encode the places of a batch of `shape` n, h, w."""
        count, height, width = shape
        encoding: Tensor = self.token_projection(self._kept(height, width))
        return encoding.expand(count, -1, -1, -1)

    def _kept(self, height: int, width: int) -> Tensor:
        weight: Tensor = self.token_projection.weight
        key = height, width, weight.device, weight.dtype
        if key not in self._waves:
            alone = PositionalEncodingFourier(self.hidden_dim, 1, self.temperature, device="meta")
            alone.token_projection = passing = nn.Identity()
            passing.register_parameter("weight", self.token_projection.weight)
            # A tensor that is made in inference mode could not be trained through later.
            with torch.inference_mode(mode=False), torch.no_grad():
                self._waves[key] = alone((1, height, width))
        return self._waves[key]


def _share_positions(body: nn.Module) -> None:
    """Replace timm's encodings, which are computed anew for every image, and keep their weights and names."""
    for block in body.modules():
        plain = getattr(block, "pos_embd", None)
        if isinstance(plain, PositionalEncodingFourier):
            shared = SharedPositions(plain.hidden_dim, plain.dim, plain.temperature)
            shared.token_projection = plain.token_projection
            block.pos_embd = shared


class EdgeFace(nn.Module):
    """Embeds aligned faces as 512-d unit vectors.

    The keys of its state dict are those of the released checkpoints (prefix `model.`). Normalisation
    (x - 0.5) / 0.5 happens inside. EdgeNeXt has layer norm only, no batch norm and no running state, and
    dropout nowhere but in stochastic depth (`drop_path`), so a frozen network behaves the same in any batch,
    and `eval()` is deterministic.

    Args:
        variant: A key of `VARIANTS`.
        drop_path: Probability, in [0, 1), that a residual branch is dropped in training; it grows linearly
            over the stages up to this value.
        layer_scale: Start value of the residual branches' scale. 1e-6 is EdgeNeXt's; a short training from
            scratch learns faster with a larger one. Without effect once weights are loaded.
        low_rank_head: Whether a gamma variant replaces the head's projection as well. The released
            checkpoints do (the published sizes, 1.77 M and 3.65 M, count it so).
        seed: Seed of the initial weights; the global generator is left as it was.

    Raises:
        ConfigError: The variant does not exist, or a number is out of range.
    """

    def __init__(
        self,
        variant: str = "xxs",
        *,
        drop_path: float = 0.0,
        layer_scale: float = 1e-6,
        low_rank_head: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ConfigError(
                "EdgeFace variant",
                got=repr(variant),
                expected=f"one of {', '.join(VARIANTS)}",
                remedy="choose one of these",
            )
        if not 0.0 <= drop_path < 1.0:
            raise ConfigError(
                "EdgeFace drop_path", got=str(drop_path), expected="a number in [0, 1)", remedy="use 0 to 0.3"
            )
        if not 0.0 < layer_scale <= 1.0:
            raise ConfigError(
                "EdgeFace layer_scale", got=str(layer_scale), expected="a number in (0, 1]", remedy="use 1e-6"
            )
        self.variant = variant
        self.low_rank_head = low_rank_head
        spec = VARIANTS[variant]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model: nn.Module = timm.create_model(
                spec.body,
                pretrained=False,
                num_classes=EMBEDDING_SIZE,
                drop_path_rate=drop_path,
                ls_init_value=layer_scale,
            )
            if spec.gamma is not None:
                skip = frozenset() if low_rank_head else frozenset({"head.fc"})
                _replace_linears(self.model, spec.gamma, skip=skip)
            _share_positions(self.model)

    def forward(self, images: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n 512"]:
        """Embed images in [0, 1]; the embeddings have unit length.

        Raises:
            ConfigError: The images are not n x 3 x 112 x 112.
        """
        return _unit(self.model(_normalise(images)))

    def embed_shrunk(self, images: Float[Tensor, "n 3 side side"]) -> Float[Tensor, "n 512"]:
        """Embed images of another side, 32 to 112 pixels, as only the coarse epochs of a training do.

        Such embeddings are not comparable with those of whole faces.
        """
        return _unit(self.model(_centred(images)))

    def features(
        self, images: Float[Tensor, "n 3 112 112"], stages: Sequence[int] = STAGES
    ) -> list[Float[Tensor, "n c h w"]]:
        """Feature maps at the end of the given stages, no further than the deepest one is computed.

        Raises:
            ConfigError: A stage that the network lacks, or images of another shape.
        """
        chosen = _checked_stages(stages)
        if not chosen:
            return []
        maps = self.model.forward_intermediates(  # type: ignore[operator]
            _normalise(images), indices=sorted(set(chosen)), stop_early=True, intermediates_only=True
        )
        by_stage = dict(zip(sorted(set(chosen)), maps, strict=True))
        return [by_stage[stage] for stage in chosen]

    def embed_with_features(
        self, images: Float[Tensor, "n 3 112 112"]
    ) -> tuple[Float[Tensor, "n 512"], list[Float[Tensor, "n c h w"]]]:
        """Embeddings and the feature maps of all four stages, in one pass.

        For 112 x 112 the maps are 28, 14, 7 and 3 pixels wide.

        Raises:
            ConfigError: The images are not n x 3 x 112 x 112.
        """
        last, maps = self.model.forward_intermediates(_normalise(images))  # type: ignore[operator]
        return _unit(self.model.forward_head(last)), maps  # type: ignore[operator]

    @property
    def width(self) -> int:
        """Numbers of an embedding."""
        return EMBEDDING_SIZE

    @property
    def projection(self) -> nn.Module:
        """The final projection to 512 numbers: a linear layer, or its low-rank pair."""
        return self.model.get_submodule("head.fc")

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the final 512-d projection."""
        return self._parameters_under("model.head.fc.", inside=True)

    def body_parameters(self) -> Iterator[nn.Parameter]:
        """Every parameter that is not the head's."""
        return self._parameters_under("model.head.fc.", inside=False)

    def last_stage_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the fourth stage and of the norm after it; the head's are not among them."""
        for name, parameter in self.named_parameters():
            if name.startswith(("model.stages.3.", "model.norm_pre.", "model.head.norm.")):
                yield parameter

    def _parameters_under(self, prefix: str, *, inside: bool) -> Iterator[nn.Parameter]:
        for name, parameter in self.named_parameters():
            if name.startswith(prefix) == inside:
                yield parameter


def _normalise(images: Tensor) -> Tensor:
    if not torch.onnx.is_in_onnx_export() and tuple(images.shape[1:]) != (3, IMAGE_SIZE, IMAGE_SIZE):
        raise ConfigError(
            "images for EdgeFace",
            got=f"shape {tuple(images.shape)}",
            expected=f"n x 3 x {IMAGE_SIZE} x {IMAGE_SIZE}",
            remedy="bring the faces to 112 x 112 first",
        )
    return _centred(images)


def _centred(images: Tensor) -> Tensor:
    return (images - 0.5) / 0.5


def _unit(embeddings: Tensor) -> Tensor:
    # Half precision loses the small components that separate people: lengths are taken in at least float32.
    exact = embeddings if embeddings.dtype == torch.float64 else embeddings.float()
    return F.normalize(exact, dim=-1)


def _checked_stages(stages: Sequence[int]) -> list[int]:
    lacking = [stage for stage in stages if stage not in STAGES]
    if lacking:
        raise ConfigError(
            "EdgeFace features",
            got=f"stages {lacking}",
            expected=f"stages out of {list(STAGES)}",
            remedy="EdgeNeXt has four stages: ask for these",
        )
    return list(stages)
