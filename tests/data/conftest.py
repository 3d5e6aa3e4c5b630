import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def real_folder() -> Path:
    root = Path(os.environ.get("LRFACE_REAL", Path(__file__).parents[3] / "shared" / "real"))
    if not root.is_dir():
        pytest.skip(f"no real faces at {root}; set LRFACE_REAL to try them")
    return root


@pytest.fixture
def faces() -> np.ndarray:
    """Twenty noisy pictures, all different, of four people with five pictures each."""
    generator = np.random.default_rng(7)
    return generator.integers(0, 256, (20, 112, 112, 3), dtype=np.uint8)


@pytest.fixture
def subjects() -> list[str]:
    return [f"p{number}" for number in range(4) for _ in range(5)]
