"""What tests of several folders need: the real faces beside the project, and a small pack of drawn ones."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from lrface.data.pack.pack import Pack
from lrface.data.pack.writer import write_pack
from lrface.images.procedural import ProceduralSettings, render_faces, subject_name

from .ray_cluster import ray_cluster
from .s3_server import s3, s3_server

__all__ = ["ray_cluster", "s3", "s3_server"]  # fixtures for all tests

PEOPLE, IMAGES = 8, 4

# How fast examples are drawn is no property of the code, and a busy machine would fail by it.
settings.register_profile("any_machine", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_machine")


@pytest.fixture(scope="session")
def real_folder() -> Path:
    """Real weights and faces beside the project, or where LRFACE_REAL says."""
    folder = Path(os.environ.get("LRFACE_REAL", Path(__file__).resolve().parents[2] / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real faces and weights at {folder}; set LRFACE_REAL to say where they are")
    return folder


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Eight drawn people with four pictures each.

    Six people train the super-resolver and one judges it; of these seven the last picture judges the recogniser.
    """
    drawn = list(render_faces(ProceduralSettings(subjects=PEOPLE, images_per_subject=IMAGES, seed=5), workers=1))
    superres = [{6: "val", 7: "test"}.get(subject, "train") for subject, _, _ in drawn]
    recognition = [
        "none" if subject == PEOPLE - 1 else "val" if image == IMAGES - 1 else "train" for subject, image, _ in drawn
    ]
    return write_pack(
        tmp_path_factory.mktemp("tiny") / "pack",
        np.stack([pixels for _, _, pixels in drawn]),
        [subject_name(subject) for subject, _, _ in drawn],
        superres=superres,
        recognition=recognition,
        licence="CC0-1.0",
    )


@pytest.fixture(autouse=True)
def _terminations_answered_as_before() -> Iterator[None]:
    """What a test leaves at a signal, the tests after it would be ended by."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    after = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, before)
    assert after is before


@pytest.fixture
def generator() -> torch.Generator:
    """A generator of its own for each test."""
    return torch.Generator().manual_seed(11)
