import contextlib

import pytest
import torch

from lrface.training.loop.graph import WARM_UP, Graphed, own_stream

CPU, GPU = torch.device("cpu"), torch.device("cuda")


class Recorded:
    """Stands for a CUDA graph: a capture runs the step on paper, a replay does it."""

    def __init__(self):
        self.replays = 0

    def replay(self):
        self.replays += 1


@pytest.fixture
def cuda(monkeypatch):
    graphs = []

    def made():
        graphs.append(Recorded())
        return graphs[-1]

    monkeypatch.setattr(torch.cuda, "CUDAGraph", made)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda *_: None)
    monkeypatch.setattr(torch.cuda, "graph", lambda *_, **__: contextlib.nullcontext())
    return graphs


def test_a_cpu_does_every_step_as_it_is():
    seen, lines = [], []
    step = Graphed(lambda inputs: seen.append(inputs["x"].item()), CPU, lines.append)
    for number in range(9):
        step({"x": torch.tensor(number)})
    assert seen == list(range(9))
    assert not lines


def test_a_step_is_captured_after_its_warm_up_and_then_replayed(cuda):
    seen, forgotten = [], []
    step = Graphed(lambda inputs: seen.append(inputs["x"]), GPU, pytest.fail, lambda: forgotten.append(len(seen)))
    for number in range(WARM_UP + 3):
        step({"x": torch.tensor([float(number)])})
    assert len(seen) == WARM_UP + 1
    assert forgotten == [WARM_UP]
    assert cuda[0].replays == 3
    assert seen[-1].tolist() == [WARM_UP + 2]


def test_other_shapes_are_worked_on_without_the_graph(cuda):
    seen = []
    step = Graphed(lambda inputs: seen.append(len(inputs["x"])), GPU, pytest.fail)
    for _ in range(WARM_UP + 1):
        step({"x": torch.zeros(4)})
    step({"x": torch.zeros(3)})
    step({"x": torch.zeros(4), "classes": torch.zeros(1)})
    step({"x": torch.zeros(4)})
    assert seen == [4] * (WARM_UP + 1) + [3, 4]
    assert cuda[0].replays == 2


def test_shapes_that_have_changed_for_good_are_captured_anew(cuda):
    seen = []
    step = Graphed(lambda inputs: seen.append(len(inputs["x"])), GPU, pytest.fail)
    for _ in range(WARM_UP + 2):
        step({"x": torch.zeros(4)})
    for _ in range(WARM_UP + 3):
        step({"x": torch.zeros(9)})
    assert seen == [4] * (WARM_UP + 1) + [9] * (WARM_UP + 1)
    assert [graph.replays for graph in cuda] == [2, 3]
    step({"x": torch.zeros(9)})
    assert cuda[1].replays == 4


def test_what_cannot_be_captured_is_told_in_one_line_and_goes_on(cuda, monkeypatch):
    seen, lines, forgotten = [], [], []

    @contextlib.contextmanager
    def refuses(*_, **__):
        raise RuntimeError("operation not permitted\nwhen stream is capturing")
        yield

    monkeypatch.setattr(torch.cuda, "graph", refuses)
    step = Graphed(lambda inputs: seen.append(1), GPU, lines.append, lambda: forgotten.append(1))
    for _ in range(WARM_UP + 4):
        step({"x": torch.zeros(2)})
    assert len(seen) == WARM_UP + 4
    assert lines == ["the step runs without a CUDA graph: operation not permitted when stream is capturing"]
    assert len(forgotten) == 2


def test_processes_that_share_a_batch_have_no_graph_and_that_is_told(cuda):
    seen, lines = [], []
    step = Graphed(lambda inputs: seen.append(1), GPU, lines.append, alone=False)
    for _ in range(WARM_UP + 2):
        step({"x": torch.zeros(2)})
    assert len(seen) == WARM_UP + 2
    assert not cuda
    assert lines == ["the step runs without a CUDA graph: several processes share each batch"]


def test_a_cpu_needs_no_stream():
    with own_stream(CPU):
        pass
