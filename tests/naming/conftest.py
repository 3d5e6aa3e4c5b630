"""A pair whose recogniser is arithmetic, a gallery, and points that are known in closed form."""

import sys
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lrface.images.degradation.resample import enlarge
from lrface.models.pair import Pair
from lrface.naming.gallery.place import gallery_at
from lrface.naming.operating_points import OperatingPoints
from operating_points import WEIGHTS, known_points


class Arithmetic:
    """Embeds a face by the mean colours of its four quarters, for tests that have no time for a network."""

    width = 12

    def __call__(self, images: Tensor) -> Tensor:
        return F.normalize(F.adaptive_avg_pool2d(images, 2).flatten(1) - 0.4, dim=1)


@pytest.fixture
def pair() -> Pair:
    return Pair(Arithmetic(), enlarge, WEIGHTS)


@pytest.fixture
def gallery(tmp_path):
    return gallery_at(str(tmp_path / "gallery.parquet"))


@pytest.fixture
def points() -> OperatingPoints:
    return known_points()


def face(seed: int, side: int = 112) -> np.ndarray:
    """Quarters of four colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return np.kron(colours, np.ones((side // 2, side // 2, 1), np.uint8))
