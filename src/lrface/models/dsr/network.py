"""DSR, the face super-resolver: one network for VLR faces of 8 to 32 pixels.

The bicubic enlargement is carried round the network and the last layer starts at zero (the global residual of Kim et
al., VDSR, CVPR 2016), so an untrained DSR is bicubic interpolation exactly. The network itself works at 28x28 and
below: the enlargement is folded into 48 channels, passes a small U-Net of residual blocks without normalisation (Lim
et al., EDSR, CVPRW 2017) and is unfolded late by sub-pixel convolution (Shi et al., ESPCN, CVPR 2016). Its side in
pixels steers every block by a scale and a shift of its channels (Perez et al., FiLM, AAAI 2018), so that one set of
weights knows how much was lost.
"""

import itertools
import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.degradation.degradation import SmallFaces, small_faces
from lrface.images.sizes import VLR_MAX, VLR_MIN
from lrface.models.settings import DsrSettings, DsrVariant

FOLD = 4


VARIANTS: dict[DsrVariant, DsrSettings] = {
    "base": DsrSettings(channels=(64, 128, 160), blocks=(2, 2, 2), attention_heads=4, finish=32),
    "edge": DsrSettings(channels=(32, 64, 80), blocks=(1, 1, 1), attention_heads=4, finish=0),
}


