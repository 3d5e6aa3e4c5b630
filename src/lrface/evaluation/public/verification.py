"""Ten-fold accuracy, EER and TAR at fixed FAR of every arm on a set of labelled pairs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy.stats import t
from torch import Tensor

from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.protocol.arms import Arm, Embedder, bicubic
from lrface.evaluation.protocol.conditions import Degrade, clean
from lrface.evaluation.protocol.feeding import batch_on, fed, shown_to
from lrface.evaluation.protocol.seen import checked_embeddings
from lrface.evaluation.public.gain import gain_records, gains
from lrface.evaluation.public.pictures import broken
from lrface.evaluation.public.records import PublicRecord, made
from lrface.evaluation.public.sets import PairSet
from lrface.evaluation.public.settings import PairSettings
from lrface.images.sizes import FACE_SIZE
from lrface.metrics.verification import FoldAccuracy, best_threshold, eer, fold_accuracy, tar_at_far

LEVEL = 0.95


class PairEvaluation:
    """One pair set under measurement; HR embeddings are made once per recogniser.

    Args:
        pairs: The set.
        degrade: How small faces are made.
        settings: Flip, which face is small, rates.
        device: Where the networks are.
    """

    def __init__(
        self,
        pairs: PairSet,
        *,
        degrade: Degrade = clean,
        settings: PairSettings | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.pairs, self.degrade, self.device = pairs, degrade, device
        self.settings = settings or PairSettings()
        self._high: dict[Embedder, Tensor] = {}
        self._scores: dict[tuple[str, int | None], np.ndarray] = {}

    def _embedded(
        self, rows: np.ndarray, see: Callable[[Tensor], Tensor], embedder: Embedder, who: str
    ) -> Float[Tensor, "n d"]:
        """Embeds some faces in place of all (other rows are 0); with flip, the unit sum of face and mirror image."""
        whole: Tensor | None = None
        with torch.inference_mode():
            batch = batch_on(self.device, self.settings.batch)
            for chosen, faces in fed(self.pairs.faces, rows, batch, self.device):
                images = shown_to(see, faces, batch)
                found = checked_embeddings(shown_to(embedder, images, batch), len(images), who)
                if self.settings.flip:
                    mirrored = shown_to(embedder, images.flip(3), batch)
                    found = F.normalize(found + checked_embeddings(mirrored, len(images), who))
                if whole is None:
                    whole = torch.zeros(len(self.pairs.faces), found.shape[1])
                whole[torch.from_numpy(chosen)] = found
        return torch.empty(0) if whole is None else whole

    def _in_high(self, embedder: Embedder, who: str) -> Float[Tensor, "n d"]:
        if embedder not in self._high:
            rows = np.unique(np.concatenate([self.pairs.first, self.pairs.second]))
            self._high[embedder] = self._embedded(rows, lambda images: images, embedder, who)
        return self._high[embedder]

    def scores(self, arm: Arm, size: int | None = None) -> Float[np.ndarray, " p"]:
        """Computes the cosine of each pair, once.

        Args:
            arm: Recogniser, and the upscaler of small faces.
            size: Side of the small faces in pixels; None leaves both in HR.

        Raises:
            EvaluationError: A size that the arm does not take, or embeddings that are not unit rows.
        """
        if (arm.name, size) not in self._scores:
            self._scores[arm.name, size] = self._compared(arm, size)
        return self._scores[arm.name, size]

    def _compared(self, arm: Arm, size: int | None) -> Float[np.ndarray, " p"]:
        pairs, upscaler = self.pairs, arm.upscaler
        if size is None:
            enrolled, probes = self._in_high(arm.enrols_with, arm.name), self._in_high(arm.embedder, arm.name)
            return np.asarray((enrolled[pairs.first] * probes[pairs.second]).sum(dim=1).numpy())
        if upscaler is None or not arm.takes(size):
            raise broken(
                f"{pairs.name} with {arm.name}", f"{size} px", "a size that the arm takes", "choose another size or arm"
            )

        def small(images: Tensor) -> Tensor:
            return upscaler(self.degrade(images, size))

        both = self.settings.small == "both"
        rows = np.unique(np.concatenate([pairs.first, pairs.second]) if both else pairs.second)
        probes = self._embedded(rows, small, arm.embedder, arm.name)
        enrolled = probes if both else self._in_high(arm.enrols_with, arm.name)
        return np.asarray((enrolled[pairs.first] * probes[pairs.second]).sum(dim=1).numpy())

    def accuracy(self, arm: Arm, size: int | None = None) -> FoldAccuracy:
        """Computes the accuracy over the folds, each with the threshold of the others.

        Raises:
            EvaluationError: As `scores`, or fewer pairs than folds.
        """
        return fold_accuracy(self.scores(arm, size), self.pairs.same, self.pairs.folds)

    def records(self, arm: Arm, size: int | None = None) -> list[PublicRecord]:
        """Measures one arm at one size.

        Raises:
            EvaluationError: As `accuracy`.
        """
        scores, same = self.scores(arm, size), self.pairs.same
        folds = fold_accuracy(scores, same, self.pairs.folds)
        where = (self.pairs.name, arm.name, size or FACE_SIZE)
        found = [
            made(where, "accuracy", folds.mean, scores.size, _fold_interval(folds)),
            made(where, "accuracy_deviation", folds.deviation, len(folds.accuracies)),
            made(where, "threshold", float(np.mean(folds.thresholds)), len(folds.thresholds)),
            made(where, "accuracy_best", best_threshold(scores, same)[0], scores.size),
        ]
        genuine, impostor = scores[same], scores[~same]
        if genuine.size and impostor.size:
            found.append(made(where, "eer", eer(genuine, impostor), scores.size))
        for far in self.settings.fars:
            point = tar_at_far(genuine, impostor, far)
            found.append(made(where, f"tar_at_far_{rate_name(far)}", point.value, point.n, reason=point.reason))
        return found


def _fold_interval(folds: FoldAccuracy) -> tuple[float, float]:
    """Gives Student's interval of the mean over the folds, within [0, 1]."""
    count = len(folds.accuracies)
    error = float(np.std(folds.accuracies, ddof=1)) / math.sqrt(count)
    half = float(t.ppf(0.5 + LEVEL / 2.0, count - 1)) * error
    return max(0.0, folds.mean - half), min(1.0, folds.mean + half)


