"""A gallery of each kind; PostgreSQL is started once per test process."""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lrface.naming.gallery.gallery import Gallery
from lrface.naming.gallery.place import gallery_at
from servers import Postgres, postgres, why_no_postgres

_NUMBERS = count()


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """A PostgreSQL server with pgvector."""
    reason = why_no_postgres(vector=True)
    if reason:
        pytest.skip(reason)
    with postgres(vector=True) as server:
        yield server


@pytest.fixture(params=["file", "postgres"])
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Gallery:
    """An empty gallery in a file or in a database of its own."""
    if request.param == "file":
        return gallery_at(str(tmp_path / "in" / "gallery.parquet"))
    server: Postgres = request.getfixturevalue("database")
    return gallery_at(server.make(f"g{next(_NUMBERS)}"))


@pytest.fixture
def faces() -> Callable[..., np.ndarray]:
    """Unit vectors: `faces(seed, count)` are alike for one seed and strangers for two."""

    def draw(seed: int, amount: int = 1, spread: float = 0.02, width: int = 512) -> np.ndarray:
        generator = np.random.default_rng(seed)
        centre = generator.standard_normal(width) / np.sqrt(width)
        vectors = centre + spread * generator.standard_normal((amount, width))
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    return draw
