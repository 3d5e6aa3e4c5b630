"""Which engine spreads work, and over what."""

from typing import Literal

from pydantic import Field

from lrface.base.settings import Settings


class ClusterSettings(Settings):
    """Where pieces of work are done."""

    engine: Literal["none", "ray", "submitit"] = Field(
        "none", description="none: in this process; ray: on a Ray cluster; submitit: as jobs of submitit"
    )
    address: str = Field(
        "local",
        description="ray: HOST:PORT of the cluster's head, auto for the one of this machine, local for one that is"
        " started for this job; submitit: local, for processes of this machine, or slurm.",
        min_length=1,
    )
    workers: int = Field(
        0,
        description="Pieces that are done at once; 0: as many as the cluster (local: this machine) has processors.",
        ge=0,
    )
    cpus: int = Field(1, description="Processors of a piece.", ge=1)
    gpus: float = Field(0.0, description="GPUs of a piece; ray takes parts of one.", ge=0)
    wait: float = Field(60.0, description="Longest wait for the cluster to answer, seconds.", gt=0)
    retries: int = Field(3, description="How often a piece whose worker died is done again.", ge=0)
    minutes: int = Field(600, description="submitit: longest time that a piece may take, minutes.", ge=1)
    folder: str = Field(
        "", description="submitit: folder that all machines share, for its files; empty: mlruns/submitit of the project"
    )
