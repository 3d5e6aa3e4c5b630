"""The served pair as MLflow loads it: names, enrolment, and what it refuses; and one real `mlflow models serve`."""

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from films import Blobs, drawn, scene
from lrface.errors import ConfigError, WeightsError
from lrface.images.reading.levels import light
from lrface.models.dsr import network as dsr_module
from lrface.models.dsr.folder import dsr_spec
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.onnx.folder import write_onnx
from lrface.models.onnx.recogniser import read_onnx
from lrface.models.pair import read_pair
from lrface.models.settings import OnnxSettings
from lrface.models.store import read_spec, write_model
from lrface.naming.gallery.place import ENROL, LOCATION, gallery_at
from lrface.naming.operating_points import write_points
from lrface.tracking.guarded import GuardedModels
from lrface.tracking.names import DSR, EDGEFACE, PAIR, Alias
from lrface.tracking.registry.pair import register_pair
from lrface.tracking.registry.registration import register
from lrface.tracking.served import _load_pyfunc
from lrface.tracking.served import images as served_images
from lrface.tracking.served.guard import MOST_BODY
from lrface.tracking.served.images import encode_png
from lrface.tracking.served.model import ServedPair
from lrface.tracking.served.photographs import DETECTOR
from lrface.tracking.served.signatures import dsr_signature, edgeface_signature, pair_example, pair_signature
from onnx_files import write_recogniser
from operating_points import known_points

STARTS_WITHIN = 180.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pair")
    torch.manual_seed(0)
    edgeface, dsr = EdgeFace("xxs"), dsr_module.DSR("edge")
    write_model(root / EDGEFACE, edgeface, edgeface_spec(edgeface, licence="CC-BY-NC-SA-4.0"))
    write_model(root / DSR, dsr, dsr_spec(dsr, licence="CC0-1.0"))
    return root


def face(seed, side=112):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (6, 6, 3), np.uint8)
    large = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
    # a large one has the noise of a camera, or it would be a small one that was enlarged
    noise = generator.normal(0, 8, large.shape) if side > 32 else 0
    return np.clip(large + noise, 0, 255).astype(np.uint8)


def table(*images):
    return pd.DataFrame({"image": [encode_png(image) for image in images]})


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    path = tmp_path / "gallery.parquet"
    monkeypatch.setenv(LOCATION, str(path))
    monkeypatch.setenv(ENROL, "true")
    return gallery_at(str(path))


def ask(served, data, **params):
    return served.predict(data, params)


@pytest.fixture
def finding(folder, gallery):
    """A served pair with a detector that needs no weights."""
    pair = read_pair(folder)
    return ServedPair(pair, gallery, None, Blobs(), enrols=True)


def test_every_face_of_photographs_is_a_row(finding):
    alone = scene([(drawn(0), 10, 10, 48)])
    several = scene([(drawn(0), 10, 10, 40), (drawn(1), 90, 20, 16)])
    ask(finding, table(alone), detect=True, enrol=True, name="Ann")

    answer = ask(finding, table(scene([]), several, alone), detect=True, identify=True, threshold=-1.0)

    assert list(answer["picture"]) == [1, 1, 2]
    assert list(answer["name"]) == ["Ann"] * 3
    assert answer["score"][2] > 0.99
    assert list(answer["side"]) == pytest.approx([40, 16, 48], abs=1)
    assert [answer["left"][1], answer["top"][1]] == pytest.approx([90, 20], abs=1)
    assert len(ask(finding, table(scene([])), detect=True)) == 0


