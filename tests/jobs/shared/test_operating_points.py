"""Operating points of a pair from a protocol's calibration people, and those that came with one."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.settings import ProtocolSettings
from lrface.jobs.shared.networks import AnyRecogniser
from lrface.jobs.shared.operating_points import operating_points, points_of_pair
from lrface.naming.asked import Asked
from lrface.naming.operating_points import write_points
from lrface.naming.settings import PointsSettings

SETTINGS = PointsSettings(sides=(8, 16, 48, 112), faces=1000)


class Quarters(torch.nn.Module):
    """A recogniser of sorts: the face as 6 x 6 pixels."""

    width = 108

    def forward(self, images):
        return F.normalize(F.adaptive_avg_pool2d(images, 6).flatten(1) - 0.5, dim=1)


@pytest.fixture(scope="module")
def context():
    terminal = SimpleNamespace(progress=lambda name: nullcontext(lambda done, whole: None))
    return SimpleNamespace(terminal=terminal, device=torch.device("cpu"), store=None)


@pytest.fixture(scope="module")
def recogniser():
    return AnyRecogniser(Quarters(), "quarters", "quarters", "a" * 64, "unknown", 0)


@pytest.fixture(scope="module")
def pack():
    """Faces of 60 people, two of each, the last 50 for calibration."""
    rng = np.random.default_rng(0)
    own = np.repeat(rng.integers(0, 256, (60, 8, 8, 3)), 2, axis=0)
    noisy = (own + rng.normal(0, 25, own.shape)).clip(0, 255).astype(np.uint8)
    return SimpleNamespace(faces=np.kron(noisy, np.ones((1, 14, 14, 1), np.uint8)), digest="d" * 64)


def protocol_of(pack, calibration):
    names = [f"p{row // 2}" for row in range(len(pack.faces))]
    others = (list(calibration), [names[row] for row in calibration])
    return draw_protocol(range(20), names[:20], [str(row) for row in range(20)], ProtocolSettings(), "d" * 64, others)


def test_a_pair_is_calibrated_on_people_who_are_not_tested(pack, recogniser, context):
    protocol = protocol_of(pack, range(20, 120))
    points = operating_points(pack, protocol, recogniser, None, SETTINGS, context)
    assert (points.people, points.searches, points.impostors) == (50, 100, 100 * 49)
    assert points.sides == (8, 16, 48, 112)
    assert (points.edgeface, points.dsr, points.pack) == ("a" * 64, "none", "d" * 64)
    assert "shrunk by antialiased bicubic" in points.condition
    point = points.at(16, 20, Asked(fpir=0.2))
    assert point.rate == pytest.approx(0.2)
    assert point.low < point.threshold < point.high


def test_fewer_faces_take_whole_people(pack, recogniser, context):
    protocol = protocol_of(pack, range(20, 120))
    points = operating_points(pack, protocol, recogniser, None, PointsSettings(sides=(16,), faces=41), context)
    assert (points.people, points.searches) == (20, 40)


@pytest.mark.parametrize(
    ("calibration", "faces", "words"), [((), 1000, "no calibration people"), (range(20, 120), 0, "turned off")]
)
def test_without_people_nothing_is_told(pack, recogniser, context, calibration, faces, words):
    settings = PointsSettings(sides=(16,), faces=faces)
    points = operating_points(pack, protocol_of(pack, calibration), recogniser, None, settings, context)
    assert not points.curves
    assert words in points.notes[0]


def test_the_points_of_a_folder_are_those_of_its_networks(pack, recogniser, context, tmp_path):
    settings = SimpleNamespace(edgeface=None, pair=str(tmp_path))
    assert points_of_pair(settings, recogniser, None, context) is None
    points = operating_points(pack, protocol_of(pack, range(20, 60)), recogniser, None, SETTINGS, context)
    write_points(tmp_path, points)
    assert points_of_pair(settings, recogniser, None, context) == points
    assert points_of_pair(SimpleNamespace(edgeface="x", pair=str(tmp_path)), recogniser, None, context) is None
