"""Size, precision and trained layers of the networks."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lrface.settings import Settings

Precision = Literal["auto", "fp32", "bf16"]

DsrVariant = Literal["base", "edge"]


class DsrSettings(Settings):
    """Size of the network. The defaults of a variant are in `VARIANTS`."""

    channels: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=1, max_length=3, description="channels at 28x28, 14x14, 7x7"
    )
    blocks: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="residual blocks at each resolution on the way down, and again up"
    )
    attention_heads: int = Field(0, ge=0, description="heads of self-attention at the lowest resolution, 0 for none")
    finish: int = Field(32, ge=0, description="channels of the finishing layer at 56x56, 0 for none")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if len(self.blocks) != len(self.channels):
            raise ValueError(f"blocks for {len(self.blocks)} resolutions, channels for {len(self.channels)}")
        if self.attention_heads and self.channels[-1] % self.attention_heads:
            raise ValueError(f"{self.channels[-1]} channels cannot be parted among {self.attention_heads} heads")
        return self


Layers = Literal["head", "last_stage", "all", "adapters"]


class TrainableSettings(Settings):
    """Which layers of the recogniser train."""

    layers: Layers = Field(
        default="all",
        description="head: the 512-d projection; last_stage: that and the fourth stage; all; adapters: "
        "low-rank updates of every linear layer",
    )
    adapter_rank: int = Field(default=8, ge=1, le=512, description="Rank r of each adapter")
    adapter_alpha: float = Field(default=16.0, gt=0, description="Scale of each adapter is alpha / r")
