"""Networks and data so small that an epoch takes a fraction of a second."""

import copy
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrface.images.settings import AugmentationSettings, DegradationSettings
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.models.settings import DsrSettings
from lrface.training.dsr import DsrData, DsrRecipe, DsrTraining
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.losses.margin import MarginHead
from lrface.training.losses.settings import DsrLossSettings, MarginSettings, PerceptualSettings
from lrface.training.pair import PairTraining
from lrface.training.settings import (
    CoarseSettings,
    CollapseSettings,
    DsrOptimSettings,
    EdgeFaceOptimSettings,
    JointSettings,
    LoopSettings,
    MixSettings,
)
from lrface.training.validation import validation_set

CPU = torch.device("cpu")
TINY = DsrSettings(channels=(8,), blocks=(1,), attention_heads=2, finish=0)


@dataclass
class Notes:
    """Takes down what a training tells."""

    values: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    images: list[tuple[str, int]] = field(default_factory=list)

    def metrics(self, values, epoch):
        self.values.append((epoch, dict(values)))

    def line(self, text):
        self.lines.append(text)

    def finding(self, finding):
        self.findings.append(finding.name)

    def image(self, name, image, epoch):
        assert image.dtype == np.uint8
        self.images.append((name, epoch))


class Pooled(nn.Module):
    """A recogniser of sorts, for tests of the loop: fixed random features of a face shrunk to 14 pixels."""

    def __init__(self):
        super().__init__()
        weights = torch.randn(512, 3 * 14 * 14, generator=torch.Generator().manual_seed(5))
        self.weights = nn.Parameter(weights, requires_grad=False)

    def embed_with_features(self, images):
        small = F.adaptive_avg_pool2d(images, 14)
        return F.normalize((small - small.mean((2, 3), keepdim=True)).flatten(1) @ self.weights.T), [small]


def sheet(rows, titles):
    assert len(titles) == sum(len(row) for row in rows)
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


@pytest.fixture(scope="session")
def recogniser():
    """A recogniser whose embeddings differ from face to face, though nobody trained it."""
    return EdgeFace("xxs", seed=3, layer_scale=1.0).eval().requires_grad_(False)


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
def make_dsr(tiny_pack, tmp_path, notes):
    """Makes a training of a tiny super-resolver: two steps of three faces an epoch."""

    def make(
        *, folder: Path | None = None, seed=0, loss=None, optim=None, report=None, supervisor=None, judge=None, **loop
    ):
        val = tiny_pack.rows(superres="val")
        data = DsrData(
            pack=tiny_pack,
            groups=(tiny_pack.rows(superres="train"),),
            shares=(1.0,),
            images_per_epoch=6,
            validation=validation_set(tiny_pack.faces, val, tiny_pack.labels(val)[0], 4),
        )
        recipe = DsrRecipe(
            LoopSettings(**{"epochs": 4, "batch_size": 3, "warmup_epochs": 1, **loop}),
            optim or DsrOptimSettings(lr=1e-3, ema=0.9),
            loss or DsrLossSettings(perceptual_network=PerceptualSettings(weights="none")),
            DegradationSettings(),
            AugmentationSettings(),
        )
        torch.manual_seed(7)
        return DsrTraining(
            DSR("edge", TINY), supervisor or Pooled(), data, recipe,
            seed=seed, report=report or notes, folder=folder or tmp_path / "dsr", sheet=sheet, device=CPU,
            judge=judge,
        )  # fmt: skip

    return make


@pytest.fixture
def make_edgeface(tiny_pack, recogniser, tmp_path, notes):
    """Makes a fine-tuning of the recogniser: two steps of four faces an epoch."""

    def make(
        *, folder: Path | None = None, seed=0, optim=None, collapse=None, report=None, anchor=True, mix=None,
        margin=None, restore=None, coarse=None, **loop,
    ):  # fmt: skip
        train, val = tiny_pack.rows(recognition="train"), tiny_pack.rows(recognition="val")
        labels, names = tiny_pack.labels(train)
        people = np.array([names.index(name) for name in tiny_pack.subjects(val)])
        data = EdgeFaceData(
            pack=tiny_pack,
            rows=train,
            people=labels,
            images_per_epoch=8,
            validation=validation_set(tiny_pack.faces, val, people, 6, gallery=(train[::3], labels[::3])),
        )
        recipe = EdgeFaceRecipe(
            LoopSettings(**{"epochs": 4, "batch_size": 4, **loop}),
            optim or EdgeFaceOptimSettings(backbone_lr=1e-4, head_lr=1e-2),
            mix or MixSettings(),
            DegradationSettings(),
            AugmentationSettings(geometry=0.3),
            collapse or CollapseSettings(impostor_max=1.0, effective_rank_min=1.0),
            coarse or CoarseSettings(),
        )
        head = MarginHead(margin or MarginSettings(), data.classes, torch.Generator().manual_seed(1))
        return EdgeFaceTraining(
            copy.deepcopy(recogniser).requires_grad_(True), recogniser if anchor else None, head, restore, data, recipe,
            seed=seed, report=report or notes, folder=folder or tmp_path / "edgeface", device=CPU,
        )  # fmt: skip

    return make


@pytest.fixture
def tools():
    """Helpers of several files."""

    def state(module):
        return {name: value.clone() for name, value in module.state_dict().items()}

    def same(one, other):
        return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

    def improving(module):
        """Let every epoch be the best one, so that the end is what was trained."""
        numbers = itertools.count()
        module.score = lambda metrics: [float(next(numbers))]
        return module

    return SimpleNamespace(improving=improving, cpu=CPU, state=state, same=same, notes=Notes, tiny=TINY)


@pytest.fixture
def make_pair(tiny_pack, recogniser, tmp_path, notes, tools):
    def make(*, folder=None, ema=0.5, mix=None, epochs=2, pixels=20.0):
        train, val = tiny_pack.rows(recognition="train"), tiny_pack.rows(recognition="val")
        labels, names = tiny_pack.labels(train)
        people = np.array([names.index(name) for name in tiny_pack.subjects(val)])
        judged = validation_set(tiny_pack.faces, val, people, 6, gallery=(train[::3], labels[::3]))
        optim = EdgeFaceOptimSettings(backbone_lr=1e-4, head_lr=1e-2, contrast=1.0, ema=ema, anchor_centre=0.3)
        recipe = EdgeFaceRecipe(
            LoopSettings(epochs=epochs, batch_size=4),
            optim,
            mix or MixSettings(sr=0.8, bicubic=0.1, hr=0.1),
            DegradationSettings(),
            AugmentationSettings(geometry=0.3),
            CollapseSettings(impostor_max=1.0, effective_rank_min=1.0),
        )
        data = EdgeFaceData(tiny_pack, train, labels, 8, judged)
        head = MarginHead(MarginSettings(), data.classes, torch.Generator().manual_seed(1))
        torch.manual_seed(7)
        return PairTraining(
            copy.deepcopy(recogniser), recogniser, head, DSR("edge", tools.tiny), data, recipe,
            JointSettings(lr=1e-2, pixels=pixels), seed=0, report=notes, folder=folder or tmp_path / "pair",
            device=tools.cpu,
        )  # fmt: skip

    return make
