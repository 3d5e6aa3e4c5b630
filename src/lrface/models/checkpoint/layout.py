"""Finds the weights inside what a checkpoint holds, and the EdgeFace that they fit."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from lrface.models.checkpoint.files import Payload
from lrface.models.checkpoint.quantised import is_quantised, unpacked
from lrface.models.checkpoint.tensors import MalformedTensorError
from lrface.models.checkpoint.unpickle import StandIn
from lrface.models.edgeface.network import VARIANTS, EdgeFace

_CONTAINERS = (
    "backbone_state_dict",
    "state_dict",
    "model_state_dict",
    "model_state",
    "ema_state_dict",
    "backbone",
    "model",
    "net",
    "weights",
)
_EDGEFACE_KEY = re.compile(
    r"^(?P<prefix>(?:[^.]+\.)*?)"
    r"(?:stem\.[01]\.|stages\.[0-3]\.(?:downsample|blocks)\.|head\.(?:norm|fc)\.)"
)
_DEPTH_LIMIT = 32
_ENTRY_LIMIT = 100_000


@dataclass(frozen=True)
class Weights:
    """The named tensors of a checkpoint.

    Attributes:
        kind: What the file is, as `Report.kind` names it.
        state: Float tensors by their name in the file; quantised layers are float already.
        quantised: Whether they were int8 in the file.
        strict: Whether names outside of the network's prefix are a fault (a bare state dict) or other parts
            of a training (a checkpoint of a run).
    """

    kind: str
    state: Mapping[str, Tensor]
    strict: bool
    quantised: bool = False


def find_weights(payload: Payload) -> Weights | None:
    """The named tensors of what a file holds; None where there are none.

    Raises:
        MalformedTensorError: A packed layer that cannot be read.
    """
    content = payload.content
    if isinstance(content, StandIn):
        kind = "torchscript" if payload.container == "torchscript" else "pickled_module"
        return _weights(kind, _flattened(content), strict=False)
    if not isinstance(content, Mapping):
        return None
    if payload.container == "safetensors":
        return _weights("safetensors", content, strict=True)
    if any(_is_weight(value) for value in content.values()):
        return _weights("state_dict", content, strict=True)
    for name in _CONTAINERS:
        inner = content.get(name)
        if isinstance(inner, StandIn):
            inner = _flattened(inner)
        if isinstance(inner, Mapping) and any(_is_weight(value) for value in inner.values()):
            return _weights(_run_kind(content, name), inner, strict=name == "backbone_state_dict")
    return None


def find_prefixes(names: Mapping[str, object]) -> list[str]:
    """Prefixes under which names of an EdgeNeXt stand, the fullest first."""
    matches = (_EDGEFACE_KEY.match(name) for name in names)
    counts = Counter(match["prefix"] for match in matches if match)
    fullest = max(counts.values(), default=0)
    # A stray name of another network's head is no second EdgeFace.
    return [prefix for prefix, count in counts.most_common() if 2 * count >= fullest]


@cache
def expected_shapes(variant: str, *, low_rank_head: bool = True) -> Mapping[str, tuple[int, ...]]:
    """Shape of each tensor of a variant, named as in the released files without their prefix."""
    with torch.device("meta"):
        model = EdgeFace(variant, low_rank_head=low_rank_head)
    return {name.removeprefix("model."): tuple(value.shape) for name, value in model.state_dict().items()}


def best_variant(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, bool] | None:
    """The variant, and whether its head is low-rank, which the most tensors fit; None under a half."""
    best, score = None, 0.5
    for name, spec in VARIANTS.items():
        for low_rank_head in (True, False) if spec.gamma is not None else (True,):
            expected = expected_shapes(name, low_rank_head=low_rank_head)
            fitting = sum(shapes.get(key) == shape for key, shape in expected.items())
            # Of two variants that both fit, the one that leaves fewer names over is meant.
            share = fitting / (len(expected) + sum(key not in expected for key in shapes))
            if share == 1.0:  # none fits better, and each that is looked at takes a third of a second
                return name, low_rank_head
            if share > score:
                best, score = (name, low_rank_head), share
    return best


def _is_weight(value: object) -> bool:
    return isinstance(value, Tensor)


def _run_kind(content: Mapping[str, object], name: str) -> str:
    if name == "backbone_state_dict":
        return "finetuned_run"
    if "pytorch-lightning_version" in content:
        return "lightning"
    return "training_checkpoint"


def _weights(kind: str, state: Mapping[str, object], *, strict: bool) -> Weights:
    named = {key: value for key, value in state.items() if isinstance(key, str)}
    quantised = is_quantised(named)
    if quantised:
        named = unpacked(named)
        kind = "int8_state_dict" if kind == "state_dict" else kind
    tensors = {key: value for key, value in named.items() if isinstance(value, Tensor)}
    return Weights(kind, tensors, strict=strict, quantised=quantised)


def _flattened(root: StandIn) -> dict[str, object]:
    """State dict of a module that was pickled whole, or of a TorchScript archive: its tree of attributes.

    Raises:
        MalformedTensorError: The tree is deeper or larger than any network's.
    """
    flat: dict[str, object] = {}
    waiting: list[tuple[str, StandIn, int]] = [("", root, 0)]
    visited = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        visited += 1
        if depth > _DEPTH_LIMIT or visited > _ENTRY_LIMIT:
            raise MalformedTensorError("a module whose parts go deeper than a network's")
        for name, value in _attributes(module.state).items():
            if isinstance(value, StandIn):
                if isinstance(value.state, tuple):
                    flat[f"{prefix}{name}"] = value.state
                waiting.append((f"{prefix}{name}.", value, depth + 1))
            elif isinstance(value, Tensor | tuple):
                flat[f"{prefix}{name}"] = value
    return flat


def _attributes(state: object) -> dict[str, object]:
    if not isinstance(state, Mapping):
        return {}
    if "_modules" not in state:
        return {name: value for name, value in state.items() if isinstance(name, str)}
    parts = (state.get(group) for group in ("_parameters", "_buffers", "_modules"))
    return {
        name: value
        for part in parts
        if isinstance(part, Mapping)
        for name, value in part.items()
        if isinstance(name, str)
    }
