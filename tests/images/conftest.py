import numpy as np
import pytest


@pytest.fixture
def faces() -> np.ndarray:
    """Three noisy pictures."""
    return np.random.default_rng(7).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
