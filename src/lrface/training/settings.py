"""Settings of both trainings: their loop, their optimisers, what a batch is made of."""

from typing import Literal, Self

from pydantic import Field, model_validator

from lrface.base.settings import Settings
from lrface.models.settings import Precision, TrainableSettings


class LoopSettings(Settings):
    """The loop of a training."""

    epochs: int = Field(ge=0, le=100_000, description="epochs")
    batch_size: int = Field(ge=2, le=65_536, description="faces in a batch")
    warmup_epochs: float = Field(0.0, ge=0, description="epochs in which the learning rate rises from 0")
    patience: int = Field(0, ge=0, description="epochs without a new best after which to stop, 0 for never")
    precision: Precision = Field("auto", description="auto, fp32 or bf16; a network's own choice under auto")
    max_skipped: float = Field(
        0.1, ge=0, le=1, description="share of batches of an epoch that may be skipped as non-finite"
    )
    val_faces: int = Field(256, ge=2, description="most faces that validation looks at")


class DsrOptimSettings(Settings):
    """The optimiser of the super-resolver."""

    lr: float = Field(1.5e-4, gt=0, le=1, description="learning rate at its highest")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="decoupled weight decay")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    ema: float = Field(0.999, ge=0, lt=1, description="decay of the running mean of the weights, 0 for none")
    select: Literal["psnr", "identity", "judge"] = Field(
        "psnr",
        description="best epoch by val PSNR, or by TAR at FAR 1e-2 and d' of the SR faces, as the supervisor sees them "
        "(identity) or as the judge does",
    )


class MixSettings(Settings):
    """What a batch is made of; the shares need not sum to one."""

    sr: float = Field(0.5, ge=0, description="share of faces shrunk and super-resolved")
    bicubic: float = Field(0.25, ge=0, description="share of faces shrunk and enlarged by bicubic")
    hr: float = Field(0.25, ge=0, description="share of HR faces")

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if not self.sr + self.bicubic + self.hr:
            raise ValueError("every share is 0, so a batch is made of nothing")
        return self


class CoarseSettings(Settings):
    """The first epochs of a training from nothing, on shrunk faces: a third of the work for each.

    Progressive learning: Tan and Le, EfficientNetV2, ICML 2021 (arXiv 2104.00298), section 4.
    """

    epochs: int = Field(0, ge=0, description="epochs at the start in which faces are shrunk, 0 for none")
    side: int = Field(64, ge=32, le=112, description="side of the shrunk faces, pixels")


class EdgeFaceOptimSettings(Settings):
    """The optimiser of the recogniser."""

    backbone_lr: float = Field(3e-6, ge=0, le=1, description="learning rate of EdgeFace at its highest")
    head_lr: float = Field(3e-5, gt=0, le=1, description="learning rate of the class centres at its highest")
    weight_decay: float = Field(5e-4, ge=0, le=1, description="decoupled weight decay")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient, of backbone and head apart")
    train: TrainableSettings = TrainableSettings()
    anchor: float = Field(5.0, ge=0, description="weight of staying near the embedding that the start gave the HR face")
    anchor_centre: float = Field(
        0.0,
        ge=0,
        le=1,
        description="how far the anchor is drawn from that embedding to the mean embedding of the person's HR faces",
    )
    contrast: float = Field(
        0.0,
        ge=0,
        description="weight of recognising each face among the HR faces of its batch, as the start sees these",
    )
    margin_weight: float = Field(1.0, ge=0, description="weight of the margin loss")
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the running mean of the weights, 0 for none")
    select: Literal["tar_at_far_1e-2", "dprime", "rank1"] = Field(
        "tar_at_far_1e-2", description="what the best epoch is chosen by; d' settles ties"
    )
    hr_tolerance: float = Field(
        0.01, ge=0, le=1, description="how far val HR TAR may fall below the start's before an epoch cannot win"
    )


class JointSettings(Settings):
    """Both networks at once: the recogniser, and the super-resolver that makes its faces."""

    lr: float = Field(
        0.0, ge=0, le=1, description="learning rate of the super-resolver at its highest; 0: it is frozen"
    )
    pixels: float = Field(20.0, ge=0, description="weight of the pixel term of the SR faces")
    clip: float = Field(1.0, gt=0, description="largest norm of the super-resolver's gradient")


class HeadSettings(Settings):
    """Stage 1."""

    epochs: int = Field(5, ge=0, le=10_000, description="epochs on cached embeddings")
    lr: float = Field(1e-4, gt=0, le=1, description="learning rate of the class centres")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")


class CollapseSettings(Settings):
    """When embeddings count as collapsed: they all point one way, and a high similarity says nothing."""

    impostor_max: float = Field(0.7, gt=0, le=1, description="largest mean cosine of different people")
    effective_rank_min: float = Field(2.0, ge=1, description="smallest effective rank of the embeddings")
