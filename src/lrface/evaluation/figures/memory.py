"""What networks gave on the faces of one evaluation, for the next evaluation of the same process: measured once."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from lrface.evaluation.protocol.arms import Arm, bicubic

MOST_BYTES = 256 * 2**20

Key = tuple[str, ...]


@dataclass
class Gathered:
    """What one arm gives at one size, batch by batch, on the CPU."""

    embeddings: list[Tensor] = field(default_factory=list)
    psnr: list[Tensor] = field(default_factory=list)
    ssim: list[Tensor] = field(default_factory=list)
    lpips: list[Tensor] = field(default_factory=list)

    @property
    def size(self) -> int:
        """In bytes."""
        parts = (*self.embeddings, *self.psnr, *self.ssim, *self.lpips)
        return sum(part.numel() * part.element_size() for part in parts)


class Memory:
    """Keeps what arms gave, under all that it depends on: the weights themselves, the faces, size and condition.

    Weights are hashed when they are asked for, so a network that has been trained on in between is another one. What
    has no weights to hash, such as a graph of others, is not remembered.

    Args:
        most: Bytes that it keeps; what was used longest ago goes first.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most, self.held = most, 0
        self._kept: OrderedDict[Key, Gathered] = OrderedDict()

    def key(self, arm: Arm, *told: object) -> Key | None:
        """Under what an arm's embeddings are kept; None where its networks cannot be told from others.

        Args:
            arm: The arm; who enrols its gallery does not matter.
            told: What else they depend on.
        """
        recogniser = _digest(arm.embedder)
        resolver = "none" if arm.upscaler is None else "bicubic" if arm.upscaler is bicubic else _digest(arm.upscaler)
        if recogniser is None or resolver is None:
            return None
        return (recogniser, resolver, *map(str, told))

    def find(self, key: Key | None) -> Gathered | None:
        """What was kept under a key."""
        if key is None or key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def keep(self, key: Key | None, gathered: Gathered) -> None:
        """Keep what an arm gave, where there is a key and room for it."""
        if key is None or key in self._kept or gathered.size > self.most:
            return
        self._kept[key] = gathered
        self.held += gathered.size
        while self.held > self.most:
            self.held -= self._kept.popitem(last=False)[1].size


def _digest(way: object) -> str | None:
    """The hash of a network's weights and of what it is; None where it is no network of torch's."""
    network = way if isinstance(way, nn.Module) else getattr(way, "__self__", None)
    if not isinstance(network, nn.Module) or way not in {network, network.forward}:
        return None
    weights = network.state_dict()
    if not weights:
        return None
    found = hashlib.sha256(f"{type(network).__qualname__} {network}".encode())
    for name, tensor in weights.items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