def test_what_cannot_be_found_in_photographs_is_a_400(folder, finding, gallery, monkeypatch):
    several = scene([(drawn(0), 10, 10, 40), (drawn(1), 90, 20, 16)])
    with pytest.raises(MlflowException, match="image 0: got 2 faces; expected one person alone"):
        ask(finding, table(several), detect=True, enrol=True, name="Ann")
    with pytest.raises(MlflowException, match=f"set {DETECTOR} where it is started"):
        ask(_load_pyfunc(str(folder)), table(several), detect=True)
    many = scene([(drawn(0), 2 + 15 * (n % 10), 2 + 16 * (n // 10), 8) for n in range(50)])
    with pytest.raises(MlflowException, match="over 64 faces up to image 1"):
        ask(finding, table(many, many), detect=True)
    monkeypatch.setattr(served_images, "MOST_PIXELS", 30_000)
    with pytest.raises(MlflowException, match=r"image 1: got .* after others; expected at most 30,000 pixels in all"):
        ask(finding, table(several, several), detect=True)


def test_it_enrols_and_names(folder, gallery):
    served = _load_pyfunc(str(folder))
    enrolled = ask(served, table(face(1), face(1, 100)), enrol=True, name="Ann")
    assert list(enrolled["enrolled"]) == [2, 2]
    ask(served, table(face(2)), enrol=True, name="Bob")
    assert [entry.name for entry in gallery.entries()] == ["Ann", "Bob"]

    named = ask(served, table(face(1), face(2)), identify=True)

    columns = ["embedding", "sr", "name", "score", "margin", "side", "threshold", "rate", "came_as", "note"]
    assert list(named.columns) == columns
    assert list(named["threshold"]) == [0.35, 0.35]
    assert list(named["rate"]) == [None, None]
    assert all("this pair has no operating points" in note for note in named["note"])
    assert list(named["name"]) == ["Ann", "Bob"]
    assert named["score"][1] == pytest.approx(1, abs=1e-4)
    assert all(0 < margin < 2 for margin in named["margin"])
    unknown = ask(served, table(face(7)), identify=True, threshold=1.0)
    assert list(unknown["name"]) == ["unknown"]
    json.dumps(named.to_dict("records"), allow_nan=False)


@pytest.fixture
def calibrated(folder, tmp_path):
    """The pair with operating points."""
    root = tmp_path / "calibrated"
    shutil.copytree(folder, root)
    write_points(root, known_points(read_spec(root / EDGEFACE).sha256, read_spec(root / DSR).sha256))
    return root


def test_it_names_by_the_operating_points_that_came_with_it(calibrated, gallery):
    served = _load_pyfunc(str(calibrated))
    ask(served, table(face(1)), enrol=True, name="Ann")
    named = ask(served, table(face(1, 8), face(1, 300)), identify=True, fpir=0.02, estimate_side=False)
    assert list(named["side"]) == [8, 112]
    assert list(named["rate"]) == [0.02, 0.02]
    assert named["threshold"][0] < named["threshold"][1]
    assert "note" not in named
    assert list(ask(served, table(face(1)), identify=True)["rate"]) == [0.01]
    fixed = ask(served, table(face(1)), identify=True, threshold=0.3)
    assert list(fixed["threshold"]) == [0.3]
    assert fixed["rate"][0] is not None


def test_an_enlarged_face_is_named_as_the_small_one_that_it_is(calibrated, gallery):
    served = _load_pyfunc(str(calibrated))
    ask(served, table(face(1), face(2)), enrol=True, name="Ann")
    enlarged = np.asarray(Image.fromarray(face(1, 12)).resize((112, 112), Image.Resampling.BICUBIC))
    found = ask(served, table(enlarged), identify=True)
    plain = ask(served, table(enlarged), identify=True, estimate_side=False)
    assert found["side"][0] < 20
    assert (found["came_as"][0], plain["side"][0]) == (112, 112)
    assert found["threshold"][0] < plain["threshold"][0]
    assert f"shows a face of about {found['side'][0]:.0f} px" in found["note"][0]
    assert "note" not in plain


def test_rows_of_one_track_get_one_name(folder, gallery):
    served = _load_pyfunc(str(folder))
    for seed, name in ((1, "Ann"), (2, "Bob")):
        ask(served, table(face(seed)), enrol=True, name=name)
    rows = table(face(1), face(2), face(1, 100), face(1, 16)).assign(track=["a", None, "a", "a"])
    found = ask(served, rows, identify=True, threshold=-1.0)
    assert len(set(found["name"][[0, 2, 3]])) == len(set(found["score"][[0, 2, 3]])) == 1
    assert found["name"][1] == "Bob"
    assert found["weight"][1] == 1
    assert sum(found["weight"][[0, 2, 3]]) == pytest.approx(1)
    assert found["weight"][3] < found["weight"][0]
    alone = ask(served, table(face(1)).assign(track=[None]), identify=True)
    assert "weight" not in alone
    blank = ask(served, table(face(1), face(2)).assign(track=["", " "]), identify=True, threshold=-1.0)
    assert list(blank["name"]) == ["Ann", "Bob"]
    for data, params, words in (
        (rows, {}, "got tracks and nobody to name"),
        (table(face(1)).assign(track=[7]), {"identify": True}, "got tracks that are no text"),
        (table(face(1)), {"estimate_side": "often"}, "neither true nor false"),
    ):
        with pytest.raises(MlflowException, match=words):
            ask(served, data, **params)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"fpir": 0.01, "fmr": 0.01}, "expected one of threshold, fpir and fmr"),
        ({"fpir": 0.01, "threshold": 0.3}, "expected one of threshold, fpir and fmr"),
        ({"fpir": 1e-6}, "too few: 10000 searches"),
        ({"fmr": 2.0}, "expected a rate above 0"),
        ({"fmr": 10**400}, "expected a rate above 0"),
        ({"fpir": "often"}, "expected a rate above 0"),
    ],
)
def test_a_rate_that_cannot_be_told_is_refused(calibrated, gallery, params, words):
    served = _load_pyfunc(str(calibrated))
    ask(served, table(face(1)), enrol=True, name="Ann")
    with pytest.raises(MlflowException, match=words) as caught:
        ask(served, table(face(1)), identify=True, **params)
    assert caught.value.get_http_status_code() == 400


