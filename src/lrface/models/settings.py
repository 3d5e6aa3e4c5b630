"""Size, precision and trained layers of the networks."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lrface.base.settings import Settings

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


class OnnxSettings(Settings):
    """What recognisers that are ONNX files take, where their metadata does not say so."""

    mean: tuple[float, ...] | None = Field(
        None,
        description="taken from each value of 0 to 255; three numbers for three channels; none: as the file's "
        "metadata says, else 127.5",
    )
    scale: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        None, description="what the difference is divided by; none: as the file's metadata says, else 127.5"
    )
    channels: Literal["rgb", "bgr"] | None = Field(
        None, description="order of the channels; none: as the file's metadata says, else rgb"
    )

    @field_validator("mean", "scale", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """Turn one number, or text with numbers by commas, into a tuple."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(","))
        return (value,) if isinstance(value, int | float) else value

    @field_validator("mean", "scale")
    @classmethod
    def _one_or_three(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and len(value) not in {1, 3}:
            raise ValueError(f"{len(value)} numbers; expected one, or one for each of three channels")
        return value

    @field_validator("channels", mode="before")
    @classmethod
    def _small_letters(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value
