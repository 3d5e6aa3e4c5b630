"""Faces of the next steps made ready: augmented, shrunk and shown to the frozen networks, many steps at once on a GPU.

What is drawn for a batch is drawn as ever, from the generator of its step. It is applied to the faces of a whole group
of batches in one go, beside the steps: a GPU takes hardly longer for 256 faces than for 16.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import torch
from jaxtyping import Int64
from torch import Tensor

from lrface.training.batches.source import Batch

GROUP_FACES = 1024
"""Most faces that are made ready at once on a GPU; each takes some 3 MB there meanwhile."""

_FACE_BYTES = 16 << 20
"""Of the whole memory of a GPU, so much for each face of a group: a card of 8 GB makes 512 ready at once."""

AHEAD = 2
"""Groups that wait while the steps of one are done."""


@dataclass(frozen=True)
class Ready:
    """What the networks get in one step.

    Attributes:
        tensors: By name, on the device of the training, a row for each face of the own part of the batch; what is not
            of faces is one row longer or shorter from batch to batch and stands under a name in `loose`.
        rows: Rows in the pack of the whole batch.
        step: Number of the batch in its epoch, from 0.
        part: Which places of the batch the tensors are of.
        loose: Tensors that are not of faces.
    """

    tensors: Mapping[str, Tensor]
    rows: Int64[Tensor, " m"]
    step: int
    part: slice
    loose: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.loose[name] if name in self.loose else self.tensors[name]

    def get(self, name: str) -> Tensor | None:
        """A tensor by name, or none."""
        return self.loose.get(name, self.tensors.get(name))

    def showing(self, **tensors: Tensor) -> "Ready":
        """The same with some tensors more."""
        return replace(self, tensors={**self.tensors, **tensors})


Make = Callable[[Sequence[Batch]], list[Ready]]


class ReadySource:
    """An iterable over the steps of an epoch which Lightning walks.

    Args:
        batches: The batches of the current epoch.
        make: Makes some of them ready.
        device: Where the training runs.
    """

    def __init__(self, batches: Iterable[Batch], make: Make, device: torch.device) -> None:
        self._batches = batches
        self._make = make
        self._device = device

    def __len__(self) -> int:
        """Number of steps in an epoch."""
        return len(self._batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Ready]:
        """Steps of the current epoch."""
        if self._device.type != "cuda":
            for batch in self._batches:
                yield from self._make([batch])
            return
        yield from self._beside()

    def _beside(self) -> Iterator[Ready]:
        """Groups are made by a thread on a stream of its own, while the steps of the one before are done."""
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]

        def made(group: Sequence[Batch]) -> tuple[list[Ready], torch.cuda.Event]:
            with _on(side):
                return self._make(group), side.record_event()

        with ThreadPoolExecutor(1, thread_name_prefix="ready") as maker:
            waiting: list[Future[tuple[list[Ready], torch.cuda.Event]]] = []
            memory = torch.cuda.get_device_properties(self._device).total_memory
            for group in grouped(self._batches, min(GROUP_FACES, memory // _FACE_BYTES)):
                waiting.append(maker.submit(made, group))
                if len(waiting) > AHEAD:
                    yield from _received(waiting.pop(0))
            for future in waiting:
                yield from _received(future)


@contextmanager
def _on(stream: torch.cuda.Stream) -> Iterator[None]:
    with torch.cuda.stream(stream), torch.no_grad():
        yield


def _received(future: "Future[tuple[list[Ready], torch.cuda.Event]]") -> Iterator[Ready]:
    steps, event = _result(future)
    here = torch.cuda.current_stream()
    here.wait_event(event)
    for step in steps:
        for tensor in (*step.tensors.values(), *step.loose.values()):
            # The memory is the maker's, and must not be used anew before these steps have read it.
            tensor.record_stream(here)
        yield step


def _result(future: "Future[tuple[list[Ready], torch.cuda.Event]]") -> tuple[list[Ready], torch.cuda.Event]:
    """What a GPU waits for where faces come too slowly."""
    return future.result()


def grouped(batches: Iterable[Batch], most: int = GROUP_FACES) -> Iterator[list[Batch]]:
    """Batches in groups of at most `most` faces, or of one batch."""
    walk = iter(batches)
    for first in walk:
        yield [first, *islice(walk, max(1, most // max(1, len(first.rows))) - 1)]


def joined(batches: Sequence[Batch], device: torch.device) -> Batch:
    """Several batches as one, on a device; `rows` are those of the parts' own faces."""
    if len(batches) == 1:
        return batches[0].to(device)

    def whole(parts: Sequence[Tensor | None]) -> Tensor | None:
        given = [part for part in parts if part is not None]
        return torch.cat(given).to(device, non_blocking=True) if given else None

    faces = torch.cat([batch.faces for batch in batches])
    labels = torch.cat([batch.labels for batch in batches])
    return Batch(
        faces=_sent(faces, device),
        rows=torch.cat([batch.rows for batch in batches]),
        labels=labels.to(device),
        step=batches[0].step,
        part=slice(0, len(faces)),
        others=whole([batch.others for batch in batches]),
        vlr=whole([batch.vlr for batch in batches]),
    )


def _sent(faces: Tensor, device: torch.device) -> Tensor:
    return faces.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else faces.to(device)


def split(
    tensors: Mapping[str, Tensor], batches: Sequence[Batch], loose: Sequence[Mapping[str, Tensor]] | None = None
) -> list[Ready]:
    """The steps of a group out of tensors over all its faces."""
    counts = [len(batch.faces) for batch in batches]
    parts = {name: torch.split(tensor, counts) for name, tensor in tensors.items()}
    return [
        Ready(
            tensors={name: each[place] for name, each in parts.items()},
            rows=batch.rows,
            step=batch.step,
            part=batch.part,
            loose=loose[place] if loose else {},
        )
        for place, batch in enumerate(batches)
    ]