def test_points_of_another_pair_are_refused(calibrated):
    write_points(calibrated, known_points())
    with pytest.raises(WeightsError, match="points of recogniser aaaaaaaaaaaa"):
        _load_pyfunc(str(calibrated))


def test_a_pair_with_a_recogniser_of_others_enrols_and_names_at_its_own_width(folder, gallery, tmp_path):
    root = tmp_path / "pair"
    shutil.copytree(folder / DSR, root / DSR)
    network = read_onnx(write_recogniser(tmp_path / "them.onnx", width=24), OnnxSettings(mean=0))
    write_onnx(root / EDGEFACE, network)
    served = _load_pyfunc(str(root))
    ask(served, table(face(1)), enrol=True, name="Ann")
    ask(served, table(face(2)), enrol=True, name="Bob")

    named = ask(served, table(face(1), face(2)), identify=True)

    assert list(named["name"]) == ["Ann", "Bob"]
    assert [len(row) for row in named["embedding"]] == [24, 24]
    assert gallery.about().weights == network.sha256
    with pytest.raises(MlflowException, match="declare the weights compatible") as caught:
        ask(_load_pyfunc(str(folder)), table(face(1)), identify=True)
    assert caught.value.get_http_status_code() == 409
    alone = _load_pyfunc(str(root / EDGEFACE))
    assert alone.predict(np.full((2, 3, 112, 112), 0.5, np.float32)).shape == (2, 24)


def test_who_is_alone_has_no_margin_and_that_is_null_in_json(folder, gallery):
    served = _load_pyfunc(str(folder))
    ask(served, table(face(1)), enrol=True, name="Ann")
    found = ask(served, table(face(1)), identify=True)
    assert found["margin"][0] is None
    gallery.remove("Ann")
    found = ask(served, table(face(1), face(2)), identify=True)
    assert [*found["name"], *found["score"]] == ["unknown", "unknown", None, None]


def test_bytes_and_data_urls_are_pictures_too(folder):
    served = _load_pyfunc(str(folder))
    text = encode_png(face(3, 16))
    forms = [text, f"data:image/png;base64,{text}", base64.b64decode(text)]
    found = served.predict(pd.DataFrame({"image": forms}))
    assert found["sr"].nunique() == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"identify": True, "enrol": True, "name": "Ann"}, "identify and enrol at once"),
        ({"enrol": True}, "enrol without name"),
        ({"name": "Ann"}, "enrol without name"),
        ({"enrol": True, "name": "unknown"}, "name of a person"),
        ({"identify": True, "threshold": 2.0}, r"expected a cosine in \[-1, 1\]"),
        ({"threshold": float("nan")}, r"expected a cosine in \[-1, 1\]"),
        ({"identify": "yes"}, "params of other types"),
        ({"identify": True}, "enrol somebody first"),
    ],
)
def test_bad_params_are_a_400_that_does_not_tell_where_the_gallery_is(folder, gallery, params, message):
    with pytest.raises(MlflowException, match=message) as caught:
        ask(_load_pyfunc(str(folder)), table(face(1)), **params)
    assert caught.value.get_http_status_code() == 400
    assert gallery.place not in str(caught.value)
    assert gallery.about() is None


