"""Weights and shapes of the losses."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lrface.settings import Settings


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


LAYERS: dict[str, int] = {"relu1_2": 3, "relu2_2": 8, "relu3_4": 17, "relu4_4": 26}
"""Where each layer ends in torchvision's list of VGG19 layers."""


class PerceptualSettings(Settings):
    """Which weights, and how much each layer counts."""

    weights: str = Field(
        "imagenet", description="`imagenet` (torchvision's download), a path to that file, or `none` for no such term"
    )
    layers: dict[str, Annotated[float, Field(ge=0)]] = Field(
        {"relu1_2": 0.4, "relu2_2": 0.3, "relu3_4": 0.2, "relu4_4": 0.1}, description="weight of each layer"
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = sorted(set(self.layers) - set(LAYERS))
        if unknown or not any(self.layers.values()):
            raise ValueError(f"layers {', '.join(unknown) or 'that all weigh 0'}; expected out of {', '.join(LAYERS)}")
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
