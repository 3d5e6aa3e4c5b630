import json
import os

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException

from lrface.errors import WeightsError
from lrface.images.degradation.degradation import small_faces
from lrface.models.dsr import network as dsr_module
from lrface.models.dsr.folder import dsr_spec
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.tracking.names import DSR, EDGEFACE, PAIR, Alias
from lrface.tracking.registry.pair import register_pair
from lrface.tracking.registry.registration import register
from lrface.tracking.served import _load_pyfunc
from lrface.tracking.served.images import decode_images, encode_png
from lrface.tracking.served.signatures import dsr_signature, edgeface_signature

FACES = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("folders")
    torch.manual_seed(0)
    edgeface, dsr = EdgeFace("xxs"), dsr_module.DSR("edge")
    write_model(root / EDGEFACE, edgeface, edgeface_spec(edgeface, licence="CC-BY-NC-SA-4.0"))
    write_model(root / DSR, dsr, dsr_spec(dsr))
    return root, edgeface.eval(), dsr.eval()


def _small(side):
    return np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)


def test_the_registered_models_serve_without_pickle(store, run, folders, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    root, network, dsr = folders
    recogniser = register(
        run, EDGEFACE, root / EDGEFACE, signature=edgeface_signature(), alias=Alias.FINETUNED, tags={}
    )
    tags = {"supervisor": recogniser.uri}
    resolver = register(run, DSR, root / DSR, signature=dsr_signature(), alias=Alias.CYCLE, tags=tags)
    register_pair(run, recogniser, resolver)
    faces = (FACES / 255).astype(np.float32).transpose(0, 3, 1, 2)
    with torch.no_grad():
        wanted = network(torch.from_numpy(faces)).numpy()
        enlarged = dsr(torch.from_numpy(faces[:, :, :16, :16].copy())).numpy()

    served = mlflow.pyfunc.load_model(f"models:/{EDGEFACE}@finetuned")
    np.testing.assert_allclose(served.predict(faces), wanted, atol=1e-6)
    served = mlflow.pyfunc.load_model(f"models:/{DSR}@cycle")
    np.testing.assert_allclose(served.predict(faces[:, :, :16, :16].copy()), enlarged, atol=1e-6)

    served = mlflow.pyfunc.load_model(f"models:/{PAIR}@challenger")
    images = [FACES[0], _small(12), _small(12), _small(300), FACES[1]]
    got = served.predict(pd.DataFrame({"image": [encode_png(image) for image in images]}))
    assert list(got.columns) == ["embedding", "sr"]
    embeddings = np.array(got["embedding"].tolist())
    np.testing.assert_allclose(embeddings[[0, 4]], wanted[:2], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    pictures = decode_images(list(got["sr"]))
    assert np.array_equal(pictures[0], FACES[0])
    small = small_faces(torch.from_numpy(_small(12) / 255).float().permute(2, 0, 1).unsqueeze(0))
    bicubic = small.enlarged.clamp(0, 1).mul(255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(pictures[1].astype(int) - bicubic).max() <= 1
    assert {picture.shape for picture in pictures} == {(112, 112, 3)}
    json.dumps(got.to_dict("records"))


@pytest.fixture(scope="module")
def served(folders):
    return {name: _load_pyfunc(str(folders[0] / name)) for name in (EDGEFACE, DSR)} | {
        PAIR: _load_pyfunc(str(folders[0]))
    }


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (EDGEFACE, np.zeros((1, 3, 100, 100), np.float32), "expected 1 to 1024 images of 112 to 112"),
        (EDGEFACE, np.zeros((0, 3, 112, 112), np.float32), "got 0 images"),
        (EDGEFACE, np.full((1, 3, 112, 112), 2, np.float32), "outside of"),
        (EDGEFACE, np.full((1, 3, 112, 112), np.nan, np.float32), "outside of"),
        (DSR, np.zeros((1, 3, 16, 20), np.float32), "send square RGB"),
        (DSR, np.zeros((1, 3, 33, 33), np.float32), "of 8 to 32 pixels"),
        (PAIR, pd.DataFrame({"picture": ["x"]}), "no column 'image'"),
        (PAIR, pd.DataFrame({"image": ["x"]}), "image 0"),
        (PAIR, {"image": ["x"]}, "no column 'image'"),
    ],
)
def test_bad_input_is_a_400(served, name, data, message):
    with pytest.raises(MlflowException, match=message) as caught:
        served[name].predict(data)
    assert caught.value.get_http_status_code() == 400


def test_other_weights_than_the_recorded_ones_do_not_load(folders, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    for file in (folders[0] / DSR).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, os.SEEK_END)
        weights.write(b"\x7f")
    with pytest.raises(WeightsError, match="sha256"):
        _load_pyfunc(str(folder))


def test_a_half_in_the_others_place_does_not_load(folders, tmp_path):
    (tmp_path / EDGEFACE).symlink_to(folders[0] / DSR)
    (tmp_path / DSR).symlink_to(folders[0] / EDGEFACE)
    with pytest.raises(WeightsError, match="got a dsr; expected a edgeface"):
        _load_pyfunc(str(tmp_path))
