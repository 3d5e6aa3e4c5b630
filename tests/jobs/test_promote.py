"""`promote`: the decision, the aliases, and the way back."""

import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from onnx_files import write_recogniser

QUICK = ("--preset", "smoke")


def test_a_refusal_is_recorded_and_leaves_the_champion_alone(job, project):
    ended = job("promote", *QUICK)

    assert ended.code == 0, ended.err
    count, aliases = project.registry()["lrface"]
    assert "champion" not in aliases
    assert aliases["challenger"] == count
    pair = project.client.get_model_version("lrface", str(count))
    assert pair.tags["verdict"] in {"keep", "tune", "revert", "refused"}
    assert pair.tags["verdict_reason"] in ended.out
    assert "verdict.txt" in project.artifacts(project.run("promote"))


def test_files_cannot_be_promoted(job, project, tmp_path):
    exported = job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(tmp_path))
    assert exported.code == 0, exported.err
    before = project.registry()

    line = job("promote", *QUICK, "--edgeface", str(tmp_path / "edgeface")).refused()

    assert "two versions in the registry" in line
    assert project.registry() == before


def test_without_an_earlier_champion_there_is_no_way_back(job, project):
    before = project.registry()

    line = job("promote", "--rollback", "true").refused()

    assert "no earlier champion" in line
    assert project.registry() == before


def test_a_recogniser_of_others_is_promoted_with_a_super_resolver_in_front(job, project, tmp_path):
    stranger = str(write_recogniser(tmp_path / "stranger.onnx", width=24))
    count = project.registry()["edgeface"][0]
    words = ("promote", *QUICK, "--edgeface", stranger, "--dsr", "models:/dsr@cycle")

    ended = job(*words)

    assert ended.code == 0, ended.err
    assert f"{stranger}, which nobody retrained: rank-1 at " in ended.out
    number, aliases = project.registry()["lrface"]
    assert number in aliases.values()
    pair = project.client.get_model_version("lrface", str(number))
    assert pair.tags["edgeface"] == f"models:/edgeface/{count + 1}"
    half = project.client.get_model_version("edgeface", str(count + 1))
    assert half.tags["network"] == "onnx"
    assert half.tags["weights_sha256"] == hashlib.sha256(Path(stranger).read_bytes()).hexdigest()

    assert job(*words, "--seed", "1").code == 0
    assert project.registry()["edgeface"][0] == count + 1
    assert project.registry()["lrface"][0] == number + 1
    # from the registry it is what it was as a file
    again = job("evaluate", *QUICK, "--edgeface", f"models:/edgeface/{count + 1}", "--dsr", "none")
    assert again.code == 0, again.err
    refused = job("export", "--edgeface", f"models:/edgeface/{count + 1}", "--dsr", "none").refused()
    assert "gives no gradients and cannot be trained" in refused
