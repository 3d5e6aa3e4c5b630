import hashlib
import json

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from lrface.errors import WeightsError
from lrface.models.edgeface.folder import build_edgeface, edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import ModelSpec, read_model, read_spec, read_state, write_model

BUILDERS = {"edgeface": build_edgeface, "dsr": lambda spec: nn.Linear(spec.options["width"], 2)}


def dsr_spec(**changes):
    plain = {
        "kind": "dsr",
        "variant": "small",
        "options": {"width": 3},
        "input_size": (8, 32),
        "output_size": 112,
    }
    return ModelSpec(**plain | changes)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def test_a_model_comes_back_as_it_was(tmp_path, model):
    digest = write_model(tmp_path / "new" / "folder", model, dsr_spec(licence="Apache-2.0"))
    loaded, spec = read_model(tmp_path / "new" / "folder", BUILDERS)
    assert torch.equal(loaded.weight, model.weight)
    assert not loaded.training
    assert spec == dsr_spec(licence="Apache-2.0", parameters=8, sha256=digest)
    assert digest == hashlib.sha256((tmp_path / "new" / "folder" / "model.safetensors").read_bytes()).hexdigest()
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_edgeface_comes_back_with_its_head(tmp_path):
    model = EdgeFace("xs_gamma_06", low_rank_head=False, seed=3)
    write_model(tmp_path, model, edgeface_spec(model, licence="CC-BY-NC-SA-4.0"))
    loaded, spec = read_model(tmp_path, BUILDERS)
    assert isinstance(loaded, EdgeFace)
    assert spec.parameters == 1_787_836
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_the_same_weights_have_the_same_hash(tmp_path, model):
    assert write_model(tmp_path / "a", model, dsr_spec()) == write_model(tmp_path / "b", model, dsr_spec())


def test_writing_again_replaces_the_model_and_nothing_else(tmp_path, model):
    write_model(tmp_path, model, dsr_spec())
    (tmp_path / "MLmodel").write_text("kept")
    with torch.no_grad():
        model.weight.add_(1)
    write_model(tmp_path, model, dsr_spec())
    assert torch.equal(read_state(tmp_path)["weight"], model.weight)
    assert (tmp_path / "MLmodel").read_text() == "kept"


def test_parameters_that_share_memory_are_written(tmp_path):
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    write_model(tmp_path, model, dsr_spec())
    assert read_spec(tmp_path).parameters == 8
    assert torch.equal(read_state(tmp_path)["1.weight"], model[0].weight)


def test_weights_that_are_not_finite_are_not_written(tmp_path, model):
    with torch.no_grad():
        model.bias[0] = float("inf")
    with pytest.raises(WeightsError, match="NaN or infinity in 1 tensors"):
        write_model(tmp_path / "folder", model, dsr_spec())
    assert not (tmp_path / "folder").exists()


def test_a_failed_write_leaves_the_old_model(tmp_path, model, monkeypatch):
    digest = write_model(tmp_path, model, dsr_spec())

    def fail(self, target):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with torch.no_grad():
        model.weight.add_(1)
    with pytest.raises(OSError, match="no space"):
        write_model(tmp_path, model, dsr_spec())
    monkeypatch.undo()
    assert read_spec(tmp_path).sha256 == digest
    read_state(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_changed_weights_are_refused(tmp_path, model):
    write_model(tmp_path, model, dsr_spec())
    path = tmp_path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="sha256"):
        read_model(tmp_path, BUILDERS)


def test_missing_files_are_named(tmp_path, model):
    with pytest.raises(WeightsError, match=r"config\.json: got no such file"):
        read_model(tmp_path, BUILDERS)
    write_model(tmp_path, model, dsr_spec())
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: got no such file"):
        read_model(tmp_path, BUILDERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "other"}, "kind"),
        ({"surprise": 1}, "surprise"),
        ({"format_version": 2}, "format_version"),
        ({"output_size": 0}, "output_size"),
    ],
)
def test_a_config_of_another_form_is_named(tmp_path, model, change, message):
    write_model(tmp_path, model, dsr_spec())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(WeightsError, match=message):
        read_spec(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_config_that_is_no_json_object_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match="the file"):
        read_spec(tmp_path)


def test_a_huge_config_is_not_read(tmp_path):
    (tmp_path / "config.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(WeightsError, match="at most"):
        read_spec(tmp_path)


def test_weights_of_another_shape_are_named(tmp_path, model):
    write_model(tmp_path, model, dsr_spec(options={"width": 4}))
    with pytest.raises(WeightsError, match="size mismatch for weight"):
        read_model(tmp_path, BUILDERS)


def test_another_kind_than_the_wanted_one_is_named(tmp_path, model):
    write_model(tmp_path, model, dsr_spec())
    with pytest.raises(WeightsError, match="got a dsr; expected edgeface"):
        read_model(tmp_path, {"edgeface": build_edgeface})


def test_a_file_that_is_no_safetensors_is_named(tmp_path, model):
    write_model(tmp_path, model, dsr_spec())
    data = b"not safetensors"
    (tmp_path / "model.safetensors").write_bytes(data)
    spec = read_spec(tmp_path).model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    (tmp_path / "config.json").write_text(spec.model_dump_json())
    with pytest.raises(WeightsError, match="expected safetensors"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"kind": "dsr"}, {"variant": "huge"}, {"options": {"low_rank_head": True, "more": 1}}]
)
def test_a_spec_of_no_edgeface_is_refused(changes):
    spec = edgeface_spec(EdgeFace("xxs")).model_copy(update=changes)
    with pytest.raises(WeightsError, match="config of an EdgeFace"):
        build_edgeface(spec)


def test_the_spec_is_frozen():
    with pytest.raises(ValidationError):
        dsr_spec().variant = "other"