class LeakySiLU(nn.Module):
    """SiLU with a slope of 0.1 left where it is flat.

    What comes to the finishing layer is not normalised: under SiLU one harsh step can leave every channel negative, its
    gradient gone, and the network bicubic for good.
    """

    def forward(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Of every element."""
        return F.silu(values) + 0.1 * values


class SizeEmbedding(nn.Module):
    """The side of a VLR face in pixels, as a vector that steers the blocks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())

    def forward(self, size: Int64[Tensor, " n"]) -> Float[Tensor, "n width"]:
        """Embed sides in pixels."""
        low, high = math.log(VLR_MIN), math.log(VLR_MAX)
        place = (size.float().log() - low) / (high - low)
        waves = [place * 2 - 1, torch.cos(math.pi * place), torch.cos(2 * math.pi * place), 8.0 / size.float()]
        embedded: Tensor = self.layers(torch.stack(waves, dim=1))
        return embedded


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; channels scaled and shifted in between by the size of the face."""

    def __init__(self, channels: int, size_width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.steer = nn.Linear(size_width, 2 * channels)
        nn.init.zeros_(self.steer.weight)
        nn.init.zeros_(self.steer.bias)
        # A small start keeps a deep chain of shortcuts near identity, which stands in for normalisation.
        with torch.no_grad():
            self.second.weight.mul_(0.1)

    def forward(self, features: Float[Tensor, "n c h w"], size: Float[Tensor, "n width"]) -> Float[Tensor, "n c h w"]:
        """Refine features."""
        scale, shift = self.steer(size).unsqueeze(-1).unsqueeze(-1).chunk(2, dim=1)
        hidden = F.silu(torch.addcmul(shift, self.first(features), 1 + scale))
        refined: Tensor = features + self.second(hidden)
        return refined


class BlockStack(nn.Module):
    """Residual blocks at one resolution."""

    def __init__(self, channels: int, size_width: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels, size_width) for _ in range(count))

    def forward(self, features: Float[Tensor, "n c h w"], size: Float[Tensor, "n width"]) -> Float[Tensor, "n c h w"]:
        """Refine features."""
        for block in self.blocks:
            features = block(features, size)
        return features


class SelfAttention(nn.Module):
    """Self-attention among all places of the lowest resolution, so that one eye informs the other."""

    def __init__(self, channels: int, heads: int, places: int) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Parameter(torch.zeros(1, places, channels))
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Let places look at each other."""
        count, channels, height, width = features.shape
        tokens = self.norm(features.flatten(2).transpose(1, 2)) + self.position
        query, key, value = self.qkv(tokens).view(count, -1, 3, self.heads, channels // self.heads).unbind(2)
        mixed = _attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
        mixed = self.out(mixed.transpose(1, 2).reshape(count, -1, channels))
        attended: Tensor = features + mixed.transpose(1, 2).reshape(count, channels, height, width)
        return attended


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention; on a CPU in float32, where its backward pass takes a sixth of the time that it takes in bfloat16."""
    if query.device.type != "cpu" or query.dtype == torch.float32:
        return F.scaled_dot_product_attention(query, key, value)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(query.float(), key.float(), value.float())


class DSR(nn.Module):
    """VLR faces of 8 to 32 pixels to SR faces of 112 pixels.

    Args:
        variant: `base` or `edge`.
        settings: Another size than the variant's own, for experiments.

    Raises:
        ConfigError: The variant is not known.
    """

    def __init__(self, variant: DsrVariant = "base", settings: DsrSettings | None = None) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ConfigError(
                "DSR variant", got=str(variant), expected=" or ".join(VARIANTS), remedy="choose one of these"
            )
        self.variant = variant
        self.settings = settings or VARIANTS[variant]
        channels, blocks = self.settings.channels, self.settings.blocks
        size_width = 2 * channels[0]
        self.size_embedding = SizeEmbedding(size_width)
        self.head = nn.Conv2d(3 * FOLD**2, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            BlockStack(width, size_width, count) for width, count in zip(channels, blocks, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(here, below, 2, stride=2) for here, below in itertools.pairwise(channels))
        self.grow = nn.ModuleList(nn.Conv2d(below, 4 * here, 1) for here, below in itertools.pairwise(channels))
        self.up = nn.ModuleList(
            BlockStack(width, size_width, count) for width, count in zip(channels[:-1], blocks[:-1], strict=True)
        )
        heads = self.settings.attention_heads
        lowest = 28 // 2 ** (len(channels) - 1)
        self.attention = SelfAttention(channels[-1], heads, lowest**2) if heads else nn.Identity()
        self.finish, self.tail = self._tail(channels[0], self.settings.finish)
        nn.init.zeros_(self.tail.weight)
        if self.tail.bias is not None:
            nn.init.zeros_(self.tail.bias)

    @staticmethod
    def _tail(channels: int, finish: int) -> tuple[nn.Module, nn.Conv2d]:
        if not finish:
            return nn.Identity(), nn.Conv2d(channels, 3 * FOLD**2, 3, padding=1)
        middle = nn.Sequential(
            nn.Conv2d(channels, 4 * finish, 3, padding=1),
            nn.PixelShuffle(2),
            LeakySiLU(),
            nn.Conv2d(finish, finish, 3, padding=1),
            LeakySiLU(),
        )
        return middle, nn.Conv2d(finish, 12, 3, padding=1)

    def forward(self, vlr: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 112 112"]:
        """Super-resolve VLR faces of one size, given in [0, 1]; the result is clamped to [0, 1].

        Raises:
            ConfigError: They are not square, or not 8 to 32 pixels.
        """
        return self.restore(small_faces(vlr)).clamp(0.0, 1.0)

    def restore(self, faces: SmallFaces) -> Float[Tensor, "n 3 112 112"]:
        """Super-resolve a batch of mixed sizes, without the clamp, which would stop the gradient."""
        size = self.size_embedding(faces.size)
        features = self.head(F.pixel_unshuffle(faces.enlarged, FOLD))
        first, kept = features, []
        for level, blocks in enumerate(self.down):
            features = blocks(features, size)
            if level < len(self.shrink):
                kept.append(features)
                features = self.shrink[level](features)
        features = self.attention(features)
        for level in reversed(range(len(self.grow))):
            features = kept[level] + F.pixel_shuffle(self.grow[level](features), 2)
            features = self.up[level](features, size)
        residual = self.tail(self.finish(features + first))
        # of the channels and not of the shapes: the ONNX exporter wants to know it beforehand
        factor = math.isqrt(self.tail.out_channels // 3)
        return faces.enlarged + F.pixel_shuffle(residual, factor).float()
