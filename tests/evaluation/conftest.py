from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings


def coarse(images):
    """A recogniser of sorts: the face as 8 x 8 pixels, its mean taken out."""
    pixels = F.adaptive_avg_pool2d(images, 8).flatten(1)
    return F.normalize(pixels - pixels.mean(dim=1, keepdim=True) + 1e-4)


def fine(images):
    """Another: 14 x 14 pixels."""
    pixels = F.adaptive_avg_pool2d(images, 14).flatten(1)
    return F.normalize(pixels - pixels.mean(dim=1, keepdim=True) + 1e-4)


def make_faces(subjects=6, images=4, seed=0, noise=40.0):
    """Faces of noise: a smooth pattern per subject, and another, weaker, per image."""
    rng = np.random.default_rng(seed)

    def pattern(count):
        grid = torch.from_numpy(rng.normal(size=(count, 3, 14, 14))).float()
        return F.interpolate(grid, size=(112, 112), mode="bicubic").numpy()

    own = np.repeat(pattern(subjects), images, axis=0) * 50.0
    faces = 128.0 + own + pattern(subjects * images) * noise
    names = [f"p{subject}" for subject in range(subjects) for _ in range(images)]
    paths = [f"p{subject}/{image}.png" for subject in range(subjects) for image in range(images)]
    return faces.clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1).copy(), names, paths


def protocol_of(names, paths, **settings):
    return draw_protocol(range(len(names)), names, paths, ProtocolSettings(**settings), "a" * 64)


@pytest.fixture(scope="session")
def world():
    """The helpers above, for tests of this folder."""

    def arm(name, embedder):
        return Arm(name, embedder, bicubic)

    return SimpleNamespace(
        ceiling=Arm, arm=arm, coarse=coarse, fine=fine, make_faces=make_faces, protocol_of=protocol_of
    )


@pytest.fixture(scope="session")
def small():
    """Faces, protocol, arms and quick settings."""
    faces, names, paths = make_faces()
    arms = [Arm("hr", fine), Arm("bicubic", fine, bicubic), Arm("bicubic-coarse", coarse, bicubic)]
    return faces, protocol_of(names, paths), arms, EvaluationSettings(replicates=200)
