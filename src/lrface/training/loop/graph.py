"""A training step as one CUDA graph: the CPU says «again», in place of launching a thousand kernels."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

WARM_UP = 3
"""Steps that are run as they are before the graph is captured; they train like all others."""


class Graphed:
    """A step that is captured once and replayed, where it can be.

    The step reads the given tensors and changes tensors that stay where they are (weights, moments, sums), so that a
    replay does what a call does. Tensors of other shapes are worked on without the graph; where they stay, as after the
    epochs on coarse faces, the step is captured anew.

    Args:
        step: The step.
        device: Where it runs; only a CUDA device has graphs.
        told: Told in one line why there is no graph, where it could not be captured.
        before: Called right before a capture: gradients must not lie in memory that the graph does not know.
        alone: Whether no other process works on the same batches; what they tell each other is in no graph.
    """

    def __init__(
        self,
        step: Callable[[Mapping[str, Tensor]], None],
        device: torch.device,
        told: Callable[[str], None],
        before: Callable[[], None] = lambda: None,
        *,
        alone: bool = True,
    ) -> None:
        self._step = step
        self._told = told
        self._before = before
        self._wanted = device.type == "cuda"
        if self._wanted and not alone:
            self._wanted = False
            told("the step runs without a CUDA graph: several processes share each batch")
        self._turns = self._misfits = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._fixed: dict[str, Tensor] = {}

    def __call__(self, inputs: Mapping[str, Tensor]) -> None:
        """Do the step once."""
        if self._graph is not None:
            self._misfits = 0 if self._fits(inputs) else self._misfits + 1
            if self._misfits > WARM_UP:
                self._graph, self._fixed, self._misfits = None, {}, 0
        if self._graph is None and self._wanted and self._turns >= WARM_UP:
            self._capture(inputs)
        self._turns += 1
        if self._graph is None or not self._fits(inputs):
            self._step(inputs)
            return
        torch._foreach_copy_(list(self._fixed.values()), [inputs[name] for name in self._fixed])
        self._graph.replay()

    def _fits(self, inputs: Mapping[str, Tensor]) -> bool:
        return inputs.keys() == self._fixed.keys() and all(
            inputs[name].shape == kept.shape for name, kept in self._fixed.items()
        )

    def _capture(self, inputs: Mapping[str, Tensor]) -> None:
        self._before()
        fixed = {name: tensor.clone() for name, tensor in inputs.items()}
        graph = torch.cuda.CUDAGraph()
        try:
            # The thread that makes the next faces ready goes on meanwhile, on a stream of its own.
            with torch.cuda.graph(graph, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
                self._step(fixed)
        except RuntimeError as error:
            self._wanted = False
            self._before()
            self._told(f"the step runs without a CUDA graph: {' '.join(str(error).split())[:200]}")
            return
        self._graph, self._fixed = graph, fixed


@contextmanager
def own_stream(device: torch.device) -> Iterator[None]:
    """Work on another stream of a GPU than the default one, on which no graph can be captured."""
    if device.type != "cuda":
        yield
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream(device).wait_stream(stream)
