import dataclasses
import io
import json
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from lrface.errors import WeightsError
from lrface.models.checkpoint.doctor import inspect_checkpoint, load_edgeface
from lrface.models.checkpoint.report import KINDS
from lrface.models.edgeface.adapters import add_adapters
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model


@dataclasses.dataclass
class FinetuneConfig:
    head_lr: float = 1e-4
    epochs: int = 5


def bare(state):
    return {name.removeprefix("model."): value for name, value in state.items()}


def same(model, other):
    return all(torch.equal(value, other[name]) for name, value in model.state_dict().items())


def quantised(state):
    """A dynamic-int8 state dict as torch writes it: linear layers packed, the rest float."""
    packed = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, value in state.items():
            layer, _, last = name.rpartition(".")
            if value.ndim == 2 and last == "weight":
                scale = float(value.abs().max()) / 127
                integers = torch.quantize_per_tensor(value, scale, 0, torch.qint8)
                packed[f"{layer}.scale"] = torch.tensor(1.0)
                packed[f"{layer}.zero_point"] = torch.tensor(0)
                packed[f"{layer}._packed_params.dtype"] = torch.qint8
                bias = nn.Parameter(state[f"{layer}.bias"])
                packed[f"{layer}._packed_params._packed_params"] = (integers, bias)
            elif not (last == "bias" and state[f"{layer}.weight"].ndim == 2):
                packed[name] = value
        buffer = io.BytesIO()
        torch.save(packed, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("prefix", ["model.", "", "module.", "module.model.", "_orig_mod.model."])
def test_a_state_dict_loads_with_any_prefix(file, state, prefix):
    path = file({prefix + name: value for name, value in bare(state).items()})
    report = inspect_checkpoint(path)
    assert (report.kind, report.variant, report.prefix, report.loadable) == (
        "state_dict",
        "xxs",
        prefix,
        True,
    )
    assert report.parameters == 1_244_744
    loaded, source = load_edgeface(path)
    assert same(loaded, state)
    assert not loaded.training
    assert source.initialised == ()
    assert source.sha256 == report.sha256


def test_the_loaded_tensors_are_the_network_s_own(file, state):
    model, _ = load_edgeface(file(state))
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    model.train()(torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0))).sum().backward()
    optimiser.step()
    assert not same(model, state)


@pytest.mark.parametrize("variant", ["xs", "xs_gamma_06", "s_gamma_05"])
def test_each_size_is_told_apart(file, variant):
    model = EdgeFace(variant)
    report = inspect_checkpoint(file(model.state_dict()))
    assert (report.variant, report.low_rank_head, report.loadable) == (variant, True, True)


def test_a_gamma_variant_with_a_whole_head_is_recognised(file):
    model = EdgeFace("xs_gamma_06", low_rank_head=False)
    path = file(model.state_dict())
    assert inspect_checkpoint(path).low_rank_head is False
    assert same(load_edgeface(path)[0], model.state_dict())


def test_the_legacy_format_loads(file, state):
    path = file(state, _use_new_zipfile_serialization=False)
    assert inspect_checkpoint(path).container == "torch legacy"
    assert same(load_edgeface(path)[0], state)


def test_half_precision_loads_as_float(file, state):
    loaded, _ = load_edgeface(file({name: value.half() for name, value in state.items()}))
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32}


def test_a_finetuned_run_loads_with_an_inert_config(file, state, monkeypatch):
    monkeypatch.setattr(FinetuneConfig, "__module__", "__main__")
    monkeypatch.setattr("__main__.FinetuneConfig", FinetuneConfig, raising=False)
    run = {"epoch": 3, "backbone_state_dict": state, "head_state_dict": {}, "config": FinetuneConfig()}
    path = file(run)
    monkeypatch.undo()
    report = inspect_checkpoint(path)
    assert (report.kind, report.loadable) == ("finetuned_run", True)
    assert report.stand_ins == ("__main__.FinetuneConfig",)
    assert same(load_edgeface(path)[0], state)


def test_a_class_of_a_package_that_is_not_there_is_harmless(file, rewrite, state):
    raw = file({"backbone_state_dict": state, "config": FinetuneConfig()}).read_bytes()
    name = FinetuneConfig.__module__.encode()
    other = b"gone_away_" + b"x" * (len(name) - 10)
    path = file(rewrite(raw, lambda data: data.replace(name, other)))
    assert inspect_checkpoint(path).stand_ins == (f"{other.decode()}.FinetuneConfig",)
    assert load_edgeface(path)[1].kind == "finetuned_run"


