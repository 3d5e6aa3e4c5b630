"""What a training notices about itself: each finding has a cause and a remedy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrface.training.settings import CollapseSettings


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


def share_findings(shares: Mapping[str, float], least: float = 0.03) -> list[Finding]:
    """Whether the pixel term still counts, by the shares of the terms in the gradient at the SR image.

    A recogniser's gradient through a network that has not learnt to restore is mostly noise: with the pixel term
    below a few per cent, recognition itself comes several times more slowly (docs/experiments.md).
    """
    pixel = shares.get("l1", 1.0)
    if pixel >= least:
        return []
    return [
        Finding(
            "pixel_term_idle",
            f"the pixel term is {pixel:.1%} of the gradient at the SR face (wanted {least:.0%} or more)",
            "raise loss.l1 (100 to 200 beside an identity of 0.5): PSNR and recognition then rise faster",
        )
    ]


@dataclass(frozen=True)
class FirstLook:
    """What the validation set looks like before the first step.

    Attributes:
        darkest: Smallest value of the HR faces.
        brightest: Largest value of the HR faces.
        bicubic_psnr: Mean PSNR of the bicubic enlargement to HR, dB.
        restored_psnr: Mean PSNR of the super-resolved faces to HR, dB; none without a super-resolver.
        restored_change: Largest difference of super-resolved and bicubic faces; none without a super-resolver.
        similarity: Mean cosine of small faces to their own HR face.
        known_people: Share of the validation faces whose people are among the classes; none where none is meant to be.
        head_accuracy: Accuracy of the class centres after stage 1; none where there was no stage 1.
        classes: Number of classes.
    """

    darkest: float
    brightest: float
    bicubic_psnr: float
    restored_psnr: float | None
    restored_change: float | None
    similarity: float
    known_people: float | None
    head_accuracy: float | None
    classes: int


def first_findings(look: FirstLook) -> list[Finding]:
    """What is wrong before anything is trained; each of these has cost somebody a night."""
    found = []
    if look.brightest < 2 / 255 or look.brightest > 1 or look.darkest < 0:
        found.append(
            Finding(
                "range_wrong",
                f"HR faces range from {look.darkest:.4f} to {look.brightest:.4f} (wanted 0 to 1)",
                "see that the faces are stored as uint8 and divided by 255 once",
            )
        )
    if look.bicubic_psnr > 40:
        found.append(
            Finding(
                "vlr_not_small",
                f"bicubic enlargement is {look.bicubic_psnr:.1f} dB from HR",
                "check the sizes of the degradation: these small faces have lost nothing",
            )
        )
    if look.restored_psnr is not None and look.restored_psnr > 45:
        found.append(
            Finding(
                "dsr_equals_hr",
                f"super-resolved faces are {look.restored_psnr:.1f} dB from HR",
                "check that the super-resolver is given small faces, not HR",
            )
        )
    if look.restored_change is not None and look.restored_change < 1e-4:
        found.append(
            Finding(
                "dsr_equals_bicubic",
                "the super-resolver changes nothing",
                "train it first, or check which version its alias names",
            )
        )
    if look.similarity > 0.999:
        found.append(
            Finding(
                "similarity_too_good",
                f"similarity {look.similarity:.4f} before training",
                "the small faces are not small, or the recogniser has collapsed",
            )
        )
    if look.known_people == 0:
        found.append(
            Finding(
                "identities_disjoint",
                "no person of the validation faces is among the classes, so closed-set accuracy means nothing",
                "judge by verification and identification, or split by image within people",
            )
        )
    if look.head_accuracy is not None and look.head_accuracy < 2 / look.classes:
        found.append(
            Finding(
                "head_untrained",
                f"accuracy of the class centres is {look.head_accuracy:.4f}, that of guessing {1 / look.classes:.4f}",
                "start from class centres (margin.start=centres), or raise head.lr and head.epochs",
            )
        )
    return found


def no_progress(epoch: int, best_epoch: int, after: int = 5) -> Finding | None:
    """Whether nothing has got better for some epochs.

    Args:
        epoch: The current epoch, from 0.
        best_epoch: The best one; -1 is the state before training.
        after: Epochs of patience.
    """
    if epoch - best_epoch < after:
        return None
    return Finding(
        "no_progress",
        f"no new best since {'the start' if best_epoch < 0 else f'epoch {best_epoch + 1}'}",
        "raise the learning rate if the loss stands still, lower it if it falls while the score does not rise",
    )


def start_kept(epochs: int) -> Finding:
    """That no epoch was better than the state before the first one.

    Args:
        epochs: How many there were.
    """
    return Finding(
        "start_kept",
        f"none of {epochs} epochs was better on the validation faces than the start, so the training ends with the "
        "weights that it started from",
        "train for longer or at another learning rate, or choose the epoch by another figure (optim.select)",
    )


def below_bicubic(epochs: int) -> Finding:
    """That a super-resolver which started untrained, as bicubic, has come to nothing better.

    Args:
        epochs: How many there were.
    """
    return Finding(
        "below_bicubic",
        f"none of {epochs} epochs was better on the validation faces than bicubic, and the best of them is registered",
        "train for longer, or choose by optim.select=psnr where the supervisor has learnt on bicubic faces",
    )


def way_back_lost(share: float, rest: str) -> Finding:
    """That a mean of two recognisers' weights is worse than the network that the training started from.

    Args:
        share: Share of the trained weights.
        rest: Where the rest is from.
    """
    return Finding(
        "way_back_lost",
        f"{share:g} of the way from {rest} is worse on the validation faces than the start",
        "raise tuned_share, and see that back_to is what the start was fine-tuned from: others have no useful mean",
    )
