"""Settings that both trainings share."""

from pydantic import Field

from lrface.models.device import Precision
from lrface.settings import Settings


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