def test_without_a_gallery_nobody_is_named(folder, monkeypatch):
    monkeypatch.delenv(LOCATION, raising=False)
    with pytest.raises(MlflowException, match="expected a server with a gallery") as caught:
        ask(_load_pyfunc(str(folder)), table(face(1)), identify=True)
    assert caught.value.get_http_status_code() == 400


def test_enrolment_is_off_unless_the_server_was_started_with_it(folder, gallery, monkeypatch):
    monkeypatch.delenv(ENROL)
    with pytest.raises(MlflowException, match="lets requests enrol"):
        ask(_load_pyfunc(str(folder)), table(face(1)), enrol=True, name="Ann")
    assert gallery.about() is None
    monkeypatch.setenv(ENROL, "yes")
    with pytest.raises(ConfigError, match="expected true or false"):
        _load_pyfunc(str(folder))


def test_a_picture_that_is_enrolled_again_is_told(folder, gallery):
    served = _load_pyfunc(str(folder))
    for again in (0, 2):
        answer = ask(served, table(face(1), face(2)), enrol=True, name="Ann")
        assert list(answer["enrolled"]) == [2, 2]
        assert list(answer["again"]) == [again, again]
    with pytest.raises(MlflowException, match="a picture of 'Bob' that is enrolled as 'Ann'") as caught:
        ask(served, table(face(2)), enrol=True, name="Bob")
    assert caught.value.get_http_status_code() == 400
    with pytest.raises(MlflowException, match="'ANN' beside 'Ann'"):
        ask(served, table(face(3)), enrol=True, name="ANN")


def test_a_nearly_black_picture_is_told_and_not_enrolled(folder, gallery):
    served = _load_pyfunc(str(folder))
    dark = face(1) // 16
    assert list(ask(served, table(face(1), dark))["note"]) == ["", light(dark)]
    assert "note" not in ask(served, table(face(1)))
    with pytest.raises(MlflowException, match="image 0: got one that is nearly black"):
        ask(served, table(dark), enrol=True, name="Ann")


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.full((112, 112, 3), 128, np.uint8), "of one level"),
        (np.full((16, 16, 3), (90, 120, 60), np.uint8), "of one level"),
        (face(1, 301), "a photograph of 301x301, and no detector"),
    ],
)
def test_what_prepare_would_refuse_is_told_and_not_enrolled(folder, gallery, picture, words):
    served = _load_pyfunc(str(folder))
    first, second = ask(served, table(face(1, 300), picture), estimate_side=False)["note"]
    assert first == ""
    assert second.startswith(words)

    with pytest.raises(MlflowException, match=f"image 1: got one that is {words}.*; expected .*; cut the face out"):
        ask(served, table(face(1), picture), enrol=True, name="Ann")
    assert gallery.about() is None
    assert gallery.about() is None


def test_a_gallery_of_another_recogniser_is_a_409(folder, gallery):
    other = np.zeros((1, 512), np.float32)
    other[0, 0] = 1
    gallery.enrol({"Ann": other}, "f" * 64)
    with pytest.raises(MlflowException, match="declare the weights compatible") as caught:
        ask(_load_pyfunc(str(folder)), table(face(1)), identify=True)
    assert caught.value.get_http_status_code() == 409


def test_a_gallery_that_does_not_answer_is_a_503_without_particulars(folder, monkeypatch):
    monkeypatch.setenv(LOCATION, "postgresql://someone:s3cret@127.0.0.1:1/faces")
    with pytest.raises(MlflowException, match="try again later") as caught:
        ask(_load_pyfunc(str(folder)), table(face(1)), identify=True)
    assert caught.value.get_http_status_code() == 503
    assert "127.0.0.1" not in str(caught.value)


