"""Settings of films."""

from typing import Literal

from pydantic import Field

from lrface.settings import Settings


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
