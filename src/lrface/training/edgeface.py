"""Training of the recogniser: from nothing on HR faces, or fine-tuning on what a super-resolver makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel

from lrface.data.pack.loaders import batches
from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError, DataError
from lrface.images.augmentation import AugmentationDraw, draw_augmentation
from lrface.images.ranges import to_float
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.metrics.fidelity import psnr
from lrface.models.chunks import CHUNK, in_chunks
from lrface.models.device import pick_bf16
from lrface.models.edgeface.adapters import choose_trainable, merge_adapters, merged_copy
from lrface.models.edgeface.network import EdgeFace
from lrface.training.batches.mix import MixDraw, Restorer, draw_mix, mix_by, shrunk
from lrface.training.batches.ready import Ready, split
from lrface.training.batches.real import RealDraw, draw_pairs, pairs
from lrface.training.batches.source import Batch, EpochSource, augmented_by, shared_order
from lrface.training.loop.findings import Finding, FirstLook, collapse, first_findings, no_progress
from lrface.training.loop.mean import move_mean, running_mean
from lrface.training.loop.module import Reporter, TrainingModule
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.terms import contrast_loss
from lrface.training.settings import CoarseSettings, CollapseSettings, EdgeFaceOptimSettings, LoopSettings, MixSettings
from lrface.training.validation import ValidationSet, embed_all, recognition_metrics

Drawn = tuple["RealDraw | None", AugmentationDraw, MixDraw, "Tensor | None"]


@dataclass(frozen=True)
class EdgeFaceData:
    """What the training sees.

    Attributes:
        pack: The faces.
        rows: Rows that train.
        people: Person of each of these rows, numbered from 0 without gaps.
        images_per_epoch: Faces in an epoch, 0 for each row once.
        validation: The fixed set.
        judged_apart: Whether its people are meant to be none of those who are trained on.
    """

    pack: Pack
    rows: Int64[np.ndarray, " m"]
    people: Int64[np.ndarray, " m"]
    images_per_epoch: int
    validation: ValidationSet
    judged_apart: bool = False

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
    coarse: CoarseSettings = field(default_factory=CoarseSettings)


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
    shown: tuple[str, ...] = ("similarity", "impostor", "effective_rank", "rank1", "tar_at_far_1e-2", "hr_rank1")

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
        super().__init__(recipe.loop, seed, report, folder, device)
        self.recipe = recipe
        self.data = data
        self._head_accuracy = head_accuracy
        chosen = choose_trainable(edgeface, recipe.optim.train, seed=seed)
        self.edgeface = edgeface.to(device)
        self.head = head.to(device)
        self.bf16 = pick_bf16(recipe.loop.precision, device, dense=False)
        self._body = [*chosen.body, *chosen.head]
        self.mean = self._running_mean()
        # In a tuple, so that frozen networks are neither trained nor saved with this module.
        self._frozen: tuple[EdgeFace | None, Restorer | None] = (anchor, restore)
        self._centres: Float[Tensor, "c 512"] | None = None
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
        anchor = self._frozen[0]
        if anchor is not None and self.recipe.optim.anchor_centre:
            self._centres = self._centres_of(anchor)
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
            known_people=None if self.data.judged_apart else float(known.mean()),
            head_accuracy=self._head_accuracy,
            classes=self.data.classes,
        )

    def trained(self) -> nn.Module:
        """EdgeFace, or the running mean of its weights, with adapters merged into its layers."""
        network = self.judged
        return merged_copy(network) if self.recipe.optim.train.layers == "adapters" else network

    @property
    def judged(self) -> EdgeFace:
        """The network, or the running mean of its weights."""
        network: Any = self.edgeface if self.mean is None else self.mean.module
        judged: EdgeFace = network
        return judged

    def restore_best(self) -> None:
        """Bring EdgeFace to its best state, which that of its running mean may be; adapters are gone then."""
        merge_adapters(self.edgeface)
        if self._best_state:
            self.edgeface.load_state_dict(self._best_state)

    def figures_of(self, network: EdgeFace) -> dict[str, float]:
        """Validation metrics of another network in the place of the trained one; it stays there."""
        self.mean, self.edgeface, self._restored = None, network.to(self.device), None
        return self.validate()

    def moved(self) -> None:
        """Move the running mean of the weights."""
        if self.mean is not None:
            move_mean(self.mean, self.edgeface, self.recipe.optim.ema)

    def _running_mean(self) -> AveragedModel | None:
        decay = self.recipe.optim.ema
        return running_mean(self.edgeface, decay) if decay else None

    def _drawn_to_centres(self, wanted: Tensor, labels: Tensor) -> Tensor:
        assert self._centres is not None  # noqa: S101 - asked by the caller
        return F.normalize(torch.lerp(wanted, self._centres[labels], self.recipe.optim.anchor_centre), dim=1)

    @torch.no_grad()
    def _centres_of(self, anchor: EdgeFace) -> Float[Tensor, "c 512"]:
        """Mean direction of each person's HR faces, as the anchor sees them."""
        sums = torch.zeros(self.data.classes, 512, device=self.place)
        people = torch.from_numpy(self.data.people).to(self.place)
        start = 0
        for rows, faces in batches(self.data.pack, self.data.rows, CHUNK):
            embeddings = in_chunks(anchor, to_float(faces, self.place))
            sums.index_add_(0, people[start : start + len(rows)], embeddings)
            start += len(rows)
        return F.normalize(sums, dim=1)

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

    def draw(self, batch: Batch, generator: torch.Generator) -> Drawn:
        """Real VLR images, augmentation, the mix, and the classes that the step compares with."""
        count, recipe, part = len(batch.rows), self.recipe, batch.part
        real = draw_pairs(batch, recipe.degradation.real, generator)
        augmentation = draw_augmentation(recipe.augmentation, count, generator)
        mix = draw_mix(recipe, count, generator, restores=self._frozen[1] is not None)
        assert self.source is not None  # noqa: S101 - set by the constructor
        classes = self.head.sampled(self.source.labels_of(batch.rows), generator)
        return None if real is None else real.take(part), augmentation.take(part), mix.take(part), classes

    def made(self, faces: Batch, parts: Sequence[Batch], draws: Sequence[Drawn]) -> list[Ready]:
        """Augment, mix, and show the HR faces to the anchor."""
        anchor, restore = self._frozen
        reals, augmentations, mixes, classes = zip(*draws, strict=True)
        real = pairs(faces, RealDraw.joined(reals))
        hr = real.put_hr(augmented_by(faces, AugmentationDraw.joined(augmentations, len(parts[0].rows))))
        images = mix_by(hr, MixDraw.joined(mixes), restore, real)
        if self.current_epoch < self.recipe.coarse.epochs:
            images = shrunk(images, self.recipe.coarse.side)
        tensors = {"images": images, "labels": faces.labels}
        if anchor is not None and (self.recipe.optim.anchor or self.recipe.optim.contrast):
            tensors["wanted"] = in_chunks(anchor, hr)
        if self._centres is not None and "wanted" in tensors:
            tensors["target"] = self._drawn_to_centres(tensors["wanted"], faces.labels)
        loose = [{} if chosen is None else {"classes": chosen.to(hr.device)} for chosen in classes]
        return split(tensors, parts, loose)

    def losses(self, ready: Ready) -> dict[str, Tensor]:
        """Margin loss of the mix, and the distance from the anchor."""
        images, labels, classes, wanted = ready["images"], ready["labels"], ready.get("classes"), ready.get("wanted")
        with torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            whole = self.current_epoch >= self.recipe.coarse.epochs
            embeddings = self.edgeface(images) if whole else self.edgeface.embed_shrunk(images)
        margin = self.head(embeddings, labels, classes)
        right = self.head.predict(embeddings, classes) == labels
        values = {"loss_arcface": margin, "accuracy": right.float().mean()}
        loss = self.recipe.optim.margin_weight * margin
        if wanted is not None and self.recipe.optim.anchor:
            target = ready.get("target")
            values["loss_anchor"] = (1 - F.cosine_similarity(embeddings, wanted if target is None else target)).mean()
            loss = loss + self.recipe.optim.anchor * values["loss_anchor"]
        if wanted is not None and self.recipe.optim.contrast:
            everyone, first = self.processes.gathered(wanted), self.processes.rank * len(wanted)
            values["loss_contrast"] = contrast_loss(embeddings, wanted, batch=everyone, first=first)
            loss = loss + self.recipe.optim.contrast * values["loss_contrast"]
        return {"loss": loss, **values}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Recognition of small faces against HR faces, of HR faces, and against the gallery of the start."""
        validation, anchor = self.data.validation, self._frozen[0]
        network = self.judged
        network.eval()
        probes = torch.cat([network(part.to(self.device)).cpu() for part in torch.split(self._probes(), 128)])
        gallery = embed_all(validation.hr, network, self.device)
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

    def restorer(self) -> Restorer | None:
        """What makes the small faces of validation."""
        return self._frozen[1]

    def _probes(self) -> Float[Tensor, "n 3 112 112"]:
        """Small faces as the recogniser gets them: super-resolved once, since the super-resolver is frozen."""
        if self._restored is None:
            restore = self.restorer()
            parts = []
            for part in self.data.validation.batches(64):
                small, _ = self.data.validation.small(part, self.device)
                images = small.enlarged if restore is None else restore(small)
                parts.append(images.clamp(0.0, 1.0).cpu())
            self._restored = torch.cat(parts)
        return self._restored


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
