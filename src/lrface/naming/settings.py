"""Settings of naming."""

from typing import Annotated, Final, Literal

from pydantic import Field

from lrface.base.settings import Settings
from lrface.images.sizes import FACE_SIZE, VLR_MIN

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


class FilmSettings(Settings):
    """How faces are followed through a film."""

    every: int = Field(
        5,
        ge=1,
        le=1000,
        description="frames from one search of the whole frame to the next; in between a face is looked for where it "
        "should be",
    )
    overlap: float = Field(
        0.2, gt=0, lt=1, description="overlap (IoU of boxes twice as large) from which on a face belongs to a track"
    )
    gap: int = Field(12, ge=0, le=10_000, description="frames that a face may be away without ending its track")
    shortest: int = Field(3, ge=1, description="fewest frames in which a face was seen; others are left out, and told")
    pictures: int = Field(
        16, ge=1, le=256, description="most pictures of a face that its name is found by, spread over its track"
    )
    codec: Literal["mp4v", "avc1", "MJPG", "XVID", "VP80", "VP90"] = Field(
        "mp4v",
        description="codec of the annotated film; MJPG goes into .avi, VP80 and VP90 into .webm, others into .mp4",
    )