def test_a_lightning_checkpoint_loads_without_its_other_parts(file, state):
    names = {f"edgeface.{name}": value for name, value in state.items()} | {"margin.W": torch.zeros(512, 4)}
    path = file({"pytorch-lightning_version": "2.6.6", "epoch": 1, "state_dict": names, "callbacks": {}})
    report = inspect_checkpoint(path)
    assert (report.kind, report.prefix, report.ignored) == ("lightning", "edgeface.model.", ("margin.W",))
    assert same(load_edgeface(path)[0], state)


def test_a_checkpoint_with_two_networks_asks_which_one(file, state):
    other = EdgeFace("xxs", seed=4).state_dict()
    both = {f"student.{n}": v for n, v in state.items()} | {f"teacher.{n}": v for n, v in other.items()}
    path = file({"pytorch-lightning_version": "2.6.6", "state_dict": both})
    with pytest.raises(WeightsError, match="several EdgeFaces"):
        load_edgeface(path)
    assert same(load_edgeface(path, prefix="teacher.model.")[0], other)


@pytest.mark.parametrize("name", ["model_state_dict", "state_dict", "model"])
def test_checkpoints_of_other_trainers_load(file, state, name):
    path = file({"epoch": 1, "optimizer": {"state": {}}, name: state})
    assert inspect_checkpoint(path).kind == "training_checkpoint"
    assert same(load_edgeface(path)[0], state)


def test_int8_weights_become_float(file, state):
    path = file(quantised(state))
    report = inspect_checkpoint(path)
    assert (report.kind, report.quantised, report.loadable) == ("int8_state_dict", True, True)
    loaded, source = load_edgeface(path)
    assert source.quantised
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, state[name], rtol=0, atol=float(state[name].abs().max()) / 250)
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_int8_weights_agree_with_torch_itself(state):
    from lrface.models.checkpoint.unpickle import read_pickle

    weight = state["model.head.fc.weight"]
    scales = weight.abs().amax(1).double() / 127
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensors = [
            torch.quantize_per_channel(weight, scales, torch.zeros(512, dtype=torch.long), 0, torch.qint8),
            torch.quantize_per_tensor(weight, 0.01, 3, torch.qint8),
            torch.quantize_per_tensor(weight, 0.02, 128, torch.quint8),
        ]
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
    with zipfile.ZipFile(buffer) as archive:
        read, _ = read_pickle(
            archive.read("archive/data.pkl"),
            lambda key: bytearray(archive.read(f"archive/data/{key}")),
            budget=len(buffer.getvalue()),
        )
    for ours, theirs in zip(read, tensors, strict=True):
        torch.testing.assert_close(ours, theirs.dequantize(), rtol=1e-6, atol=1e-7)


def test_a_torchscript_archive_loads_without_running(tmp_path, model):
    path = tmp_path / "scripted.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(model, torch.zeros(1, 3, 112, 112), check_trace=False), path)
    report = inspect_checkpoint(path)
    assert (report.kind, report.loadable) == ("torchscript", True)
    assert same(load_edgeface(path)[0], model.state_dict())


def test_a_network_that_was_pickled_whole_loads_without_importing_it(file, model):
    path = file(model.model)
    report = inspect_checkpoint(path)
    assert same(load_edgeface(path)[0], model.state_dict())
    assert report.kind == "pickled_module"
    assert any(name.endswith("EdgeNeXt") for name in report.stand_ins)


def test_safetensors_load(tmp_path, state):
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(state, path)
    assert inspect_checkpoint(path).kind == "safetensors"
    assert same(load_edgeface(path)[0], state)


def test_a_model_folder_loads(tmp_path, model):
    digest = write_model(tmp_path / "folder", model, edgeface_spec(model))
    loaded, source = load_edgeface(tmp_path / "folder")
    assert (source.kind, source.sha256, source.variant) == ("model_folder", digest, "xxs")
    assert same(loaded, model.state_dict())


BROKEN = {
    "lfs_pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:5b6b\nsize 5032125\n",
    "html": b"\n<!DOCTYPE html><html><body>Sign in</body></html>",
    "empty": b"",
    "unknown": b"\x00\x01\x02\x03 not anything",
    "damaged": b"\x80\x02\xff\xff\xff\xff",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_that_are_no_checkpoint_are_named(file, kind):
    report = inspect_checkpoint(file(BROKEN[kind]))
    assert (report.kind, report.loadable, report.variant) == (kind, False, None)
    assert report.findings
    assert report.remedy
    with pytest.raises(WeightsError, match="expected weights of EdgeFace"):
        load_edgeface(report.path)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b'{"a": 1}', "JSON"),
        (b"\x08\x06\x12\x07pytorch", "ONNX"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"can this be text", "bytes that start"),
    ],
)
def test_strangers_are_named(file, data, name):
    report = inspect_checkpoint(file(data))
    assert report.kind == "unknown"
    assert name in report.findings[0]


