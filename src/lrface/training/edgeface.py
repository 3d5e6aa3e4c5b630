"""Training of the recogniser: from nothing on HR faces, or fine-tuning on what a super-resolver makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.data.pack import Pack
from lrface.errors import ConfigError, DataError
from lrface.images.degradation import SmallFaces, degrade, draw_degradation
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.losses.margin import MarginHead
from lrface.metrics.fidelity import psnr
from lrface.models.adapters import choose_trainable, merge_adapters, merged_copy
from lrface.models.device import pick_bf16
from lrface.models.edgeface import EdgeFace
from lrface.training.findings import Finding, FirstLook, collapse, first_findings, no_progress
from lrface.training.module import Reporter, TrainingModule
from lrface.training.real import RealSmall, draw_real
from lrface.training.settings import CollapseSettings, EdgeFaceOptimSettings, LoopSettings, MixSettings
from lrface.training.source import Batch, EpochSource, augmented, shared_order
from lrface.training.validation import ValidationSet, embed_all, recognition_metrics

Restorer = Callable[[SmallFaces], Float[Tensor, "n 3 112 112"]]


@dataclass(frozen=True)
class EdgeFaceData:
    """What the training sees.

    Attributes:
        pack: The faces.
        rows: Rows that train.
        people: Person of each of these rows, numbered from 0 without gaps.
        images_per_epoch: Faces in an epoch, 0 for each row once.
        validation: The fixed set.
    """

    pack: Pack
    rows: Int64[np.ndarray, " m"]
    people: Int64[np.ndarray, " m"]
    images_per_epoch: int
    validation: ValidationSet

    @property
    def classes(self) -> int:
        """Number of people."""
        return int(self.people.max()) + 1


@dataclass(frozen=True)
class EdgeFaceRecipe:
    """How the training is done."""

    loop: LoopSettings
    optim: EdgeFaceOptimSettings
    mix: MixSettings
    degradation: DegradationSettings
    augmentation: AugmentationSettings
    collapse: CollapseSettings


class EdgeFaceTraining(TrainingModule):
    """Trains a recogniser and its class centres.

    Args:
        edgeface: The network; it is trained in place.
        anchor: The network as it was, frozen; None where there is nothing to stay near.
        head: Class centres.
        restore: The frozen super-resolver; None where no share of the mix needs one.
        data: What the training sees.
        recipe: How it is done.
        seed: Seed of every draw.
        report: Where to tell what happens.
        folder: Working folder.
        device: Where to train.
        head_accuracy: Accuracy of the class centres after stage 1, where there was one.

    Raises:
        ConfigError: The mix is of SR faces alone, and there is no super-resolver.
        DataError: The validation faces are all of one person.
    """

    stage = "edgeface"
    shown = ("similarity", "impostor", "effective_rank", "rank1", "tar_at_far_1e-2", "hr_rank1")

    def __init__(
        self,
        edgeface: EdgeFace,
        anchor: EdgeFace | None,
        head: MarginHead,
        restore: Restorer | None,
        data: EdgeFaceData,
        recipe: EdgeFaceRecipe,
        *,
        seed: int,
        report: Reporter,
        folder: Path,
        device: torch.device,
        head_accuracy: float | None = None,
    ) -> None:
        _check(recipe.mix, restore, data.validation)
        super().__init__(recipe.loop, seed, report, folder)
        self.recipe = recipe
        self.data = data
        self._head_accuracy = head_accuracy
        chosen = choose_trainable(edgeface, recipe.optim.train, seed=seed)
        self.edgeface = edgeface.to(device)
        self.head = head.to(device)
        self.bf16 = pick_bf16(recipe.loop.precision, device, dense=False)
        self._body = [*chosen.body, *chosen.head]
        # In a tuple, so that frozen networks are neither trained nor saved with this module.
        self._frozen: tuple[EdgeFace | None, Restorer | None] = (anchor, restore)
        self._restored: Float[Tensor, "n 3 112 112"] | None = None
        self._old_gallery: Float[Tensor, "m 512"] | None = None
        self.source = EpochSource(
            data.pack,
            lambda epoch: shared_order([data.rows], [1.0], data.images_per_epoch, seed, epoch, data.pack.locality),
            dict(zip(data.rows.tolist(), data.people.tolist(), strict=True)),
            recipe.loop.batch_size,
            lambda: self.current_epoch,
            self.processes,
            mixes=recipe.augmentation.blend > 0,
        )

    def on_fit_start(self) -> None:
        """As in every training; before it, a look at what the training will see."""
        super().on_fit_start()
        if not self.history and self._frozen[0] is not None and self.processes.leads:
            self._tell(first_findings(self.look()))

    @torch.no_grad()
    def look(self) -> FirstLook:
        """What the validation set looks like before the first step."""
        validation, restore = self.data.validation, self._frozen[1]
        part = slice(0, min(32, len(validation.owner)))
        small, hr = validation.small(part, self.device)
        bicubic, shown = small.enlarged.clamp(0.0, 1.0), self._probes()[part].to(self.device)
        known = np.isin(validation.people[validation.owner], self.data.people)
        return FirstLook(
            darkest=float(hr.min()),
            brightest=float(hr.max()),
            bicubic_psnr=float(psnr(bicubic, hr).mean()),
            restored_psnr=None if restore is None else float(psnr(shown, hr).mean()),
            restored_change=None if restore is None else float((shown - bicubic).abs().max()),
            similarity=self.start_metrics.get("similarity", 0.0),
            known_people=float(known.mean()),
            head_accuracy=self._head_accuracy,
            classes=self.data.classes,
        )

    def trained(self) -> nn.Module:
        """EdgeFace, with adapters merged into its layers."""
        return merged_copy(self.edgeface) if self.recipe.optim.train.layers == "adapters" else self.edgeface

    def restore_best(self) -> None:
        """Bring EdgeFace back to its best state; adapters are gone then."""
        merge_adapters(self.edgeface)
        super().restore_best()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """EdgeFace and the class centres, each with its own rate and clip."""
        optim = self.recipe.optim
        return [
            {"params": self._body, "lr": optim.backbone_lr, "name": "backbone", "clip": optim.clip},
            {"params": list(self.head.parameters()), "lr": optim.head_lr, "name": "head", "clip": optim.clip},
        ]

    def weight_decay(self) -> float:
        """Of the optimiser's settings."""
        return self.recipe.optim.weight_decay

    def losses(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Margin loss of the mix, and the distance from the anchor."""
        anchor = self._frozen[0]
        with torch.no_grad():
            real = draw_real(batch, self.recipe.degradation.real, generator)
            hr = real.put_hr(augmented(batch, self.recipe.augmentation, generator))
            images = mixed(hr, self.recipe, self._frozen[1], generator, len(batch.rows), batch.part, real)
            wanted = anchor(hr) if anchor is not None and self.recipe.optim.anchor else None
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            embeddings = self.edgeface(images)
        classes = self.head.sampled(self.processes.gathered(batch.labels), generator)
        margin = self.head(embeddings, batch.labels, classes)
        right = self.head.predict(embeddings, classes) == batch.labels
        values = {"loss_arcface": margin, "accuracy": right.float().mean()}
        loss = self.recipe.optim.margin_weight * margin
        if wanted is not None:
            values["loss_anchor"] = (1 - F.cosine_similarity(embeddings, wanted)).mean()
            loss = loss + self.recipe.optim.anchor * values["loss_anchor"]
        return {"loss": loss, **values}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Recognition of small faces against HR faces, of HR faces, and against the gallery of the start."""
        validation, anchor = self.data.validation, self._frozen[0]
        self.edgeface.eval()
        probes = torch.cat([self.edgeface(part.to(self.device)).cpu() for part in torch.split(self._probes(), 128)])
        gallery = embed_all(validation.hr, self.edgeface, self.device)
        self.edgeface.train()
        metrics = recognition_metrics(probes, gallery, validation.owner, validation.people)
        every = np.arange(len(validation.hr))
        whole = recognition_metrics(gallery, gallery, every, validation.people)
        metrics |= {f"hr_{name}": whole[name] for name in whole if name.startswith(("tar", "rank1"))}
        if anchor is not None:
            if self._old_gallery is None:
                self._old_gallery = embed_all(validation.hr, anchor, self.device)
            old = recognition_metrics(probes, self._old_gallery, validation.owner, validation.people)
            metrics |= {f"old_gallery_{name}": old[name] for name in old if name.startswith(("tar", "rank1"))}
            metrics["anchor_similarity"] = float((gallery * self._old_gallery).sum(1).mean())
        return metrics

    def score(self, metrics: Mapping[str, float]) -> list[float]:
        """The chosen metric, d' for ties; an epoch that forgets HR faces cannot win."""
        start = self.start_metrics or metrics
        # Few validation faces have too few impostors for a strict rate; the next best one then stands guard.
        guards = ("hr_tar_at_far_1e-2", "hr_tar_at_far_1e-1", "hr_rank1")
        guard = next((name for name in guards if name in start), guards[0])
        kept = metrics.get(guard, 0.0) >= start.get(guard, 0.0) - self.recipe.optim.hr_tolerance
        separation = metrics.get("dprime", 0.0)
        return [float(kept), metrics.get(self.recipe.optim.select, separation), separation]

    def findings(self) -> list[Finding]:
        """Collapse ends the training; a standstill is told."""
        found = collapse(self.history[-1], self.recipe.collapse) if self.must_not_collapse() else None
        if found is not None:
            return [Finding("stop_collapse", found.cause, found.remedy)]
        still = no_progress(self.current_epoch, self.best_epoch)
        return [still] if still is not None else []

    def must_not_collapse(self) -> bool:
        """A network that starts from nothing is given half of its epochs to spread its embeddings."""
        return self._frozen[0] is not None or 2 * len(self.history) > self.loop.epochs

    def _probes(self) -> Float[Tensor, "n 3 112 112"]:
        """Small faces as the recogniser gets them: super-resolved once, since the super-resolver is frozen."""
        if self._restored is None:
            restore = self._frozen[1]
            parts = []
            for part in self.data.validation.batches(64):
                small, _ = self.data.validation.small(part, self.device)
                images = small.enlarged if restore is None else restore(small)
                parts.append(images.clamp(0.0, 1.0).cpu())
            self._restored = torch.cat(parts)
        return self._restored


def mixed(
    hr: Float[Tensor, "n 3 112 112"],
    recipe: EdgeFaceRecipe,
    restore: Restorer | None,
    generator: torch.Generator,
    batch: int | None = None,
    part: slice = slice(None),
    real: RealSmall | None = None,
) -> Float[Tensor, "n 3 112 112"]:
    """Turn each HR face into SR, bicubic or itself, by the shares of the mix.

    Without a super-resolver the others have its share. Draws are for a whole batch, of which `hr` is a part; without
    `batch` it is all of it. Those of `real` are shrunk by nobody: their VLR images are taken.
    """
    count = len(hr) if batch is None else batch
    shares = torch.tensor([recipe.mix.sr if restore is not None else 0.0, recipe.mix.bicubic, recipe.mix.hr])
    kind = torch.multinomial(shares, count, replacement=True, generator=generator)[part]
    draw = draw_degradation(recipe.degradation, count, generator).take(part)
    images = hr.clone()
    for number in (0, 1):
        rows = (kind == number).nonzero().squeeze(1)
        if rows.numel():
            small = degrade(hr[rows.to(hr.device)], draw.take(rows))
            if real is not None:
                small = real.take(rows.to(hr.device)).put_small(small)
            shown = restore(small) if number == 0 and restore is not None else small.enlarged
            images[rows.to(hr.device)] = shown.clamp(0.0, 1.0)
    return images


def _check(mix: MixSettings, restore: Restorer | None, validation: ValidationSet) -> None:
    if restore is None and not mix.bicubic + mix.hr:
        raise ConfigError(
            "mix of faces",
            got="SR faces alone, and no super-resolver",
            expected="one",
            remedy="lower mix.sr, or name dsr",
        )
    people = len(np.unique(validation.people))
    if people < 2:
        raise DataError(
            "validation faces",
            got=f"{people} person",
            expected="two people or more",
            remedy="give faces of more people",
        )
