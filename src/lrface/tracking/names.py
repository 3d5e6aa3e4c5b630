"""The names that users meet in MLflow: models, aliases, tags, metrics; and what a key may look like."""

import re
from enum import StrEnum
from typing import Final

EXPERIMENT: Final = "lrface"

EDGEFACE: Final = "edgeface"
DSR: Final = "dsr"
PAIR: Final = "lrface"

LOADER: Final = "lrface.tracking.served"
"""The module that MLflow imports for a model of this package."""
DATA: Final = "data/model"
"""Where the files of a model lie in its artifact folder."""

KEY_LENGTH: Final = 250
PARAM_LENGTH: Final = 6000
TAG_LENGTH: Final = 8000


class Alias(StrEnum):
    """The aliases of the registered models."""

    PRETRAINED = "pretrained"
    DIRECT = "direct"
    FINETUNED = "finetuned"
    BASELINE = "baseline"
    CYCLE = "cycle"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    PREVIOUS = "previous"


STRANGER: Final = "onnx"
"""What the tag ``network`` of a version of ``edgeface`` says of a recogniser of others, which nobody retrains."""


class RunTag(StrEnum):
    """Tags of a run."""

    JOB = "lrface.job"
    ERROR = "lrface.error"
    NONFINITE = "lrface.nonfinite"
    CONTINUED_IN = "lrface.continued_in"
    STORE = "lrface.store"


class VersionTag(StrEnum):
    """Tags of a model version."""

    SHA256 = "weights_sha256"
    PACK = "pack_digest"
    COMMIT = "git_commit"
    SUPERVISOR = "supervisor"
    SUPER_RESOLVER = "super_resolver"
    CYCLE = "cycle"
    FACES_SEEN = "faces_seen"
    FACES_IN_ALL = "faces_seen_in_all"
    LICENCE = "licence"
    TERMS = "terms"
    VERDICT = "verdict"
    INTERVAL = "verdict_interval"
    JOB = "job"
    EDGEFACE = "edgeface"
    DSR = "dsr"
    EDGEFACE_SHA256 = "edgeface_sha256"
    DSR_SHA256 = "dsr_sha256"
    FILES = "files"
    NETWORK = "network"
    POINTS = "operating_points"
    DECISION = "decision"


_BRACKETED = re.compile(r"\[([^\]]*)\]")
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_\-./ ]")


def clean_key(key: str) -> str:
    """Return ``key`` in a form that MLflow takes as the name of a metric, a param or an image.

    ``stages[0].lr`` becomes ``stages.0.lr``; any other sign that MLflow refuses becomes ``_``; a path that
    climbs or repeats its slashes is made plain. Keys longer than 250 characters keep their end, which is
    the part that tells them apart.

    Raises:
        ValueError: Nothing is left of the key.
    """
    plain = _FORBIDDEN.sub("_", _BRACKETED.sub(r".\1", key))
    parts = [part.strip() for part in plain.split("/")]
    cleaned = "/".join(part for part in parts if part not in {"", ".", ".."})[-KEY_LENGTH:]
    # A name that starts with two dots is taken for a path upwards.
    cleaned = re.sub(r"^[/ ]+|^[/ ]*\.\.[./ ]*", "", cleaned)
    if cleaned in {"", "."}:
        raise ValueError(f"the key {key!r} holds nothing that can name a metric or a param")
    return cleaned


def arm_metric(arm: str, size: int, metric: str) -> str:
    """Return the key of a test figure: ``test/<arm>/<size>/<metric>``."""
    return clean_key(f"test/{arm}/{size}/{metric}")
