"""`export`: graphs that say what the networks say."""

import numpy as np
import onnxruntime


def test_both_networks_as_onnx(job, project, tmp_path):
    ended = job("export", "--out", str(tmp_path / "onnx"), "--overrides", "sizes=[8,16]")

    assert ended.code == 0, ended.err
    made = {path.name for path in (tmp_path / "onnx").iterdir()}
    assert {"edgeface.onnx", "dsr_8.onnx", "dsr_16.onnx"} <= made
    assert made <= project.artifacts(project.run("export"), "onnx")

    face = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    large = _run(tmp_path / "onnx" / "dsr_8.onnx", face)
    embedding = _run(tmp_path / "onnx" / "edgeface.onnx", large)
    assert large.shape == (1, 3, 112, 112)
    assert np.linalg.norm(embedding) == np.float32(1).item() or abs(np.linalg.norm(embedding) - 1) < 1e-4


def _run(file, values):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: values})[0]
