import io
import zipfile

import pytest
import torch

from lrface.models.edgeface.network import EdgeFace


@pytest.fixture(scope="session")
def model():
    return EdgeFace("xxs", seed=3, layer_scale=1.0).eval()


@pytest.fixture(scope="session")
def state(model):
    return model.state_dict()


@pytest.fixture(scope="session")
def saved(state):
    """Bytes of an ordinary state dict."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture
def file(tmp_path):
    def write(content, **options):
        path = tmp_path / "weights.pt"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            torch.save(content, path, **options)
        return path

    return write


@pytest.fixture(scope="session")
def rewrite():
    return rewritten


def rewritten(raw, change, **more):
    """A torch archive with its pickle changed, or with other records in place of its own."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(buffer, "w") as new:
        for entry in old.infolist():
            short = entry.filename.partition("/")[2]
            data = more.get(short, old.read(entry))
            if data is not None:
                new.writestr(entry.filename, change(data) if short == "data.pkl" else data)
    return buffer.getvalue()
