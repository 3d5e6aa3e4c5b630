"""Settings of an evaluation."""

from typing import Annotated

from pydantic import Field

from lrface.base.settings import Settings

CURVE_SIZES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64, 112)
"""Sides at which a resolution curve is drawn, in pixels."""


ProbePictures = Annotated[int, Field(ge=2, le=1000)]


class EvaluationSettings(Settings):
    """What is measured, and how finely."""

    threshold: float = Field(default=0.35, ge=-1.0, le=1.0, description="cosine at or above which a probe is named")
    fars: tuple[float, ...] = Field(default=(1e-1, 1e-2, 1e-3, 1e-4), description="false accept rates for TAR")
    fpirs: tuple[float, ...] = Field(default=(1e-1, 1e-2, 3e-3), description="false alarm rates for TPIR")
    probe_pictures: tuple[ProbePictures, ...] = Field(
        default=(2, 4, 8), description="pictures of one person that make one probe, beside single ones; none: []"
    )
    calibration_fpir: float = Field(
        default=0.01, gt=0.0, le=1.0, description="false alarm rate at which calibration subjects set the threshold"
    )
    open_fpirs: tuple[Annotated[float, Field(gt=0.0, le=1.0)], ...] = Field(
        default=(1e-1, 1e-2, 1e-3), description="false alarm rates whose operating points are held against the test"
    )
    poor_subject: float = Field(
        default=0.15, ge=0.0, le=1.0, description="a subject named rightly less often has failed"
    )
    replicates: int = Field(default=2000, ge=100, description="bootstrap replicates over subjects")
    level: float = Field(default=0.95, gt=0.0, lt=1.0, description="confidence of the intervals")
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")
    batch: int = Field(default=64, ge=1, description="faces per batch")
    lpips: str = Field(
        default="none",
        min_length=1,
        description="weights by which LPIPS is measured: path of a known file of AlexNet or VGG16, or none",
    )


class ProtocolSettings(Settings):
    """How a protocol is drawn."""

    seed: int = Field(default=0, ge=0, description="seed of the draw")
    gallery_images: int = Field(default=1, ge=1, description="HR images enrolled per subject, in natural order")
    split_from: int = Field(
        default=100, ge=2, description="with fewer subjects nobody is set aside: all are enrolled and all are reported"
    )
    calibration_fraction: float = Field(
        default=0.2, ge=0.0, lt=1.0, description="share of the subjects that only choose the threshold"
    )
    non_mated_fraction: float = Field(
        default=0.2, ge=0.0, lt=1.0, description="share of the other subjects that are searched for but not enrolled"
    )
    pair_faces: int = Field(
        default=2000,
        ge=2,
        description="most faces compared in all pairs for verification; subjects stay whole",
    )
    calibration_faces: int = Field(
        default=2000, ge=2, description="most calibration probes taken from another split; subjects stay whole"
    )


class DecisionSettings(Settings):
    """The bounds of the rule and of the gates; shares, 0.05 is five points.

    A tolerance bounds the whole 95 % interval of a paired difference, not the difference itself.
    """

    metric: str = Field(default="rank1", description="metric that the gain is measured in")
    promote_over: float = Field(default=0.05, ge=0.0, le=1.0, description="promote with a gain over this")
    tune_from: float = Field(default=0.02, ge=0.0, le=1.0, description="tune with a gain from this")
    unknown_slack: float = Field(
        default=0.02, ge=0.0, le=1.0, description="the interval must rule out that the unknown rate rises by more"
    )
    poor_slack: float = Field(
        default=0.10, ge=0.0, le=1.0, description="the same for the share of people hardly ever named rightly"
    )
    worst_slack: float = Field(
        default=0.05, ge=0.0, le=1.0, description="the same for a fall in accuracy of the worst tenth of the people"
    )
    hr_slack: float = Field(
        default=0.025, ge=0.0, le=1.0, description="the same for a fall in rank-1 at full size; under 3 points"
    )
