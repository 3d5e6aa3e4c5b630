import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_folder():
    folder = Path(os.environ.get("LRFACE_REAL", Path(__file__).parents[2].parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real faces and weights at {folder}")
    return folder
