"""What the steps of an epoch leave behind: kept on the device, read once at the end of the epoch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Mean = Callable[[Tensor], Tensor]
"""Averages over the processes of a training."""

LOSS_FINE, ALL_FINE, LOSS = 0, 1, 2


@dataclass(frozen=True)
class StepRecord:
    """A step that was left out.

    Attributes:
        step: Its number in the epoch, from 0.
        loss: Its loss.
        norms: Norm of the gradient by group; none where the loss was not finite.
    """

    step: int
    loss: float
    norms: Mapping[str, float]


class EpochBook:
    """Sums of an epoch over the steps that counted, and how each step ended.

    Values are those of the loss and of what is averaged beside it; norms those of the gradient, by group. All memory is
    taken at the first step, so that later steps can be replayed as a CUDA graph.
    """

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._groups: tuple[str, ...] = ()
        self._values = self._norms = self._counts = self._steps = torch.zeros(0)
        self._place = torch.zeros((), dtype=torch.int64)

    @property
    def opened(self) -> bool:
        """Whether memory was taken."""
        return bool(self._names)

    def open(self, names: Sequence[str], groups: Sequence[str], steps: int, device: torch.device) -> None:
        """Take the memory for epochs of `steps` steps."""
        self._names, self._groups = tuple(names), tuple(groups)
        self._values = torch.zeros(len(names), device=device)
        self._norms = torch.zeros(len(groups), device=device)
        self._counts = torch.zeros(2, device=device)
        self._steps = torch.zeros(steps, LOSS + 1 + len(groups), device=device)
        self._place = torch.zeros(1, dtype=torch.int64, device=device)

    def clear(self) -> None:
        """A new epoch begins."""
        for kept in (self._values, self._norms, self._counts, self._steps, self._place):
            kept.zero_()

    def note(
        self, values: Mapping[str, Tensor], norms: Mapping[str, Tensor], loss_fine: Tensor, all_fine: Tensor
    ) -> None:
        """Note a step; nothing is read back.

        Args:
            values: What is averaged, `loss` among it, by name.
            norms: Norms of the gradient.
            loss_fine: Whether the loss was finite: 1 or 0.
            all_fine: Whether the gradient was finite too, so that the step was taken: 1 or 0.
        """
        shown = torch.stack([values[name].detach().float() for name in self._names])
        lengths = torch.stack([norms[name].float() for name in self._groups])
        self._values.add_(torch.where(loss_fine > 0, shown, 0.0))
        self._norms.add_(torch.where(all_fine > 0, lengths, 0.0))
        self._counts.add_(torch.stack([loss_fine, all_fine]))
        row = torch.cat([torch.stack([loss_fine, all_fine, values["loss"].detach().float()]), lengths])
        self._steps.index_copy_(0, self._place, row.unsqueeze(0))
        self._place.add_(1)

    def means(self, mean: Mean) -> dict[str, float]:
        """Mean of each value and of each norm over the steps that counted; `mean` averages over the processes."""
        counts = self._counts.tolist()
        sums = zip((self._names, self._groups), (self._values, self._norms), counts, strict=True)
        found: dict[str, float] = {}
        for names, totals, count in sums:
            for name, total in zip(names, mean(totals).tolist(), strict=True):
                if count:
                    found[name if names is self._names else f"norm_{name}"] = total / count
        return found

    def left_out(self, mean: Mean) -> list[StepRecord]:
        """The steps of the epoch so far that were not taken."""
        done = int(self._place.item()) if self.opened else 0
        if not done:
            return []
        rows = self._steps[:done].tolist()
        losses = mean(self._steps[:done, LOSS]).tolist()
        return [
            StepRecord(
                step=step,
                loss=loss,
                norms=dict(zip(self._groups, row[LOSS + 1 :], strict=True)) if row[LOSS_FINE] else {},
            )
            for step, (row, loss) in enumerate(zip(rows, losses, strict=True))
            if not row[ALL_FINE]
        ]
