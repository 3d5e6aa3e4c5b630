"""Settings of an evaluation."""

from pydantic import Field

from lrface.settings import Settings


class EvaluationSettings(Settings):
    """What is measured, and how finely."""

    threshold: float = Field(default=0.35, ge=-1.0, le=1.0, description="cosine at or above which a probe is named")
    fars: tuple[float, ...] = Field(default=(1e-1, 1e-2, 1e-3, 1e-4), description="false accept rates for TAR")
    fpirs: tuple[float, ...] = Field(default=(1e-1, 1e-2, 3e-3), description="false alarm rates for TPIR")
    calibration_fpir: float = Field(
        default=0.01, gt=0.0, le=1.0, description="false alarm rate at which calibration subjects set the threshold"
    )
    poor_subject: float = Field(
        default=0.15, ge=0.0, le=1.0, description="a subject named rightly less often has failed"
    )
    replicates: int = Field(default=2000, ge=100, description="bootstrap replicates over subjects")
    level: float = Field(default=0.95, gt=0.0, lt=1.0, description="confidence of the intervals")
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")
    batch: int = Field(default=64, ge=1, description="faces per batch")
