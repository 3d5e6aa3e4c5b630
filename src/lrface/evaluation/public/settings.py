"""Settings of an evaluation on public sets."""

from typing import Literal

from pydantic import Field

from lrface.base.settings import Settings
from lrface.evaluation.settings import ProbePictures

Kind = Literal["auto", "bin", "lfw", "table", "tinyface", "survface", "people"]


class PairSettings(Settings):
    """How a pair set is evaluated."""

    flip: bool = Field(default=False, description="add the embedding of the mirrored face, as insightface does")
    small: Literal["second", "both", "each"] = Field(
        default="second", description="which faces of a pair are shrunk; each: the second, and beside that both"
    )
    fars: tuple[float, ...] = Field(default=(1e-1, 1e-2, 1e-3), description="false accept rates for TAR")
    batch: int = Field(default=64, ge=1, description="faces per batch")
    replicates: int = Field(default=1000, ge=100, description="bootstrap replicates over people, for gains over direct")
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")


class SearchSettings(Settings):
    """How a search set is evaluated."""

    threshold: float = Field(default=0.35, ge=-1.0, le=1.0, description="cosine at or above which a probe is named")
    fpirs: tuple[float, ...] = Field(default=(3e-1, 1e-1, 1e-2, 3e-3), description="false alarm rates for TPIR")
    probe_pictures: tuple[ProbePictures, ...] = Field(
        default=(2, 4, 8), description="kind people: pictures of one person that make one probe, beside single ones"
    )
    batch: int = Field(default=64, ge=1, description="faces per batch")
    replicates: int = Field(default=1000, ge=100, description="bootstrap replicates over people, for gains over direct")
    seed: int = Field(default=0, ge=0, description="seed of the bootstrap")
