"""Several processes that train one network together, each on its slice of every batch."""

import json
from typing import TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from lrface.errors import ConfigError

Plain = TypeVar("Plain")


class Processes:
    """The processes of a training; one that is alone agrees with itself.

    Attributes:
        rank: Number of this process, from 0; 0 leads: it validates, saves and tells.
        count: Number of processes.
    """

    def __init__(self) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.rank: int = dist.get_rank() if together else 0
        self.count: int = dist.get_world_size() if together else 1

    @property
    def leads(self) -> bool:
        """Whether this process validates, saves and tells."""
        return self.rank == 0

    def part(self, size: int) -> slice:
        """The places of a batch that this process works on; the slices of all are disjoint and of one length.

        Raises:
            ConfigError: The batch cannot be shared out evenly.
        """
        if size % self.count:
            raise ConfigError(
                "batch",
                got=f"{size} faces for {self.count} processes",
                expected=f"a multiple of {self.count}",
                remedy="choose such a batch_size, or other trainer.devices",
            )
        each = size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def agreed(self, value: Plain) -> Plain:
        """What the leader says: a plain value (as JSON has them), handed to all."""
        if self.count == 1:
            return value
        written = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        length = torch.tensor([len(written)])
        dist.broadcast(length, 0)
        text = written if self.leads else torch.zeros(int(length), dtype=torch.uint8)
        dist.broadcast(text, 0)
        found: Plain = json.loads(bytes(text.tolist()))
        return found

    def least(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The smallest of all processes, element by element, without a gradient; nothing is read back."""
        if self.count == 1:
            return values
        found = values.detach().clone()
        dist.all_reduce(found, dist.ReduceOp.MIN)
        return found

    def mean(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The mean over the processes, without a gradient."""
        if self.count == 1:
            return values
        found = values.detach().clone()
        dist.all_reduce(found)
        return found / self.count

    def gathered(self, values: Tensor) -> Tensor:
        """The rows of all processes in their order, without a gradient."""
        if self.count == 1:
            return values
        parts = [torch.empty_like(values) for _ in range(self.count)]
        dist.all_gather(parts, values.detach().contiguous())
        return torch.cat(parts)