def test_a_web_page_behind_a_byte_order_mark_is_still_one(file):
    assert inspect_checkpoint(file(b"\xef\xbb\xbf<html>")).kind == "html"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.999])
def test_a_zip_that_was_cut_off_is_named(file, saved, share):
    assert inspect_checkpoint(file(saved[: int(len(saved) * share)])).kind == "truncated"


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_legacy_file_that_was_cut_off_is_named(file, state, share):
    data = file(state, _use_new_zipfile_serialization=False).read_bytes()
    assert inspect_checkpoint(file(data[: int(len(data) * share)])).kind == "truncated"


@pytest.mark.parametrize("keep", [100, 60_000])
def test_safetensors_that_were_cut_off_are_named(file, state, keep):
    assert inspect_checkpoint(file(safetensors.torch.save(state)[:keep])).kind == "truncated"


def test_a_zip_of_something_else_is_named(tmp_path):
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    report = inspect_checkpoint(path)
    assert report.kind == "zip"
    assert "readme.txt" in report.findings[0]


def test_a_flipped_byte_is_found(file, saved):
    at = saved.index(b"data/10") + 3000
    data = bytearray(saved)
    data[at : at + 4] = bytes(255 - byte for byte in data[at : at + 4])
    assert inspect_checkpoint(file(bytes(data))).kind == "damaged"


def test_a_missing_path_and_a_bare_directory_are_named(tmp_path):
    assert inspect_checkpoint(tmp_path / "nothing.pt").kind == "missing"
    assert inspect_checkpoint(tmp_path).kind == "directory"


def test_a_changed_model_folder_is_refused(tmp_path, model):
    write_model(tmp_path, model, edgeface_spec(model))
    other = EdgeFace("xxs", seed=9).state_dict()
    (tmp_path / "model.safetensors").write_bytes(safetensors.torch.save(other))
    report = inspect_checkpoint(tmp_path)
    assert report.kind == "damaged"
    assert "sha256" in report.findings[0]


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {"epoch": 1, "state_dict": {"a": "b"}}, 5])
def test_a_pickle_without_weights_is_named(file, content):
    assert inspect_checkpoint(file(content)).kind == "pickle"
    assert inspect_checkpoint(file(pickle.dumps(content))).kind == "pickle"


def test_another_network_is_named(file):
    report = inspect_checkpoint(file({"layer1.0.conv1.weight": torch.zeros(3, 3), "fc.weight": torch.zeros(2)}))
    assert not report.loadable
    assert "another network" in report.findings[0]


def test_a_file_beyond_the_limit_is_not_read(file, monkeypatch):
    monkeypatch.setattr("lrface.models.checkpoint.doctor.LIMIT_BYTES", 10)
    report = inspect_checkpoint(file(b"x" * 11))
    assert (report.kind, report.sha256) == ("too_large", None)


def test_missing_names_are_an_error_that_names_them(file, state):
    state = {name: value for name, value in state.items() if "head.fc" not in name}
    report = inspect_checkpoint(file(state))
    assert report.missing == ("head.fc.weight", "head.fc.bias")
    assert "allow_missing" in report.remedy
    with pytest.raises(WeightsError, match=r"head\.fc\.weight, head\.fc\.bias"):
        load_edgeface(report.path)
    with pytest.raises(WeightsError, match=r"it lacks 1 tensors \(head\.fc\.bias\)"):
        load_edgeface(report.path, allow_missing=["*.weight"])


def test_missing_names_that_are_allowed_start_xavier_and_zero(file, state):
    kept = {n: v for n, v in state.items() if "head.fc" not in n and "blocks.0.gamma" not in n}
    path = file(kept)
    loaded, source = load_edgeface(path, allow_missing=["head.fc.*", "model.stages.?.blocks.0.gamma"])
    assert set(source.initialised) == {"head.fc.weight", "head.fc.bias"} | {
        f"stages.{stage}.blocks.0.gamma" for stage in range(4)
    }
    weight, bias = loaded.projection.weight, loaded.projection.bias
    bound = (6 / (512 + 168)) ** 0.5
    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert not bias.any()
    fresh = EdgeFace("xxs").state_dict()
    assert torch.equal(loaded.state_dict()["model.stages.0.blocks.0.gamma"], fresh["model.stages.0.blocks.0.gamma"])
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in kept.items())
    again, _ = load_edgeface(path, allow_missing=["*"])
    assert torch.equal(again.projection.weight, weight)
    other, _ = load_edgeface(path, allow_missing=["*"], seed=1)
    assert not torch.equal(other.projection.weight, weight)


