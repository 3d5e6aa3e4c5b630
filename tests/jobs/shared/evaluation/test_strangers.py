"""The independent judge and recognisers of others in an evaluation, without a run."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from lrface.config import EvaluateSettings
from lrface.errors import ConfigError, WeightsError
from lrface.evaluation.figures.results import Results
from lrface.jobs.shared.evaluation.assessment import arms_of, headline_cell, load_networks
from lrface.jobs.shared.networks import load_any_recogniser, load_recogniser
from lrface.models.dsr.folder import dsr_spec
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.onnx.folder import write_onnx
from lrface.models.onnx.recogniser import read_onnx
from lrface.models.settings import OnnxSettings
from lrface.models.store import write_model
from onnx_files import write_recogniser

NOTHING = OnnxSettings()


@pytest.fixture
def context():
    said = []
    terminal = SimpleNamespace(line=said.append, said=said)
    return SimpleNamespace(device=torch.device("cpu"), terminal=terminal, root=Path(), store=None)


@pytest.fixture
def stranger(tmp_path):
    return str(write_recogniser(tmp_path / "them.onnx"))


@pytest.fixture
def resolver(tmp_path):
    torch.manual_seed(0)
    network = DSR("edge")
    write_model(tmp_path / "dsr", network, dsr_spec(network))
    return str(tmp_path / "dsr")


def loaded(context, **values):
    return load_networks(EvaluateSettings.model_validate(values), context)


def test_the_judge_has_arms_of_its_own_and_leaves_the_others_their_names(context, stranger, resolver, tmp_path):
    judge = str(write_recogniser(tmp_path / "judge.onnx", seed=1))
    alone = arms_of(*loaded(context, edgeface=stranger, dsr=resolver))
    judged = arms_of(*loaded(context, edgeface=stranger, dsr=resolver, judge=judge))

    names = [arm.name for arm in alone]
    assert names == ["hr", "bicubic", "dsr"]
    assert [arm.name for arm in judged] == [*names, "hr-judge", "bicubic-judge", "dsr-judge"]
    assert [arm.judges for arm in judged] == [False] * 3 + [True] * 3
    assert (judged[-1].smallest, judged[-1].largest) == (8, 32)
    assert judged[2].embedder is not judged[-1].embedder


def test_a_file_called_judge_is_not_the_judge(context, stranger, tmp_path):
    named = str(write_recogniser(tmp_path / "judge.onnx", seed=1))
    recognisers, resolvers = loaded(context, edgeface=f"{stranger},{named}")
    assert not any(recogniser.judges for recogniser in recognisers)
    assert not any(arm.judges for arm in arms_of(recognisers, resolvers))


def test_the_first_screen_is_not_about_the_judge():
    cells = {}
    for arm in ("hr", "bicubic", "dsr", "hr-judge", "bicubic-judge", "dsr-judge"):
        for size in (8, 12):
            cells[(arm, size)] = SimpleNamespace(arm=arm, size=size, degradation="clean")
    results = SimpleNamespace(
        arms=tuple(dict.fromkeys(arm for arm, _ in cells)), cells=tuple(cells.values()), spec=Results
    )
    assert headline_cell(results, (8, 12)).arm == "dsr"


@pytest.mark.parametrize("copied", [False, True])
def test_a_judge_that_takes_part_is_refused(context, stranger, tmp_path, copied):
    judge = stranger
    if copied:  # the same network in another file
        content = Path(stranger).read_bytes()
        judge = str(tmp_path / "copy.onnx")
        Path(judge).write_bytes(content.replace(b"recogniser", b"other_name"))
        assert Path(judge).read_bytes() != content
    with pytest.raises(ConfigError, match="takes part in nothing else"):
        loaded(context, edgeface=stranger, judge=judge)


def test_what_is_assumed_is_said_and_what_is_said_is_not(context, stranger):
    load_any_recogniser(stranger, context, NOTHING)
    assert "taken to want RGB, (x - 127.5) / 127.5" in context.terminal.said[0]
    load_any_recogniser(stranger, context, OnnxSettings(mean=0, scale=255))
    assert len(context.terminal.said) == 1


def test_a_folder_and_a_file_are_one_recogniser(context, stranger, tmp_path):
    write_onnx(tmp_path / "folder", read_onnx(Path(stranger)), licence="MIT")
    file = load_any_recogniser(stranger, context, NOTHING)
    folder = load_any_recogniser(str(tmp_path / "folder"), context, NOTHING)
    assert (folder.sha256, folder.licence) == (file.sha256, "MIT")


def test_edgeface_is_loaded_as_ever(context, tmp_path):
    network = EdgeFace("xxs", seed=1)
    write_model(tmp_path / "own", network, edgeface_spec(network))
    any_one = load_any_recogniser(str(tmp_path / "own"), context, NOTHING)
    own = load_recogniser(str(tmp_path / "own"), context)
    assert any_one == replace(own, network=any_one.network)


def test_what_trains_refuses_a_stranger_in_a_line(context, stranger, tmp_path):
    write_onnx(tmp_path / "folder", read_onnx(Path(stranger)))
    for reference in (stranger, str(tmp_path / "folder")):
        with pytest.raises(WeightsError, match=r"gives no gradients.*name it as judge of the training") as caught:
            load_recogniser(reference, context)
        assert "\n" not in str(caught.value)
