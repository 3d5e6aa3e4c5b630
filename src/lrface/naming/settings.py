"""Settings of naming."""

from typing import Annotated, Final

from pydantic import Field

from lrface.images.sizes import FACE_SIZE, VLR_MIN
from lrface.settings import Settings

CALIBRATED_SIDES: Final = (8, 10, 12, 16, 24, 32, 48, 112)
"""Sides at which a pair is calibrated, pixels."""


class PointsSettings(Settings):
    """How operating points are found when a pair is promoted."""

    sides: tuple[Annotated[int, Field(ge=VLR_MIN, le=FACE_SIZE)], ...] = Field(
        CALIBRATED_SIDES, min_length=1, description="sides at which the threshold is calibrated, in pixels"
    )
    faces: int = Field(
        1000, ge=0, description="most pictures of calibration people, whole people; 0: no operating points are found"
    )
