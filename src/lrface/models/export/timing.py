"""How fast a network is, in onnxruntime and in torch: latency of one face, throughput of a batch."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnxruntime
import torch
from torch import Tensor, nn

from lrface.base.cores import cores

BATCH = 64
WARM_UP, LEAST = 1, 3
Runtime = Literal["onnxruntime", "torch"]


@dataclass(frozen=True)
class Timing:
    """Speed of one network in one runtime.

    Attributes:
        network: Its name.
        runtime: What ran it.
        threads: Threads that it could use.
        latency_ms: Median time for one face [ms]. With one thread this is processor time, so that other work on the
            machine does not count.
        faces_per_s: Faces per second in batches of 64.
    """

    network: str
    runtime: Runtime
    threads: int
    latency_ms: float
    faces_per_s: float


def time_onnx(network: str, path: Path, face: Tensor, threads: int, seconds: float) -> Timing:
    """Time a graph of one input in onnxruntime, on the CPU.

    Args:
        network: What to call it.
        path: The graph.
        face: An input with one face.
        threads: Threads that it may use.
        seconds: Time to spend on each of latency and throughput [s].
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> Callable[[], object]:
        values = images.numpy()
        return lambda: session.run(None, {name: values})

    return _timed(network, "onnxruntime", run, face, threads, seconds)


def time_torch(network: str, module: nn.Module, face: Tensor, threads: int, seconds: float) -> Timing:
    """Time a network in torch, on the CPU, in float32 and without gradients; arguments as for `time_onnx`."""
    with _threads(threads), torch.inference_mode():
        return _timed(network, "torch", lambda images: lambda: module(images), face, threads, seconds)


def latency_ms(module: nn.Module, face: Tensor, seconds: float = 0.2) -> float:
    """Median processor time of one face on one thread, in torch and without gradients [ms]."""
    with _threads(1), torch.inference_mode():
        return 1e3 * _median(lambda: module(face), time.process_time, seconds)


def thread_counts() -> tuple[int, ...]:
    """One thread, and all that this process may use where they are more."""
    usable = cores()
    return (1,) if usable == 1 else (1, usable)


def _timed(
    network: str,
    runtime: Runtime,
    run: Callable[[Tensor], Callable[[], object]],
    face: Tensor,
    threads: int,
    seconds: float,
) -> Timing:
    clock = time.process_time if threads == 1 else time.perf_counter
    latency = _median(run(face), clock, seconds)
    batch = _median(run(face.repeat(BATCH, 1, 1, 1)), clock, seconds)
    return Timing(network, runtime, threads, 1e3 * latency, BATCH / batch)


def _median(call: Callable[[], object], clock: Callable[[], float], seconds: float) -> float:
    for _ in range(WARM_UP):
        call()
    spent: list[float] = []
    while sum(spent) < seconds or len(spent) < LEAST:
        start = clock()
        call()
        spent.append(clock() - start)
    return statistics.median(spent)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
