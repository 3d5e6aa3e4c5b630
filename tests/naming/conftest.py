"""A pair whose recogniser is arithmetic, a gallery, and points that are known in closed form."""

import numpy as np
import pytest
from torch import Tensor
from torch.nn import functional as F

from lrface.gallery.place import gallery_at
from lrface.images.resample import enlarge
from lrface.models.pair import Pair
from lrface.naming.points import Curve, OperatingPoints

WEIGHTS = "a" * 64
RATES = (1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 0.2, 0.5)
SIDES = (8.0, 16.0, 32.0, 112.0)


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


def known_points() -> OperatingPoints:
    """Thresholds that fall by 0.1 with each tenfold rate, and rise by 0.1 with each tenfold gallery and by size."""

    def threshold(rate: float, gallery: int, place: int) -> float:
        return 0.2 + 0.1 * (np.log10(gallery) - np.log10(rate) - 2) + 0.05 * place

    places = range(len(SIDES))
    return OperatingPoints(
        edgeface=WEIGHTS,
        dsr="none",
        sides=SIDES,
        people=101,
        searches=10_000,
        impostors=1_000_000,
        growth=(1.0, 1.0, 1.0, 0.5),
        curves=tuple(
            Curve(
                gallery=gallery,
                rate=rate,
                thresholds=tuple(threshold(rate, gallery, place) for place in places),
                low=tuple(threshold(rate, gallery, place) - 0.02 for place in places),
                high=tuple(threshold(rate, gallery, place) + 0.02 for place in places),
                alarms=tuple(int(rate * 10_000) for _ in places),
            )
            for gallery in (1, 10, 100)
            for rate in RATES
        ),
    )


def face(seed: int, side: int = 112) -> np.ndarray:
    """Quarters of four colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), np.uint8)
    return np.kron(colours, np.ones((side // 2, side // 2, 1), np.uint8))
