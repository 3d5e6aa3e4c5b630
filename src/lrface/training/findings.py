"""What a training notices about itself: each finding has a cause and a remedy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from lrface.settings import Settings


@dataclass(frozen=True)
class Finding:
    """Something that a person should know.

    Attributes:
        name: Short name, used as the tag's key.
        cause: What was seen.
        remedy: What to try.
    """

    name: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.cause}; {self.remedy}"


class CollapseSettings(Settings):
    """When embeddings count as collapsed: they all point one way, and a high similarity says nothing."""

    impostor_max: float = Field(0.7, gt=0, le=1, description="largest mean cosine of different people")
    effective_rank_min: float = Field(2.0, ge=1, description="smallest effective rank of the embeddings")


def collapse(metrics: Mapping[str, float], settings: CollapseSettings) -> Finding | None:
    """Whether a network has stopped telling people apart, by the impostor mean and the effective rank."""
    impostor, rank = metrics["impostor"], metrics["effective_rank"]
    # NaN compares false with every bound, so the test is for health, not for illness.
    if impostor <= settings.impostor_max and rank >= settings.effective_rank_min:
        return None
    return Finding(
        "collapse",
        f"impostor mean {impostor:.3f} (at most {settings.impostor_max}), "
        f"effective rank {rank:.2f} (at least {settings.effective_rank_min})",
        "lower the learning rates, raise the anchor, or train fewer layers; a similarity near 1 is no success here",
    )


def epoch_findings(history: Sequence[Mapping[str, float]]) -> list[Finding]:
    """The health checks of a super-resolver's training, on the metrics of all epochs so far.

    Keys without the prefix are validation metrics, `train_...` those of training.
    """
    found: list[Finding] = []
    if not history:
        return found
    last = history[-1]
    identity = last.get("loss_identity", math.nan)
    if len(history) >= 5 and identity > 0.25:
        found.append(
            Finding(
                "identity_stuck",
                f"val identity loss {identity:.3f} after {len(history)} epochs (wanted under 0.25)",
                "raise loss.identity, draw larger faces, or check the supervisor's own accuracy",
            )
        )
    best = max((epoch.get("psnr", -math.inf) for epoch in history), default=-math.inf)
    if len(history) >= 5 and last.get("psnr", math.inf) < best - 1.0:
        found.append(
            Finding(
                "psnr_falling",
                f"val PSNR {last['psnr']:.2f} dB, {best - last['psnr']:.2f} dB below its best",
                "lower the learning rate, or raise loss.l1 against the other terms",
            )
        )
    train, val = last.get("train_loss", math.nan), last.get("loss", math.nan)
    if len(history) >= 5 and val > 2 * train:
        found.append(
            Finding(
                "overfitting",
                f"val loss {val:.4f} against train loss {train:.4f}",
                "use more people, more augmentation, or stop earlier",
            )
        )
    if last.get("similarity", 0.0) > 0.999:
        found.append(
            Finding(
                "similarity_too_good",
                f"val similarity {last['similarity']:.4f}",
                "look at the impostor mean and the effective rank: the network may have collapsed, "
                "or the small faces are not small",
            )
        )
    return found