def test_allowed_missing_names_excuse_nothing_else(file, state):
    state = {name: value for name, value in state.items() if "head.fc" not in name}
    state["model.extra"] = torch.zeros(1)
    with pytest.raises(WeightsError, match="extra"):
        load_edgeface(file(state), allow_missing=["*"])


def test_names_too_many_and_other_shapes_are_told(file, state):
    state = dict(state) | {"model.extra.weight": torch.zeros(2), "elsewhere": torch.zeros(1)}
    state["model.head.fc.weight"] = torch.zeros(256, 168)
    state["model.head.fc.bias"] = torch.zeros(512, dtype=torch.int64)
    report = inspect_checkpoint(file(state))
    assert report.unexpected == ("extra.weight", "elsewhere")
    assert [(m.name, m.got, m.expected) for m in report.mismatched] == [
        ("head.fc.weight", "(256, 168)", "(512, 168)"),
        ("head.fc.bias", "int64", "float32"),
    ]
    assert not report.loadable


def test_positional_embeddings_in_every_stage_are_a_wrong_architecture(file, state):
    """Older loaders built them into stages 2 and 3 and called the file incomplete."""
    wrong = dict(state) | {"model.stages.2.blocks.5.pos_embd.token_projection.weight": torch.zeros(88, 64, 1, 1)}
    report = inspect_checkpoint(file(wrong))
    assert report.unexpected == ("stages.2.blocks.5.pos_embd.token_projection.weight",)
    assert inspect_checkpoint(file(state)).missing == ()


def test_adapters_that_were_not_merged_are_named(file):
    adapted = EdgeFace("xxs")
    add_adapters(adapted, rank=2)
    report = inspect_checkpoint(file(adapted.state_dict()))
    assert not report.loadable
    assert "merge the adapters" in report.remedy


def test_a_file_of_another_size_says_which_one_it_fits(file, state):
    path = file(state)
    with pytest.raises(WeightsError, match=r"it fits EdgeFace xxs and not base.*ask for the variant xxs"):
        load_edgeface(path, "base")
    assert load_edgeface(path, "xxs")[1].variant == "xxs"
    with pytest.raises(WeightsError, match="one of xxs"):
        load_edgeface(path, "huge")


def test_weights_that_are_not_finite_are_refused(file, state):
    bad = dict(state) | {"model.stem.0.bias": torch.full((24,), float("nan"))}
    report = inspect_checkpoint(file(bad))
    assert report.non_finite == ("stem.0.bias",)
    assert "diverged" in report.remedy
    assert not report.loadable


def test_reports_are_plain_for_programs_and_readable_for_people(file, state):
    state = {name: value for name, value in state.items() if "head" not in name}
    report = inspect_checkpoint(file(state))
    assert json.loads(json.dumps(report.as_dict()))["missing"][0] == "head.norm.weight"
    assert report.kind in KINDS
    text = "\n".join(report.lines())
    assert "loads: no" in text
    assert "head.fc.bias" in text
    assert report.remedy in text


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_end_in_a_report(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "file"
    for start in (b"", b"\x80\x02", b"PK\x03\x04"):
        path.write_bytes(start + data)
        report = inspect_checkpoint(path)
        assert report.kind in KINDS
        assert not report.loadable


@pytest.mark.real
def test_real_files_are_named(real_folder):
    weights = real_folder / "weights"
    found = {path.name: inspect_checkpoint(path) for path in sorted(weights.iterdir())}
    assert {name: (r.kind, r.variant, r.loadable, r.parameters) for name, r in found.items()} == {
        "edgeface_xs_q.pt": ("int8_state_dict", "xs", True, 2_242_620),
        "edgeface_xxs.pt": ("state_dict", "xxs", True, 1_244_744),
        "edgeface_xxs_q.pt": ("int8_state_dict", "xxs", True, 1_244_744),
        "face_detection_yunet_2023mar.onnx": ("unknown", None, False, 0),
    }


@pytest.mark.real
def test_real_int8_and_float_weights_embed_alike(real_folder):
    paths = sorted((real_folder / "faces_aligned").glob("*/*1.png"))
    pixels = np.stack([np.array(Image.open(path).convert("RGB")) for path in paths])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    embedded = []
    for name in ("edgeface_xxs_q.pt", "edgeface_xxs.pt"):
        model, _ = load_edgeface(real_folder / "weights" / name)
        with torch.no_grad():
            embedded.append(model(images))
    assert len(paths) >= 20
    assert (embedded[0] * embedded[1]).sum(1).min() > 0.999