@pytest.fixture
def registered(store, run, folder):
    """The pair in the registry."""
    edgeface = register(
        run,
        EDGEFACE,
        folder / EDGEFACE,
        signature=edgeface_signature(),
        alias=Alias.FINETUNED,
        tags={"licence": "CC-BY-NC-SA-4.0"},
    )
    tags = {"supervisor": edgeface.uri, "licence": "CC-BY-NC-SA-4.0 AND CC0-1.0"}
    dsr = register(run, DSR, folder / DSR, signature=dsr_signature(), alias=Alias.CYCLE, tags=tags)
    return register_pair(run, edgeface, dsr, card="# card\n\n" + "a line\n" * 1000, alias=Alias.CHAMPION)


def files_of(store):
    (path,) = (card.parent for card in (store.root / "mlruns" / "artifacts").rglob("model_card.md"))
    return path


def test_the_version_carries_card_ledger_schema_and_example(store, registered, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    info = mlflow.models.get_model_info(f"models:/{PAIR}@champion")
    parts = {entry["part"]: entry for entry in info.metadata["licences"]}
    assert parts["super-resolver"]["licence"] == "CC-BY-NC-SA-4.0 AND CC0-1.0"
    assert "no commercial use" in parts["recogniser"]["terms"]
    assert registered.licence == "CC-BY-NC-SA-4.0 AND CC0-1.0"
    assert info.signature.params == pair_signature().params
    description = store.client.get_model_version(PAIR, str(registered.version)).description
    assert len(description) <= 5000
    assert "the whole card is the artifact model_card.md" in description
    assert (files_of(store) / "model_card.md").read_text().count("a line") == 1000

    example, params = pair_example()
    served = mlflow.pyfunc.load_model(f"models:/{PAIR}@champion")
    got = served.predict(example, params)
    assert len(got["embedding"][0]) == 512
    assert json.loads((files_of(store) / "serving_input_example.json").read_text())["params"] == params


@pytest.fixture
def unguarded(monkeypatch):
    """MLflow's own loading, without what this package's plugin refuses before."""
    registry = artifact_repository_registry._artifact_repository_registry._registry
    monkeypatch.setitem(registry, "models", ModelsArtifactRepository)


@pytest.mark.usefixtures("unguarded")
def test_nothing_in_the_artifact_store_is_run(store, registered, tmp_path, monkeypatch):
    """Code that somebody puts beside the weights stays what it is: a file."""
    path = files_of(store)
    trap = f"from pathlib import Path\nPath({str(tmp_path / 'sprung')!r}).touch()\n"
    names = ("lrface.py", "sitecustomize.py", "served.py", "loader.py", "__init__.py")
    for folder in (path, path / "data", path / "data" / "model", path / "code"):
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_text(trap)
    assert not [item for item in path.rglob("*") if item.suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib"}]
    flavour = yaml.safe_load((path / "MLmodel").read_text())["flavors"]["python_function"]
    assert (flavour["code"], flavour["loader_module"]) == (None, "lrface.tracking.served")
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    before = list(sys.path)
    mlflow.pyfunc.load_model(f"models:/{PAIR}@champion")
    assert sys.path == before
    assert not (tmp_path / "sprung").exists()


@pytest.mark.usefixtures("unguarded")
def test_weights_that_were_changed_in_the_store_do_not_load(store, registered):
    weights = files_of(store) / "data" / "model" / EDGEFACE / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(WeightsError, match=r"sha256 .* expected .* as in config\.json"):
        mlflow.pyfunc.load_model(f"models:/{PAIR}@champion")


def test_the_guarded_loading_takes_the_pair(registered, monkeypatch):
    registry = artifact_repository_registry._artifact_repository_registry._registry
    monkeypatch.setitem(registry, "models", GuardedModels)
    served = mlflow.pyfunc.load_model(f"models:/{PAIR}@champion")
    assert len(served.predict(pair_example()[0])) == len(pair_example()[0])


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    """`mlflow models serve` on the pair, with a gallery; yields its address."""
    root = tmp_path_factory.mktemp("served")
    mlflow.pyfunc.save_model(
        str(root / "model"),
        loader_module="lrface.tracking.served",
        data_path=str(folder),
        signature=pair_signature(),
        pip_requirements=["lrface"],
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    words = [
        "mlflow",
        "models",
        "serve",
        "-m",
        str(root / "model"),
        "--env-manager",
        "local",
        "-p",
        str(port),
        "-w",
        "1",
    ]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(
            words,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                LOCATION: str(root / "gallery.parquet"),
                ENROL: "true",
                "OMP_NUM_THREADS": "1",
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + STARTS_WITHIN
            while not _answers(port):
                assert process.poll() is None, (root / "log").read_text()
                assert time.monotonic() < deadline, (root / "log").read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=30)


def _answers(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/ping", timeout=1).ok
    except requests.RequestException:
        return False


def post(server, body, content_type="application/json"):
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = requests.post(f"{server}/invocations", data=body, headers=headers, timeout=60)
    return answer.status_code, answer.content


def _works(server):
    body = {
        "dataframe_split": {"columns": ["image"], "data": [[encode_png(face(1, 16))]]},
        "params": {"identify": True},
    }
    status, answer = post(server, json.dumps(body).encode())
    assert status == 200, answer
    (row,) = json.loads(answer)["predictions"]
    return row


@pytest.fixture(scope="module")
def enrolled(server):
    body = {
        "inputs": {"image": [encode_png(face(1)), encode_png(face(1, 90))]},
        "params": {"enrol": True, "name": "Ann"},
    }
    status, answer = post(server, json.dumps(body).encode())
    assert status == 200, answer
    assert [row["enrolled"] for row in json.loads(answer)["predictions"]] == [2, 2]
    return server


def test_it_serves_over_http(enrolled):
    row = _works(enrolled)
    assert len(row["embedding"]) == 512
    assert Image.open(io.BytesIO(base64.b64decode(row["sr"]))).size == (112, 112)
    assert row["name"] in {"Ann", "unknown"}
    assert row["margin"] is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["inputs", "instances", "dataframe_split", "dataframe_records"])
NO_PICTURE = JSON | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode())
BAD_PARAMS = st.sampled_from(
    [{"identify": 1.5}, {"threshold": 7}, {"enrol": True}, {"name": "x"}, {"identify": True, "enrol": True}, [1], "x"]
)
PICTURE = encode_png(face(1, 8))
BODIES = st.one_of(
    JSON.map(json.dumps),
    st.builds(lambda key, value: json.dumps({key: value}), KEYS, JSON),
    st.builds(lambda value: json.dumps({"inputs": {"image": [value]}}), NO_PICTURE),
    st.builds(lambda value: json.dumps({"dataframe_split": {"columns": ["image"], "data": [[value]]}}), NO_PICTURE),
    st.builds(lambda value: json.dumps({"inputs": {"image": [PICTURE]}, "params": value}), BAD_PARAMS),
    st.builds(lambda cut: json.dumps({"inputs": {"image": [PICTURE[:cut]]}}), st.integers(0, len(PICTURE) // 2)),
    st.integers(65, 80).map(lambda count: json.dumps({"inputs": {"image": [PICTURE] * count}})),
    st.integers(10_000, 100_000).map(lambda depth: "[" * depth),
    st.integers(10_000, 50_000).map(lambda depth: '{"inputs":' * depth),
).map(str.encode)
CONTENT_TYPES = [
    "text/csv",
    "application/vnd.apache.parquet",
    "text/plain",
    "",
    ";",
    "application/json; charset=x",
    None,
]
REQUESTS = st.one_of(
    st.tuples(BODIES, st.just("application/json")),
    st.tuples(
        BODIES | st.binary(max_size=200),
        st.sampled_from(CONTENT_TYPES) | st.text("abc/;=", max_size=20),
    ),
    st.tuples(st.binary(max_size=200), st.just("application/json")),
)


def test_200_malformed_requests_all_get_a_4xx_and_it_goes_on(enrolled):
    codes = []

    @settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(REQUESTS)
    def check(request):
        status, answer = post(enrolled, *request)
        codes.append(status)
        assert 400 <= status < 500, (request[0][:200], request[1], answer[:500])

    check()
    assert len(codes) >= 200
    assert _works(enrolled)["score"] is not None


def test_a_body_beyond_the_bound_is_a_413(enrolled):
    status, answer = post(enrolled, b" " * (MOST_BODY + 1))
    assert status == 413
    assert b"send fewer pictures" in answer
    _works(enrolled)


def test_a_request_without_a_content_type_is_a_415(enrolled):
    host, _, port = enrolled.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        assert connection.recv(64).startswith(b"HTTP/1.1 415 ")
