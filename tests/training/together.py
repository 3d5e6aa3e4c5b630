"""What each of two processes does in `test_processes.py`: the trainings of the fixtures, by Lightning over gloo."""

import itertools
import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from lrface.data.pack.pack import open_pack
from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import DsrSettings
from lrface.training.dsr import DsrData, DsrRecipe, DsrTraining
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.loop.fit import fit
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.settings import (
    CollapseSettings,
    DsrOptimSettings,
    EdgeFaceOptimSettings,
    LoopSettings,
    MixSettings,
)
from lrface.training.validation import validation_set

CPU = torch.device("cpu")
BLENDED = AugmentationSettings(blend=1.0)


class Pooled(nn.Module):
    def embed_with_features(self, images):
        small = F.adaptive_avg_pool2d(images, 14)
        return F.normalize((small - small.mean((2, 3), keepdim=True)).flatten(1)), [small]


class Silent:
    def __init__(self):
        self.told = 0

    def metrics(self, values, epoch):
        pass

    def line(self, text):
        pass

    def finding(self, finding):
        pass

    def image(self, name, image, epoch):
        self.told += 1


def dsr(pack, folder, epochs=2):
    val = pack.rows(superres="val")
    torch.manual_seed(7)
    return DsrTraining(
        DSR("edge", DsrSettings(channels=(8,), blocks=(1,), attention_heads=2, finish=0)),
        Pooled(),
        DsrData(
            pack, (pack.rows(superres="train"),), (1.0,), 8, validation_set(pack.faces, val, pack.labels(val)[0], 4)
        ),
        DsrRecipe(
            LoopSettings(epochs=epochs, batch_size=4, precision="fp32"),
            DsrOptimSettings(lr=1e-4, ema=0.9),
            DsrLossSettings(contrast=0.5, perceptual_network=PerceptualSettings(weights="none")),
            DegradationSettings(),
            BLENDED,
        ),
        seed=0,
        report=Silent(),
        folder=folder,
        sheet=lambda rows, titles: np.concatenate([np.concatenate(list(row), axis=1) for row in rows]),
        device=CPU,
    )


def edgeface(pack, folder, epochs=1):
    train, val = pack.rows(recognition="train"), pack.rows(recognition="val")
    labels, names = pack.labels(train)
    people = np.array([names.index(name) for name in pack.subjects(val)])
    start = EdgeFace("xxs", seed=3, layer_scale=1.0)
    return EdgeFaceTraining(
        start,
        EdgeFace("xxs", seed=4, layer_scale=1.0).eval().requires_grad_(False),
        MarginHead(MarginSettings(), int(labels.max()) + 1, torch.Generator().manual_seed(1)),
        None,
        EdgeFaceData(
            pack, train, labels, 8, validation_set(pack.faces, val, people, 6, gallery=(train[::3], labels[::3]))
        ),
        EdgeFaceRecipe(
            LoopSettings(epochs=epochs, batch_size=4, precision="fp32"),
            EdgeFaceOptimSettings(backbone_lr=1e-5, head_lr=1e-3),
            MixSettings(),
            DegradationSettings(),
            BLENDED,
            CollapseSettings(impostor_max=1.0, effective_rank_min=1.0),
        ),
        seed=0,
        report=Silent(),
        folder=folder,
        device=CPU,
    )


def after(module):
    """Train; the figures of each epoch, the weights, and what was told."""
    ends = itertools.count()
    module.score = lambda metrics: [float(next(ends))]
    outcome = fit(module, CPU)
    state = {name: value.detach().clone().contiguous() for name, value in module.state_dict().items()}
    return [dict(record) for record in outcome.history], state, module.report.told


def skipping(module):
    """Let the loss of one process, in one step, not be finite."""
    plain = module.losses

    def losses(batch):
        values = plain(batch)
        if batch.step == 0 and 2 in range(4)[batch.part]:
            values["loss"] = values["loss"] * torch.nan
        return values

    module.losses = losses
    return module


def dying(module, rank):
    plain = module.losses

    def losses(batch):
        if module.current_epoch == 1 and dist.get_rank() == rank:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(batch)

    module.losses = losses
    return module


CASES = {
    "dsr": lambda pack, out: after(dsr(pack, out / "dsr")),
    "edgeface": lambda pack, out: after(edgeface(pack, out / "edgeface")),
    "resumed": lambda pack, out: (after(dsr(pack, out / "resumed", 1)), after(dsr(pack, out / "resumed", 2)))[1],
    "skipped": lambda pack, out: after(skipping(dsr(pack, out / "skipped"))),
}

if __name__ == "__main__":
    pack, out = open_pack(Path(sys.argv[1])), Path(sys.argv[2])
    dist.init_process_group("gloo", timeout=timedelta(seconds=60))
    if len(sys.argv) > 3:
        after(dying(dsr(pack, out / "dying"), int(sys.argv[3])))
    for name, train in CASES.items():
        history, state, told = train(pack, out)
        save_file(state, out / f"{name}_{dist.get_rank()}.safetensors")
        (out / f"{name}_{dist.get_rank()}.json").write_text(json.dumps([history, told]))
    dist.destroy_process_group()
