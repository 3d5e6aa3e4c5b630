"""`export`: graphs that say what the networks say."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from lrface.images.degradation.resample import shrink
from lrface.images.ranges import to_float
from lrface.naming.operating_points import POINTS_NAME


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export") / "onnx"


def test_networks_and_pair_as_onnx(job, project, folder):
    ended = job("export", "--bench", "true", "--out", str(folder), "--overrides", "sizes=[8,17] bench_seconds=0.01")

    assert ended.code == 0, ended.err
    graphs = {f"{name}{kind}.onnx" for name in ("edgeface", "dsr", "pair") for kind in ("", "_int8")}
    assert {path.name for path in folder.iterdir()} == {*graphs, "export.json", POINTS_NAME}
    assert {*graphs, "export.json"} <= project.artifacts(project.run("export"), "onnx")


@pytest.mark.parametrize(("count", "size"), [(1, 8), (3, 20), (2, 32)])
def test_the_pair_is_its_halves_at_any_batch_and_size(folder, count, size):
    vlr = np.random.default_rng(0).random((count, 3, size, size), dtype=np.float32)

    embedding, restored = _run(folder / "pair.onnx", vlr)

    assert restored.shape == (count, 3, 112, 112)
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(restored, _run(folder / "dsr.onnx", vlr)[0], atol=1e-5)
    np.testing.assert_allclose(embedding, _run(folder / "edgeface.onnx", restored)[0], atol=1e-5)


def test_the_report_and_the_run_tell_how_near_and_how_fast(project, folder):
    report = json.loads((folder / "export.json").read_text())
    metrics = project.run("export").data.metrics

    assert report["graphs"]["pair"]["plain"]["largest_difference"] < 1e-4
    assert report["graphs"]["edgeface"]["int8"]["similarity"][1] >= 0.99
    assert "/" not in report["graphs"]["pair"]["plain"]["path"]
    timed = {(item["network"], item["runtime"], item["threads"]) for item in report["timings"]}
    assert {("pair", "onnxruntime", 1), ("pair_int8", "onnxruntime", 1), ("pair", "torch", 1)} <= timed
    assert metrics["export/pair/onnxruntime_1/latency_ms"] > 0
    assert metrics["export/edgeface_int8/similarity"] == pytest.approx(
        report["graphs"]["edgeface"]["int8"]["similarity"][1]
    )


def test_the_versions_know_their_graphs(project, folder):
    run = project.run("export").info.run_id
    report = json.loads((folder / "export.json").read_text())["graphs"]

    edgeface, dsr = project.version("edgeface", "finetuned"), project.version("dsr", "cycle")
    assert edgeface.tags["onnx.edgeface"] == f"runs:/{run}/onnx/edgeface.onnx"
    assert dsr.tags["onnx.dsr_int8.sha256"] == report["dsr"]["int8"]["sha256"]
    (pair, *_) = project.client.search_model_versions("name = 'lrface'")
    for version in (edgeface, dsr, pair):
        assert version.tags["onnx.pair"] == f"runs:/{run}/onnx/pair.onnx"
        assert version.tags["onnx.pair.sha256"] == report["pair"]["plain"]["sha256"]


def test_a_size_that_the_super_resolver_does_not_take_is_refused(job):
    assert "sizes [7]" in job("export", "--overrides", "sizes=[7,8]").refused()


@pytest.mark.real
def test_int8_loses_less_than_half_a_point_of_rank_1_on_real_faces(job, project, real_folder, tmp_path):
    edgeface = real_folder / "weights" / "edgeface_xxs.pt"
    ended = job("export", "--edgeface", str(edgeface), "--dsr", "none", "--out", str(tmp_path))
    assert ended.code == 0, ended.err
    files = sorted((real_folder / "faces_aligned").glob("*/*.png"))
    people = np.array([file.parent.name for file in files])
    faces = to_float(np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]))
    gallery = np.unique(people, return_index=True)[1]
    probes = np.setdiff1d(np.arange(len(people)), gallery)

    def rank_1(name):
        found = []
        enrolled = _run(tmp_path / name, faces[gallery].numpy())[0]
        for size in (12, 16, 24):
            small = torch.nn.functional.interpolate(shrink(faces[probes], size), size=112, mode="bicubic").clamp(0, 1)
            nearest = (_run(tmp_path / name, small.numpy())[0] @ enrolled.T).argmax(1)
            found.append((people[gallery][nearest] == people[probes]).mean())
        return float(np.mean(found))

    plain, int8 = rank_1("edgeface.onnx"), rank_1("edgeface_int8.onnx")
    assert plain > 0.95
    assert int8 > plain - 0.005


def _run(file, values):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})