def _wanted(arms: Sequence[Arm], sizes: Sequence[int], *, high_resolution: bool) -> list[tuple[Arm, int | None]]:
    """Lists what is measured: HR for each ceiling, each size for each other arm that takes it."""
    whole: list[tuple[Arm, int | None]] = [(arm, None) for arm in arms if arm.is_ceiling and high_resolution]
    return whole + [(arm, size) for size in sizes for arm in arms if not arm.is_ceiling and arm.takes(size)]


def both_small(name: str) -> str:
    """What a set is called whose pairs are small on both sides, beside the one with an HR face in each."""
    return f"{name}_both_small"


def evaluate_pairs(
    pairs: PairSet,
    arms: Sequence[Arm],
    sizes: Sequence[int],
    *,
    high_resolution: bool = True,
    degrade: Degrade = clean,
    settings: PairSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    direct: Arm | None = None,
) -> list[PublicRecord]:
    """Measures all arms on a pair set, in HR and at all sizes; sizes that an arm does not take are left out.

    Args:
        pairs: The set.
        arms: The ways to compare; those without upscaler are the ceilings, measured in HR.
        sizes: Sides of the small faces in pixels.
        high_resolution: Whether the ceilings are measured.
        degrade: How small faces are made.
        settings: Flip, which face is small, rates. With `each`, both small is a set of its own, `NAME_both_small`.
        device: Where the networks are.
        progress: Told (cells done, all cells).
        direct: The arm of the direct recogniser, over which gains of those with a super-resolver are told.

    Raises:
        EvaluationError: Fewer pairs than folds, or embeddings that are not unit rows.
    """
    chosen = settings or PairSettings()
    if chosen.small == "each":
        found = []
        for small, name, high in (("second", pairs.name, high_resolution), ("both", both_small(pairs.name), False)):
            found += evaluate_pairs(
                replace(pairs, name=name),
                arms,
                sizes,
                high_resolution=high,
                degrade=degrade,
                settings=chosen.model_copy(update={"small": small}),
                device=device,
                progress=progress,
                direct=direct,
            )
        return found
    evaluation = PairEvaluation(pairs, degrade=degrade, settings=chosen, device=device)
    wanted = _wanted(arms, sizes, high_resolution=high_resolution)
    found = []
    for done, (arm, size) in enumerate(wanted, start=1):
        found += evaluation.records(arm, size)
        if progress is not None:
            progress(done, len(wanted))
    if direct is None:
        return found
    for arm, size in wanted:
        if size is not None and arm.upscaler is not bicubic and direct.takes(size):
            scores = evaluation.scores(arm, size), evaluation.scores(direct, size)
            over = gains(*scores, pairs, evaluation.settings)
            found += gain_records(
                pairs.name, arm.name, size, over, len(pairs.same), "pairs" if pairs.people is None else "people"
            )
    return found
