"""What a program gets: `lrface.load` and the pair that comes of it."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import lrface
from lrface.data.faces.yunet import YUNET_URL
from lrface.errors import ConfigError, DataError, RegistryError, WeightsError
from lrface.models.dsr.folder import dsr_spec
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.pair import read_pair
from lrface.models.store import write_model
from lrface.naming.side import sized

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("a pair")
    torch.manual_seed(0)
    edgeface, dsr = EdgeFace("xxs"), DSR("edge")
    write_model(root / "edgeface", edgeface, edgeface_spec(edgeface, licence="CC0-1.0"))
    write_model(root / "dsr", dsr, dsr_spec(dsr, licence="CC0-1.0"))
    return root


@pytest.fixture(autouse=True)
def _no_cached_detector(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def pair(folder):
    return lrface.load(folder, device="cpu")


def face(seed, side=112):
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (6, 6, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
    # a large one has the noise of a camera, or it would be a small one that was enlarged
    noise = generator.normal(0, 6, smooth.shape) if side > 32 else 0.0
    return np.clip(smooth + noise, 0, 255).round().astype(np.uint8)


def test_importing_it_is_quick():
    heavy = "{'torch', 'mlflow', 'numpy', 'cv2', 'pandas', 'pydantic'}"
    script = f"import lrface, sys; print(sorted({heavy} & set(sys.modules)), 'load' in dir(lrface))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[] True"
    with pytest.raises(AttributeError, match="no attribute 'loads'"):
        _ = lrface.loads


def test_a_folder_needs_no_mlflow(folder):
    script = f"import lrface, sys; lrface.load({str(folder)!r}); print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_types_are_told():
    assert (ROOT / "src" / "lrface" / "py.typed").is_file()
    assert lrface.load.__annotations__["return"] is lrface.LoadedPair


def test_it_restores_and_embeds_as_the_pair_does(pair, folder):
    small, large = face(1, 16), face(2)
    plain = read_pair(folder)

    restored = pair.restore(small)

    assert (restored.shape, restored.dtype) == ((112, 112, 3), np.uint8)
    assert np.array_equal(pair.restore(large), large)
    embedded = pair.embed([small, large, face(3, 40)])
    assert embedded.shape == (3, 512)
    assert np.allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    assert np.allclose(embedded[:2], plain.embed(plain.restore([small, large])), atol=1e-6)
    assert pair.embed(small).shape == (1, 512)
    assert pair.weights == plain.weights


def test_an_enlarged_face_is_seen_as_the_jobs_and_the_server_see_it(pair, folder):
    large = np.asarray(Image.fromarray(face(1, 12)).resize((112, 112), Image.Resampling.BICUBIC))
    plain = read_pair(folder)
    (seen,) = sized([large], estimate=True)
    assert seen.side < 20

    assert np.allclose(pair.embed(large), plain.embed(plain.restore([seen.pixels])), atol=1e-6)
    assert not np.array_equal(pair.restore(large), large)
    (found,) = pair.identify(large, {"Ann": large})
    assert (found.name, found.side, found.named_as) == ("Ann", 112, seen.side)
    assert found.score == pytest.approx(1, abs=1e-5)
    as_it_came = lrface.load(folder, device="cpu", estimate_side=False)
    assert np.array_equal(as_it_came.restore(large), large)


def test_a_picture_may_come_as_anything(pair, tmp_path):
    pixels = face(1, 20)
    path = tmp_path / "face.png"
    Image.fromarray(pixels).save(path)
    grey = Image.fromarray(pixels).convert("L")

    ways = [str(path), path, path.read_bytes(), pixels, Image.fromarray(pixels)]

    assert np.allclose(pair.embed(ways), pair.embed(pixels)[0], atol=1e-6)
    assert np.array_equal(pair.restore(np.asarray(grey)), pair.restore(grey.convert("RGB")))
    assert np.allclose(pair.embed(np.stack([pixels, pixels])), pair.embed([pixels, pixels]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("no such.png", "cannot be read"),
        (np.zeros((16, 16, 3)), "an array of float64; expected uint8"),
        (np.zeros((3, 16, 16), np.uint8), "channels last"),
        (np.zeros((16, 20, 3), np.uint8), "20x16 pixels; expected an aligned face"),
        (np.zeros((7, 7, 3), np.uint8), "7x7 pixels"),
        (np.zeros((301, 301, 3), np.uint8), "of a photograph call pair.faces"),
        (b"no picture", "got text"),
        (7, "got int; expected a path"),
    ],
)
def test_what_is_no_face_is_one_line(pair, given, words):
    with pytest.raises(DataError, match=words) as caught:
        pair.restore(given)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, lrface.LrfaceError)


def test_it_names_faces(pair, tmp_path):
    people = {"Ann": [face(1), face(1, 100)], "Bob": face(2)}

    (ann,) = pair.identify(face(1), people)
    assert (ann.name, ann.known, ann.threshold, ann.rate) == ("Ann", True, 0.35, None)
    assert ann.score > 0.99
    assert "no operating points" in ann.note
    assert (ann.side, ann.box) == (112.0, (0.0, 0.0, 112.0, 112.0))

    (stranger,) = pair.identify(face(1, 12), people, threshold=1.0)
    assert (stranger.name, stranger.kind, stranger.side) == ("unknown", "fixed", 12.0)

    kept = pair.enrolled(people)
    assert [entry.name for entry in kept.entries()] == ["Ann", "Bob"]
    assert pair.identify(face(2), kept)[0].name == "Bob"
    with pytest.raises(DataError, match="none there yet"):
        pair.identify(face(1), tmp_path / "nobody.parquet")
    with pytest.raises(DataError, match="got nobody"):
        pair.identify(face(1), {})
    with pytest.raises(ConfigError, match="without operating points"):
        pair.identify(face(1), people, fpir=0.01)


def test_a_photograph_needs_a_detector(pair):
    with pytest.raises(ConfigError, match='detector="download"'):
        pair.identify(face(1, 200), {"Ann": face(1)})
    (found,) = pair.identify(face(1, 200), {"Ann": face(1)}, detect=False)
    assert (found.name, found.side) == ("Ann", 200.0)


def test_a_detector_that_was_downloaded_is_found(folder, tmp_path):
    kept = tmp_path / "cache" / "lrface" / YUNET_URL.rpartition("/")[2]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"no network")
    with pytest.raises(DataError, match="cannot be run as YuNet"):
        lrface.load(folder)


@pytest.mark.parametrize(
    ("where", "kind", "words"),
    [
        ("no such folder", WeightsError, "got no such folder; expected models:/lrface@ALIAS"),
        (Path(__file__), WeightsError, "got a file; expected"),
        (ROOT, WeightsError, "without edgeface/ and dsr/"),
        ("https://example.org/pair", RegistryError, "an address of another kind"),
        ("models:/lrface@champion", RegistryError, "got no .*mlflow.db"),
        ("runs:/abc", RegistryError, "got no .*mlflow.db"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(where, kind, words, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(kind, match=words) as caught:
        lrface.load(where, project=tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mlruns").exists()


def test_a_device_that_is_none(folder):
    with pytest.raises(ConfigError, match="device: got tpu"):
        lrface.load(folder, device="tpu")


def test_weights_that_were_changed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    with (copy / "dsr" / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(WeightsError, match="got sha256"):
        lrface.load(copy)


@pytest.mark.real
def test_every_face_of_a_photograph(folder, real_folder):
    """A recogniser with the released weights is not needed to see that boxes, sizes and faces belong together."""
    pair = lrface.load(folder, detector=real_folder / "weights" / "face_detection_yunet_2023mar.onnx")
    portrait = cv2.imread(str(real_folder / "pairs" / "img1.png"))[..., ::-1].copy()
    scene = np.full((240, 400, 3), 128, np.uint8)
    scene[40:152, 20:132] = portrait
    scene[60:84, 250:274] = cv2.resize(portrait, (24, 24), interpolation=cv2.INTER_AREA)

    large, small = pair.faces(scene)

    assert (large.pixels.shape[0], small.pixels.shape[0]) == (112, round(small.side))
    assert small.side == pytest.approx(24, abs=2)
    found = pair.identify(scene, {"Somebody": portrait}, threshold=-1)
    assert [face.side for face in found] == [large.side, small.side]
    assert {face.name for face in found} == {"Somebody"}
    with pytest.raises(DataError, match="2 faces; expected one person alone"):
        pair.enrolled({"Two": scene})
