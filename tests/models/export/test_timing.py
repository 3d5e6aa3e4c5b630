import torch
from torch import nn

from lrface.models.export.export import export_onnx
from lrface.models.export.timing import thread_counts, time_onnx, time_torch


def test_both_runtimes_are_timed(tmp_path):
    module, face = nn.Conv2d(3, 3, 3).eval(), torch.rand(1, 3, 8, 8)
    export_onnx(module, face, tmp_path / "conv.onnx")
    threads = torch.get_num_threads()
    for timing in (
        time_onnx("conv", tmp_path / "conv.onnx", face, 1, 0.001),
        time_torch("conv", module, face, 1, 0.001),
    ):
        assert 0 < timing.latency_ms < 1000
        # A batch of 64 takes longer than one face, but not more than 64 times as long.
        assert timing.faces_per_s > 500 / timing.latency_ms
    assert torch.get_num_threads() == threads


def test_one_thread_comes_first():
    assert thread_counts()[0] == 1
    assert len(thread_counts()) <= 2
