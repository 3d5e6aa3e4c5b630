"""The direct recogniser as an arm of every evaluation, as a gate of the verdict, and as a pair without a DSR."""

import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from lrface.tracking.registry.pair import NONE

SMALL = ("--preset", "smoke")
PAIR = ("--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle")


@pytest.fixture
def direct(job, project):
    """The URI of a direct recogniser from the same start and the same faces as the project's pair."""
    if "direct" not in project.registry()["edgeface"][1]:
        ended = job("finetune", *SMALL, "--epochs", "1", "--dsr", "none")
        assert ended.code == 0, ended.err
    return f"models:/edgeface/{project.version('edgeface', 'direct').version}"


def test_evaluate_measures_it_beside_the_pair_and_answers_first(job, project, direct, tmp_path):
    ended = job("evaluate", *SMALL, *PAIR, "--out", str(tmp_path / "out"))

    assert ended.code == 0, ended.err
    arms = {record["arm"] for record in json.loads((tmp_path / "out" / "metrics.json").read_text())}
    assert {"bicubic-direct", "hr-direct", "dsr", "bicubic", "hr"} <= arms
    assert "Does super-resolution earn its place here?" in ended.out
    assert "MMAC a face" in ended.out
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.index("<h3>Verdict</h3>") < page.index("Does super-resolution earn its place here?")
    assert page.index("Does super-resolution earn its place here?") < page.index("<details>")
    seen = project.version("edgeface", "direct").tags["faces_seen_in_all"]
    assert f"recogniser {int(seen):,}" in page
    assert direct in page


def test_a_direct_recogniser_of_other_faces_is_no_rival(job, project, direct, photographs):
    """It may have been trained on the people of the test."""
    other = job("finetune", *SMALL, "--epochs", "1", "--dsr", "none", "--data", "folder", "--source", str(photographs))
    assert other.code == 0, other.err

    ended = job("evaluate", *SMALL, *PAIR)
    named = job("evaluate", *SMALL, *PAIR, "--overrides", f"direct={direct}")
    without = job("evaluate", *SMALL, *PAIR, "--overrides", "direct=none")
    project.client.set_registered_model_alias("edgeface", "direct", direct.rpartition("/")[2])

    assert (ended.code, named.code, without.code) == (0, 0, 0), ended.err + named.err + without.err
    assert "no direct arm: models:/edgeface@direct is of other faces or another start" in ended.out
    assert "bicubic-direct" not in ended.out
    assert "bicubic-direct" in named.out
    assert "direct" not in without.out


@pytest.mark.parametrize("name", ["curve", "compare", "sweep"])
def test_the_other_commands_measure_it_too(job, direct, name):
    given = PAIR if name != "compare" else ()
    ended = job(name, *SMALL, *given)

    assert ended.code == 0, ended.err
    assert "bicubic-direct" in ended.out


def test_the_verdict_on_a_pair_holds_it_against_direct(job, project, direct):
    ended = job("promote", *SMALL)

    assert ended.code == 0, ended.err
    pair = project.version("lrface", "challenger")
    assert "gate.gain_low.direct" in pair.tags
    failed = pair.tags["gate.gain_low.direct"].startswith("failed")
    assert (f"to follow it: promote with edgeface={direct} dsr=none" in ended.out) == failed
    assert ("recommended: bicubic-direct" in pair.tags["verdict_reason"]) == failed


def test_it_is_a_pair_without_a_super_resolver_that_can_be_served_and_exported(job, project, direct, people, tmp_path):
    ended = job("promote", *SMALL, "--edgeface", direct, "--dsr", "none")
    assert ended.code == 0, ended.err
    pair = project.version("lrface", "challenger")
    assert (pair.tags["edgeface"], pair.tags["dsr"], pair.tags["dsr_sha256"]) == (direct, NONE, NONE)
    assert "gate.gain_low.direct" not in pair.tags

    enrolled = job("gallery", "--action", "enrol", "--pair", "models:/lrface@challenger", "--source", str(people))
    named = job("gallery", "--action", "identify", "--pair", "models:/lrface@challenger", "--source", str(people))
    exported = job("export", "--edgeface", direct, "--dsr", "none", "--out", str(tmp_path / "onnx"))

    assert (enrolled.code, named.code, exported.code) == (0, 0, 0), enrolled.err + named.err + exported.err
    assert "ann" in named.out
    tags = project.client.get_model_version("lrface", pair.version).tags
    assert tags["onnx.pair"].endswith("/onnx/pair.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "pair.onnx"), providers=["CPUExecutionProvider"])
    embedding, shown = session.run(None, {"vlr": np.full((1, 3, 9, 9), 0.5, np.float32)})
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-4)
    assert shown == pytest.approx(0.5, abs=1e-4)


@pytest.fixture
def people(tmp_path, cycle):
    """Two people of the cycle's pack, with two pictures each."""
    faces = np.load(next((cycle.project.root / "mlruns" / "packs").glob("*/faces.npy")), mmap_mode="r")
    for name, rows in (("ann", (0, 1)), ("bob", (6, 7))):
        (tmp_path / "people" / name).mkdir(parents=True)
        for row in rows:
            Image.fromarray(np.asarray(faces[row])).save(tmp_path / "people" / name / f"{row}.png")
    return tmp_path / "people"
