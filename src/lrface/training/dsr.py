"""Training of the super-resolver under the eyes of a frozen recogniser."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from lrface.data.pack.pack import Pack
from lrface.images.augmentation import AugmentationDraw, draw_augmentation
from lrface.images.degradation.degradation import DegradationDraw, SmallFaces, degrade, draw_degradation
from lrface.images.ranges import to_float, to_uint8
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.metrics.fidelity import psnr, ssim
from lrface.models.chunks import in_chunks
from lrface.models.device import pick_bf16
from lrface.models.dsr.network import DSR
from lrface.training.batches.ready import Ready, split
from lrface.training.batches.real import RealDraw, draw_pairs, pairs
from lrface.training.batches.source import Batch, EpochSource, augmented_by, shared_order
from lrface.training.loop.findings import Finding, epoch_findings, share_findings
from lrface.training.loop.mean import move_mean, running_mean
from lrface.training.loop.module import Reporter, TrainingModule
from lrface.training.losses.perceptual import PerceptualLoss
from lrface.training.losses.perceptual_weights import perceptual_loss
from lrface.training.losses.settings import DsrLossSettings
from lrface.training.losses.terms import (
    contrast_loss,
    feature_matching_loss,
    identity_loss,
    pixel_loss,
    total_variation_loss,
)
from lrface.training.losses.weighted import LossTerms, gradient_shares, share_of_size
from lrface.training.processes import Processes
from lrface.training.settings import DsrOptimSettings, LoopSettings
from lrface.training.supervisors import JUDGED, Judge
from lrface.training.validation import Embedder, ValidationSet, recognition_metrics

Drawn = tuple[RealDraw | None, AugmentationDraw, DegradationDraw]


class Supervisor(Protocol):
    """A frozen recogniser that shows its intermediate features."""

    def embed_with_features(
        self, images: Float[Tensor, "n 3 112 112"]
    ) -> tuple[Float[Tensor, "n d"], Sequence[Float[Tensor, "n c h w"]]]:
        """Embeddings and the features of all stages."""


@dataclass(frozen=True)
class DsrData:
    """What the training sees.

    Attributes:
        pack: The faces.
        groups: Rows of each source that trains.
        shares: How much of an epoch each source gets.
        images_per_epoch: Faces in an epoch, 0 for each row once.
        validation: The fixed set.
    """

    pack: Pack
    groups: Sequence[Int64[np.ndarray, " m"]]
    shares: Sequence[float]
    images_per_epoch: int
    validation: ValidationSet


@dataclass(frozen=True)
class DsrRecipe:
    """How the training is done."""

    loop: LoopSettings
    optim: DsrOptimSettings
    loss: DsrLossSettings
    degradation: DegradationSettings
    augmentation: AugmentationSettings


class DsrTraining(TrainingModule):
    """Trains a super-resolver; the recogniser judges and stays as it is."""

    stage = "dsr"
    shown = ("loss", "psnr", "ssim", "similarity", "impostor", "tar_at_far_1e-2")

    def __init__(
        self,
        dsr: DSR,
        supervisor: Supervisor,
        data: DsrData,
        recipe: DsrRecipe,
        *,
        seed: int,
        report: Reporter,
        folder: Path,
        sheet: Callable[[Sequence[UInt8[np.ndarray, "n 112 112 3"]], Sequence[str]], UInt8[np.ndarray, "h w 3"]],
        device: torch.device,
        judge: Embedder | None = None,
    ) -> None:
        super().__init__(recipe.loop, seed, report, folder, device)
        self.recipe = recipe
        self.data = data
        self.dsr = dsr.to(device).to(memory_format=torch.channels_last)
        ema = recipe.optim.ema
        self.mean = running_mean(self.dsr, ema) if ema else None
        self.bf16 = pick_bf16(recipe.loop.precision, device)
        weights = recipe.loss.weights()
        perceptual = perceptual_loss(recipe.loss.perceptual_network).to(device) if weights["perceptual"] > 0 else None
        # In a tuple, so that frozen networks are neither trained, nor averaged, nor saved with this module.
        self._judges: tuple[Supervisor, PerceptualLoss | None] = (supervisor, perceptual)
        self._asked = Judge(judge, data.validation.hr, data.validation.people) if judge is not None else None
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._sheet = sheet
        self.source = EpochSource(
            data.pack,
            lambda epoch: shared_order(
                data.groups, data.shares, data.images_per_epoch, seed, epoch, data.pack.locality
            ),
            {},
            recipe.loop.batch_size,
            lambda: self.current_epoch,
            self.processes,
            mixes=recipe.augmentation.blend > 0,
        )

    def trained(self) -> nn.Module:
        """The running mean of the weights where there is one."""
        if self.mean is None:
            return self.dsr
        return self.mean.module

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group."""
        optim = self.recipe.optim
        return [{"params": list(self.dsr.parameters()), "lr": optim.lr, "name": "dsr", "clip": optim.clip}]

    def weight_decay(self) -> float:
        """Of the optimiser's settings."""
        return self.recipe.optim.weight_decay

    def draw(self, batch: Batch, generator: torch.Generator) -> Drawn:
        """Which faces are seen in real VLR images, how they are augmented, and how they become small."""
        count, recipe = len(batch.rows), self.recipe
        real = draw_pairs(batch, recipe.degradation.real, generator)
        augmentation = draw_augmentation(recipe.augmentation, count, generator)
        degradation = draw_degradation(recipe.degradation, count, generator)
        part = batch.part
        return None if real is None else real.take(part), augmentation.take(part), degradation.take(part)

    def made(self, faces: Batch, parts: Sequence[Batch], draws: Sequence[Drawn]) -> list[Ready]:
        """Augment and degrade; show the HR faces to the supervisor, who is frozen."""
        reals, augmentations, degradations = zip(*draws, strict=True)
        real = pairs(faces, RealDraw.joined(reals))
        hr = real.put_hr(augmented_by(faces, AugmentationDraw.joined(augmentations, len(parts[0].rows))))
        small = real.put_small(degrade(hr, DegradationDraw.joined(degradations)))
        tensors = {"hr": hr, "enlarged": small.enlarged, "size": small.size}
        if self._sees_recogniser:
            tensors["wanted"], *features = in_chunks(self._seen, hr)
            tensors |= {f"feature_{place}": feature for place, feature in enumerate(features)}
        return split(tensors, parts)

    def losses(self, ready: Ready) -> dict[str, Tensor]:
        """Restore, compare."""
        terms = self._terms_of(ready)[0]
        return {**terms.detached(), "loss": terms.total}

    def look_closely(self, ready: Ready) -> None:
        """Tell how much each term pulls at the SR face."""
        terms, restored = self._terms_of(ready)
        shares = gradient_shares(terms, restored, self.processes.mean)
        self.report.metrics({f"train/share_{name}": share for name, share in shares.items()}, self.current_epoch)
        self._tell(share_findings(shares))

    def _terms_of(self, ready: Ready) -> tuple[LossTerms, Tensor]:
        restored = self.restore(self.dsr, SmallFaces(ready["enlarged"], ready["size"]))
        seen = None
        if "wanted" in ready.tensors:
            features = [ready[name] for name in ready.tensors if name.startswith("feature_")]
            seen = ready["wanted"], features
        return self.terms(restored, ready["hr"], ready["size"], self.processes, seen), restored

    def restore(self, network: nn.Module, small: SmallFaces) -> Float[Tensor, "n 3 112 112"]:
        """SR faces, not clamped."""
        with torch.autocast(small.enlarged.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            restored: Tensor = network.restore(small)  # type: ignore[operator]
        return restored.float()

    def terms(
        self,
        restored: Float[Tensor, "n 3 112 112"],
        hr: Float[Tensor, "n 3 112 112"],
        size: Int64[Tensor, " n"],
        sharing: Processes | None = None,
        seen: tuple[Tensor, Sequence[Tensor]] | None = None,
    ) -> LossTerms:
        """Every term whose weight is not 0; of the own part of a batch where processes are sharing it.

        Args:
            restored: SR faces.
            hr: The faces that they are to be like.
            size: Sides of the VLR faces, in pixels.
            sharing: The processes that share the batch.
            seen: What the supervisor saw in `hr`, where it has been shown them already.
        """
        supervisor, perceptual = self._judges
        values: dict[str, Tensor] = {"l1": pixel_loss(restored, hr)}
        if self._sees_recogniser:
            if seen is None:
                with torch.no_grad():
                    seen = supervisor.embed_with_features(hr)
            wanted, wanted_features = seen
            embedding, features = supervisor.embed_with_features(restored)
            share = share_of_size(self.recipe.loss, size)
            values["identity"] = identity_loss(embedding, wanted, share)
            batch, first = (sharing.gathered(wanted), sharing.rank * len(wanted)) if sharing else (wanted, 0)
            values["contrast"] = contrast_loss(embedding, wanted, share, batch=batch, first=first)
            values["feature"] = feature_matching_loss(features, wanted_features, share)
        values["tv"] = total_variation_loss(restored)
        if perceptual is not None:
            with torch.autocast(hr.device.type, dtype=torch.bfloat16, enabled=self.bf16):
                values["perceptual"] = perceptual(restored, hr)
        return LossTerms({name: values[name] for name in self._weights}, self._weights)

    def _seen(self, images: Tensor) -> list[Tensor]:
        embeddings, features = self._judges[0].embed_with_features(images)
        return [embeddings, *features]

    @property
    def _sees_recogniser(self) -> bool:
        return bool({"identity", "feature", "contrast"} & set(self._weights))

    def moved(self) -> None:
        """Move the running mean of the weights."""
        if self.mean is not None:
            move_mean(self.mean, self.dsr, self.recipe.optim.ema)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Fidelity, recognition and the loss terms on the fixed set."""
        validation, supervisor = self.data.validation, self._judges[0]
        network = self.trained().eval()
        sums: dict[str, float] = {}
        probes, device = [], self.device
        for part in validation.batches(64):
            small, hr = validation.small(part, device)
            restored = self.restore(network, small)
            for name, value in self.terms(restored, hr, small.size).detached().items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(hr)
            shown = restored.clamp(0.0, 1.0)
            sums["psnr"] = sums.get("psnr", 0.0) + float(psnr(shown, hr).sum())
            sums["ssim"] = sums.get("ssim", 0.0) + float(ssim(shown, hr).sum())
            probes.append(supervisor.embed_with_features(shown)[0].cpu())
            if self._asked is not None:
                self._asked.look(shown)
        gallery = [
            supervisor.embed_with_features(to_float(validation.hr[start : start + 64], device))[0].cpu()
            for start in range(0, len(validation.hr), 64)
        ]
        self.dsr.train()
        metrics = {name: total / len(validation.owner) for name, total in sums.items()}
        recognition = recognition_metrics(torch.cat(probes), torch.cat(gallery), validation.owner, validation.people)
        judged = self._asked.metrics(validation.owner, device) if self._asked is not None else {}
        return {**metrics, **recognition, **judged}

    def score(self, metrics: Mapping[str, float]) -> list[float]:
        """Val PSNR, or identity as the supervisor or the judge sees it."""
        if self.recipe.optim.select == "psnr":
            return [metrics["psnr"]]
        who = JUDGED if self.recipe.optim.select == "judge" else ""
        return [
            metrics.get(f"{who}tar_at_far_1e-2", 0.0),
            metrics.get(f"{who}dprime", metrics[f"{who}similarity"]),
        ]

    def findings(self) -> list[Finding]:
        """The health checks of the design."""
        return epoch_findings(self.history)

    def on_train_epoch_end(self) -> None:
        """As in every training, and a sheet of faces now and then."""
        super().on_train_epoch_end()
        every = max(1, self.loop.epochs // 10)
        shows = self.current_epoch % every == 0 or self.current_epoch + 1 == self.loop.epochs
        if shows and self.processes.leads:
            self.report.image("validation_faces", self.picture(), self.current_epoch)

    @torch.no_grad()
    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """VLR, bicubic, SR and HR of some validation faces, with cosine and PSNR."""
        validation, supervisor = self.data.validation, self._judges[0]
        count = min(8, len(validation.owner))
        places = np.linspace(0, len(validation.owner) - 1, count).round().astype(np.int64)
        chosen = validation.take(places)
        small, hr = chosen.small(slice(0, count), self.device)
        bicubic = small.enlarged.clamp(0.0, 1.0)
        restored = self.restore(self.trained().eval(), small).clamp(0.0, 1.0)
        wanted = supervisor.embed_with_features(hr)[0]
        titles = [
            f"{size} px, real" if real else f"{size} px" for size, real in zip(chosen.size, chosen.real, strict=True)
        ]
        for images in (bicubic, restored):
            cosine = (supervisor.embed_with_features(images)[0] * wanted).sum(1)
            titles += [f"cos {float(c):.2f} {float(p):.1f} dB" for c, p in zip(cosine, psnr(images, hr), strict=True)]
        titles += ["HR"] * count
        self.dsr.train()
        vlr = _pixelated(bicubic, chosen.size)
        return self._sheet([to_uint8(vlr), to_uint8(bicubic), to_uint8(restored), to_uint8(hr)], titles)


def _pixelated(bicubic: Tensor, sizes: Int64[np.ndarray, " n"]) -> Tensor:
    """Faces with their pixels as squares, as a viewer would show a small file."""
    shown = [
        nn.functional.interpolate(
            nn.functional.interpolate(image[None], size=(int(size), int(size)), mode="area"), size=(112, 112)
        )
        for image, size in zip(bicubic, sizes, strict=True)
    ]
    return torch.cat(shown)
