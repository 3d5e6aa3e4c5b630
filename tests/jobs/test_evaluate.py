"""`evaluate`: any networks on any faces; the figures in the tracker and in a folder."""

import json
import math
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lrface.data.pack.pack import open_pack
from onnx_files import write_recogniser

FIELDS = {"arm", "size", "degradation", "metric", "value", "low", "high", "n"}
RANGES = {"rank1": (0, 1), "tar_at_far_1e-2": (0, 1), "correct": (0, 1), "similarity": (-1, 1), "psnr": (5, 60)}
QUICK = ("--overrides", "sizes=[8, 12] measure.replicates=100")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation") / "figures"


@pytest.fixture(scope="module")
def records(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_folder_of_people_is_evaluated_whole(job, project, photographs, folder):
    ended = job(
        "evaluate",
        *("--data", "folder", "--source", str(photographs), "--edgeface", "models:/edgeface@finetuned"),
        *("--dsr", "models:/dsr@cycle", "--out", str(folder), "--threshold", "0.4", *QUICK),
    )

    assert ended.code == 0, ended.err
    run = project.run("evaluate")
    assert "mlflow.parentRunId" not in run.data.tags
    assert run.data.params["measure.threshold"] == "0.4"
    assert {"test/hr/112/rank1", "test/bicubic/12/rank1", "test/dsr/8/tar_at_far_1e-2"} <= set(run.data.metrics)
    assert "every" not in ended.err
    assert "points over bicubic" in ended.out
    assert "verdict: " in ended.out
    page = (folder / "report.html").read_text()
    assert "gain_low.bicubic" in page
    assert "gain_low.champion" not in page


def test_metrics_json_is_a_list_of_records(records):
    assert {frozenset(record) for record in records} == {frozenset(FIELDS)}
    assert {record["arm"] for record in records} == {"hr", "bicubic", "dsr"}
    assert {record["size"] for record in records if record["arm"] != "hr"} == {8, 12}
    assert {record["size"] for record in records if record["arm"] == "hr"} == {112}
    assert {record["degradation"] for record in records} == {"clean"}
    assert all(isinstance(record["n"], int) for record in records)


def test_every_figure_is_in_its_range_and_inside_its_interval(records):
    for record in records:
        value, low, high = record["value"], record["low"], record["high"]
        assert value is None or math.isfinite(value)
        if value is not None and record["metric"] in RANGES:
            assert RANGES[record["metric"]][0] <= value <= RANGES[record["metric"]][1], record
        if low is not None and high is not None:
            assert low <= high


def test_every_person_of_a_folder_is_a_test_person(folder):
    subjects = pd.read_csv(folder / "subjects.csv", float_precision="round_trip")

    assert subjects["subject"].nunique() + _strangers(folder) == 5


def _strangers(folder):
    protocol = json.loads((folder / "protocol.json").read_text())
    return 5 - len({str(name) for name in protocol["gallery_subjects"]}) if "gallery_subjects" in protocol else 0


def test_the_folder_and_the_run_hold_the_same_files(project, folder):
    logged = project.artifacts(project.run("evaluate"), "evaluation")

    assert {path.name for path in folder.iterdir()} <= logged
    with Image.open(folder / "faces.png") as picture:
        assert picture.width > 112


def test_weights_by_path_and_no_super_resolver(job, project, tmp_path):
    exported = job("pretrain", "--edgeface", "models:/edgeface@pretrained", "--out", str(tmp_path / "weights"))
    assert exported.code == 0, exported.err

    ended = job(
        "evaluate", "--preset", "smoke", "--edgeface", str(tmp_path / "weights" / "edgeface"), "--dsr", "none", *QUICK
    )

    assert ended.code == 0, ended.err
    metrics = project.run("evaluate").data.metrics
    assert {name.split("/")[1] for name in metrics if name.startswith("test/")} == {"hr", "bicubic"}


@pytest.mark.real
@pytest.mark.parametrize("faces", ["faces_aligned", "faces_raw"])
def test_the_figures_of_the_real_faces_come_out(job, project, real_folder, tmp_path, faces):
    """Measured elsewhere with the released weights: README of the real faces. Aligned by others, or by `prepare`."""
    own = ""
    if faces == "faces_raw":
        detector = real_folder / "weights" / "face_detection_yunet_2023mar.onnx"
        own = f" data.read.align.mode=yunet data.read.align.detector.weights={detector}"
    ended = job(
        "evaluate",
        *("--data", "folder", "--source", str(real_folder / faces)),
        *("--edgeface", str(real_folder / "weights" / "edgeface_xxs.pt"), "--out", str(tmp_path)),
        *("--overrides", f"sizes=[8,12] measure.replicates=100 protocol.non_mated_fraction=0{own}"),
    )

    assert ended.code == 0, ended.err
    assert len(open_pack(project.pack(faces))) == 197
    found = {
        (record["arm"], record["size"], record["metric"]): record["value"]
        for record in json.loads((tmp_path / "metrics.json").read_text())
    }
    assert found["hr", 112, "rank1"] == pytest.approx(1.0, abs=0.005)
    assert found["bicubic", 12, "rank1"] == pytest.approx(0.915, abs=0.005)
    assert found["bicubic", 12, "tar_at_far_1e-2"] == pytest.approx(0.800, abs=0.005)
    assert found["bicubic", 8, "rank1"] == pytest.approx(0.379, abs=0.005)


def test_a_recogniser_of_others_and_a_judge_have_arms_of_their_own(job, project, photographs, tmp_path):
    stranger = str(write_recogniser(tmp_path / "stranger.onnx", batch=1))
    judge = str(write_recogniser(tmp_path / "them.onnx", seed=1, width=40))

    ended = job(
        "evaluate",
        *("--data", "folder", "--source", str(photographs), "--edgeface", stranger, "--judge", judge),
        *("--dsr", "models:/dsr@cycle", "--out", str(tmp_path / "figures"), *QUICK),
    )

    assert ended.code == 0, ended.err
    records = json.loads((tmp_path / "figures" / "metrics.json").read_text())
    assert {record["arm"] for record in records} == {
        *("hr", "bicubic", "dsr"),
        *("hr-judge", "bicubic-judge", "dsr-judge"),
    }
    assert f"{stranger}, which nobody retrained: rank-1 at 8, 12 px with dsr " in ended.out
    assert f"{judge}, which nobody retrained: rank-1 at 8, 12 px with dsr-judge " in ended.out
    page = (tmp_path / "figures" / "report.html").read_text()
    assert "What the super-resolver gains for a recogniser that nobody retrained" in page
    assert "<title>" in page
    assert project.run("evaluate").data.params["judge"] == judge
