from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


def blotches() -> np.ndarray:
    """Twenty blotchy pictures, all different."""
    generator = np.random.default_rng(7)
    coarse = generator.integers(20, 236, (20, 14, 14, 3), dtype=np.uint8)
    return np.stack([cv2.resize(face, (112, 112), interpolation=cv2.INTER_CUBIC) for face in coarse])


@pytest.fixture
def faces() -> np.ndarray:
    """Twenty blotchy pictures, all different."""
    return blotches()


@pytest.fixture
def subjects() -> list[str]:
    """Four people with five pictures each."""
    return [f"p{number}" for number in range(4) for _ in range(5)]


@pytest.fixture
def write_folder(tmp_path, faces) -> Callable[..., Path]:
    """Writes a folder of subjects: four people with five PNG files each unless told otherwise."""

    def write(name: str = "photos", counts: tuple[int, ...] = (5, 5, 5, 5), suffix: str = ".png") -> Path:
        number = 0
        for person, count in enumerate(counts):
            folder = tmp_path / name / f"p{person}"
            folder.mkdir(parents=True)
            for image in range(count):
                cv2.imwrite(str(folder / f"{image + 1}{suffix}"), faces[number][..., ::-1])
                number += 1
        return tmp_path / name

    return write
