"""The published table of the real faces must come out of the default protocol and the clean condition."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from PIL import Image

from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings

# size: rank-1, TAR at FAR 0.1, 0.01, 0.001, cosine to own HR, PSNR
TABLE = {
    32: (1.000, 0.999, 0.995, 0.972, 0.976, 42.6),
    24: (1.000, 0.999, 0.991, 0.955, 0.904, 37.3),
    16: (0.983, 0.995, 0.952, 0.879, 0.662, 30.8),
    12: (0.915, 0.967, 0.800, 0.569, 0.444, 27.3),
    8: (0.379, 0.583, 0.232, 0.062, 0.191, 23.6),
}
METRICS = ("rank1", "tar_at_far_1e-1", "tar_at_far_1e-2", "tar_at_far_1e-3", "similarity")


@pytest.fixture(scope="module")
def measured(real_folder):
    files = sorted((real_folder / "faces_aligned").glob("*/*.png"))
    faces = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    network = timm.create_model("edgenext_xx_small", num_classes=512).eval()
    stored = torch.load(real_folder / "weights" / "edgeface_xxs.pt", weights_only=True)
    network.load_state_dict({key.removeprefix("model."): value for key, value in stored.items()}, strict=True)

    def embedder(images):
        return F.normalize(network((images - 0.5) / 0.5))

    protocol = draw_protocol(
        range(len(files)),
        [file.parent.name for file in files],
        [file.name for file in files],
        ProtocolSettings(),
        "0" * 64,
    )
    arms = [Arm("hr", embedder), Arm("bicubic", embedder, bicubic)]
    return evaluate(faces, protocol, arms, list(TABLE), settings=EvaluationSettings(replicates=200))


@pytest.mark.real
@pytest.mark.parametrize("size", TABLE)
def test_bicubic_figures_of_the_real_faces(measured, size):
    found = [measured.find("bicubic", size, metric).value for metric in METRICS]
    assert found == pytest.approx(TABLE[size][:-1], abs=0.005)
    assert measured.find("bicubic", size, "psnr").value == pytest.approx(TABLE[size][-1], abs=0.06)


@pytest.mark.real
def test_hr_figures_of_the_real_faces(measured):
    found = [measured.find("hr", 112, metric).value for metric in METRICS]
    assert found == pytest.approx((1.000, 0.999, 0.994, 0.975, 1.0), abs=0.005)


@pytest.mark.real
def test_each_headline_figure_has_an_interval_around_it(measured):
    for size in TABLE:
        for metric in (*METRICS, "psnr", "correct", "wrong", "unknown", "eer", "dprime", "impostor"):
            entry = measured.find("bicubic", size, metric)
            assert entry.low <= entry.value <= entry.high, (size, metric)
