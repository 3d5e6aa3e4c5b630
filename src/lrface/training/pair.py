"""Training of a pair at once: the recogniser, and the super-resolver that makes its faces, by one optimiser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from lrface.images.augmentation import AugmentationDraw
from lrface.images.degradation.degradation import SmallFaces, degrade
from lrface.metrics.fidelity import psnr
from lrface.models.chunks import in_chunks
from lrface.models.device import pick_bf16
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.training.batches.mix import MixDraw, Restorer
from lrface.training.batches.ready import Ready, split
from lrface.training.batches.real import RealDraw, pairs
from lrface.training.batches.source import Batch, augmented_by
from lrface.training.edgeface import Drawn, EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.loop.mean import move_mean, running_mean
from lrface.training.loop.module import Reporter
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.terms import pixel_loss
from lrface.training.settings import JointSettings


class PairTraining(EdgeFaceTraining):
    """Trains a recogniser and the super-resolver before it; the loss of what is recognised goes through both.

    The recogniser's terms are those of fine-tuning; the super-resolver's own is L1 to the HR face.

    Args:
        edgeface: The recogniser; it is trained in place.
        anchor: The recogniser whose embeddings of HR faces it stays near.
        head: Class centres.
        dsr: The super-resolver; it is trained in place.
        data: What the training sees.
        recipe: How the recogniser is trained.
        joint: How the super-resolver is trained.
        seed: Seed of every draw.
        report: Where to tell what happens.
        folder: Working folder.
        device: Where to train.
        head_accuracy: Accuracy of the class centres after stage 1, where there was one.
    """

    stage = "pair"
    shown = (*EdgeFaceTraining.shown, "psnr")

    def __init__(
        self,
        edgeface: EdgeFace,
        anchor: EdgeFace,
        head: MarginHead,
        dsr: DSR,
        data: EdgeFaceData,
        recipe: EdgeFaceRecipe,
        joint: JointSettings,
        *,
        seed: int,
        report: Reporter,
        folder: Path,
        device: torch.device,
        head_accuracy: float | None = None,
    ) -> None:
        dsr = dsr.to(device).to(memory_format=torch.channels_last)
        super().__init__(
            edgeface, anchor, head, dsr.restore, data, recipe,
            seed=seed, report=report, folder=folder, device=device, head_accuracy=head_accuracy,
        )  # fmt: skip
        self.joint = joint
        self.dsr = dsr.requires_grad_(requires_grad=True)
        self.dsr_mean: AveragedModel | None = running_mean(dsr, recipe.optim.ema) if recipe.optim.ema else None
        self.dense_bf16 = pick_bf16(recipe.loop.precision, device)

    @property
    def judged_dsr(self) -> DSR:
        """The super-resolver, or the running mean of its weights."""
        network: Any = self.dsr if self.dsr_mean is None else self.dsr_mean.module
        judged: DSR = network
        return judged

    def trained(self) -> nn.Module:
        """Both networks, under `edgeface` and `dsr`."""
        return nn.ModuleDict({"edgeface": super().trained(), "dsr": self.judged_dsr})

    def restore_best(self) -> None:
        """Bring both networks to their best state."""
        best, self._best_state = self._best_state, {}
        super().restore_best()
        if best:
            for name, network in (("edgeface", self.edgeface), ("dsr", self.dsr)):
                of_one = {key.removeprefix(f"{name}."): value for key, value in best.items()}
                network.load_state_dict({key: of_one[key] for key in network.state_dict()})
        self._best_state = best

    def figures_of(self, network: EdgeFace) -> dict[str, float]:
        """As of a recogniser alone, behind the super-resolver in its best state."""
        self.dsr_mean = None
        return super().figures_of(network)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Those of the recogniser, and the super-resolver."""
        own = {"params": list(self.dsr.parameters()), "lr": self.joint.lr, "name": "dsr", "clip": self.joint.clip}
        return [*super().parameter_groups(), own]

    def made(self, faces: Batch, parts: Sequence[Batch], draws: Sequence[Drawn]) -> list[Ready]:
        """Augment, shrink every face, and show the HR faces to the anchor."""
        anchor = self._frozen[0]
        reals, augmentations, mixes, classes = zip(*draws, strict=True)
        real = pairs(faces, RealDraw.joined(reals))
        hr = real.put_hr(augmented_by(faces, AugmentationDraw.joined(augmentations, len(parts[0].rows))))
        mix = MixDraw.joined(mixes)
        small = real.put_small(degrade(hr, mix.degradation))
        tensors = {
            "hr": hr,
            "enlarged": small.enlarged,
            "size": small.size,
            "kind": mix.kind.to(hr.device),
            "labels": faces.labels,
        }
        if anchor is not None:
            tensors["wanted"] = in_chunks(anchor, hr)
            if self._centres is not None:
                tensors["target"] = self._drawn_to_centres(tensors["wanted"], faces.labels)
        loose = [{} if chosen is None else {"classes": chosen.to(hr.device)} for chosen in classes]
        return split(tensors, parts, loose)

    def losses(self, ready: Ready) -> dict[str, Tensor]:
        """The recogniser's terms on the mix, and the distance of the SR faces from the HR faces."""
        hr, small = ready["hr"], SmallFaces(ready["enlarged"], ready["size"])
        restored = self._restore_by(self.dsr, small)
        kind = ready["kind"].view(-1, 1, 1, 1)
        shown = torch.where(kind == 0, restored, torch.where(kind == 1, small.enlarged, hr)).clamp(0.0, 1.0)
        values = super().losses(ready.showing(images=shown))
        values["loss_l1"] = pixel_loss(restored, hr)
        return {**values, "loss": values["loss"] + self.joint.pixels * values["loss_l1"]}

    def moved(self) -> None:
        """Move both running means."""
        super().moved()
        if self.dsr_mean is not None:
            move_mean(self.dsr_mean, self.dsr, self.recipe.optim.ema)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """As in fine-tuning, on faces by the super-resolver as it is; and PSNR."""
        self.judged_dsr.eval()
        self._restored = None
        metrics = super().validate()
        validation, near = self.data.validation, []
        for part in validation.batches(64):
            _, hr = validation.small(part, self.device)
            near.append(psnr(self._probes()[part].to(self.device), hr).cpu())
        self.dsr.train()
        return {**metrics, "psnr": float(torch.cat(near).mean())}

    def _restore_by(self, network: DSR, small: SmallFaces) -> Tensor:
        with torch.autocast(small.enlarged.device.type, dtype=torch.bfloat16, enabled=self.dense_bf16):
            made: Tensor = network.restore(small)
        return made.float()

    def restorer(self) -> Restorer:
        """The super-resolver that is judged."""
        return self.judged_dsr.restore
