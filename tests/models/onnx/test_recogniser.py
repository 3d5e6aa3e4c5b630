"""Recognisers of others: what they are shown, what they are called, and what is refused in a line."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lrface.errors import ConfigError, WeightsError
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.export import export_onnx
from lrface.models.export.quantise import quantise
from lrface.models.onnx.folder import GRAPH_NAME, is_onnx_folder, read_onnx_folder, write_onnx
from lrface.models.onnx.input import UNIT_RANGE
from lrface.models.onnx.recogniser import is_onnx, read_onnx
from lrface.models.settings import OnnxSettings
from onnx_files import BROKEN, WIDTH, write_recogniser


@pytest.fixture
def path(tmp_path):
    return tmp_path / "stranger.onnx"


@pytest.fixture
def faces(generator):
    return torch.rand(3, 3, 112, 112, generator=generator)


def by_hand(faces, mean=127.5, scale=127.5, order=(0, 1, 2), seed=0, width=WIDTH):
    """What the recogniser of the tests gives, without onnxruntime."""
    shown = (faces[:, list(order)] * 255 - torch.as_tensor(mean).view(1, -1, 1, 1)) / scale
    pooled = torch.nn.functional.avg_pool2d(shown, 16).flatten(1)
    matrix = torch.from_numpy(np.random.default_rng(seed).standard_normal((147, width)).astype(np.float32))
    return torch.nn.functional.normalize(pooled @ matrix)


@pytest.mark.parametrize("batch", [1, "n"])
@pytest.mark.parametrize("width", [2, 16, 777])
def test_any_width_and_a_batch_of_one_or_free(path, faces, batch, width):
    network = read_onnx(write_recogniser(path, batch=batch, width=width))

    found = network(faces)

    assert network.width == width
    torch.testing.assert_close(found, by_hand(faces, width=width), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    assert network(faces[:0]).shape == (0, width)
    assert network.input.assumed


def test_a_graph_with_its_channels_last_or_sides_left_open(path, faces):
    for options in ({"channels_last": True}, {"shape": ("n", 3, "h", "w")}, {"trailing": True}):
        network = read_onnx(write_recogniser(path, **options))
        torch.testing.assert_close(network(faces), by_hand(faces), atol=1e-4, rtol=0)


def test_what_it_is_shown_is_said_by_options_or_metadata(path, faces):
    wanted = by_hand(faces, mean=[10.0, 20.0, 30.0], scale=64.0, order=(2, 1, 0))
    options = OnnxSettings(mean="10,20,30", scale=64, channels="BGR")
    said = {"lrface.mean": "10, 20, 30", "lrface.scale": "64", "lrface.channels": "BGR"}

    plain = read_onnx(write_recogniser(path), options)
    torch.testing.assert_close(plain(faces), wanted, atol=1e-4, rtol=0)
    assert not plain.input.assumed

    telling = read_onnx(write_recogniser(path, metadata=said))
    torch.testing.assert_close(telling(faces), wanted, atol=1e-4, rtol=0)
    assert str(telling.input) == "BGR, (x - 10,20,30) / 64 of 0 to 255"
    assert read_onnx(path, options).sha256 == telling.sha256

    with pytest.raises(
        WeightsError, match=r"got onnx_input.scale 32, where its metadata says 64; expected one of them"
    ):
        read_onnx(path, OnnxSettings(scale=32))


def test_the_hash_is_the_files_unless_options_change_what_it_is_shown(path):
    own = hashlib.sha256(write_recogniser(path).read_bytes()).hexdigest()
    assert read_onnx(path).sha256 == own
    assert read_onnx(path, OnnxSettings(mean=127.5, scale=127.5, channels="rgb")).sha256 == own
    others = [
        read_onnx(path, OnnxSettings(**options)).sha256
        for options in ({"mean": 0}, {"scale": 128}, {"channels": "bgr"}, {"mean": (127.5, 127.5, 0)})
    ]
    assert len({own, *others}) == 5


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_no_recogniser_is_refused_in_a_line(path, how):
    write, expected = BROKEN[how]
    with pytest.raises(WeightsError) as caught:
        read_onnx(write(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_graph_that_normalises_is_not_guessed_at(path, faces):
    first = [helper.make_node("Sub", ["faces", "half"], ["moved"]), helper.make_node("Div", ["moved", "half"], ["in"])]
    write_recogniser(path, before=first)
    with pytest.raises(WeightsError, match="begins with arithmetic of its own"):
        read_onnx(path)
    network = read_onnx(path, OnnxSettings(mean=0, scale=1))
    torch.testing.assert_close(network(faces), by_hand(faces), atol=1e-4, rtol=0)


def test_faces_of_other_sides_are_refused(path):
    network = read_onnx(write_recogniser(path))
    with pytest.raises(ConfigError, match="expected n x 3 x 112 x 112"):
        network(torch.rand(1, 3, 64, 64))


def test_an_exported_edgeface_is_itself_again(path, faces):
    network = EdgeFace("xxs", seed=3, layer_scale=1.0).eval()
    export_onnx(network, faces[:2], path, names=("faces", "embedding"), metadata=UNIT_RANGE)
    found = read_onnx(path)
    with torch.no_grad():
        torch.testing.assert_close(found(faces), network(faces), atol=1e-4, rtol=0)
    assert found.width == network.width == 512


def test_a_graph_in_int8_says_what_the_one_in_float32_says(path, tmp_path, faces):
    write_recogniser(path, metadata=UNIT_RANGE)
    target = tmp_path / "int8.onnx"
    quantise(path, target, [faces], embedding=0)
    assert target.read_bytes() != path.read_bytes()
    network = read_onnx(target)
    assert not network.input.assumed
    assert ((network(faces) * read_onnx(path)(faces)).sum(1) > 0.99).all()


def test_a_file_is_known_by_its_name_or_its_first_bytes(path, tmp_path):
    other = tmp_path / "weights.bin"
    other.write_bytes(write_recogniser(path).read_bytes())
    assert is_onnx(path)
    assert is_onnx(other)
    for content in (b"", b"PK\x03\x04 torch", b"\x80\x02}q\x00."):
        other.write_bytes(content)
        assert not is_onnx(other)
    assert not is_onnx(tmp_path)
    assert not is_onnx(tmp_path / "absent.onnx")


def test_a_model_folder_gives_the_same_network_and_hash(path, tmp_path, faces):
    options = OnnxSettings(mean=(1, 2, 3), channels="bgr")
    network = read_onnx(write_recogniser(path), options)
    folder = tmp_path / "model"
    spec = write_onnx(folder, network, licence="MIT")

    again, read = read_onnx_folder(folder)

    assert is_onnx_folder(folder)
    assert (read.licence, read.output_size, read) == ("MIT", WIDTH, spec)
    assert again.sha256 == network.sha256
    torch.testing.assert_close(again(faces), network(faces))


def test_a_folder_that_was_changed_is_refused(path, tmp_path):
    folder = tmp_path / "model"
    write_onnx(folder, read_onnx(write_recogniser(path)))
    (folder / GRAPH_NAME).write_bytes(write_recogniser(path, seed=1).read_bytes())
    with pytest.raises(WeightsError, match="do not belong together"):
        read_onnx_folder(folder)


@pytest.mark.real
def test_a_real_recogniser_of_others():
    path = Path(__file__).resolve().parents[4] / "shared" / "faces" / "mobilefacenet.onnx"
    if not path.is_file():
        pytest.skip(f"no recogniser at {path}")
    network = read_onnx(path)
    assert network.width == 128
    assert network.sha256.startswith("e72a5710")
    assert onnx.load(path).graph.input[0].name == "input"
