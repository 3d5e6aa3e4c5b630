"""A model folder: model.safetensors and config.json, which says what the weights are."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import safetensors.torch
from pydantic import Field, JsonValue, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from lrface.base.settings import Settings, first_problem
from lrface.errors import WeightsError
from lrface.models.size import count_parameters

WEIGHTS_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
_CONFIG_LIMIT = 2**20
_WEIGHTS_LIMIT = 2 * 2**30


class ModelSpec(Settings):
    """What a model folder holds."""

    format_version: Literal[1] = Field(default=1, description="Version of this layout")
    kind: Literal["edgeface", "dsr", "onnx"] = Field(description="Which network")
    variant: str = Field(description="Size of the network", min_length=1)
    options: dict[str, JsonValue] = Field(default={}, description="Arguments that rebuild the network")
    input_size: tuple[int, int] = Field(description="Smallest and largest side of the input, in pixels")
    output_size: int = Field(description="Side of the output in pixels, or length of the embedding", ge=1)
    value_range: tuple[float, float] = Field(default=(0.0, 1.0), description="Range of the input's values")
    channels: Literal["RGB"] = Field(default="RGB", description="Order of the input's channels")
    licence: str = Field(default="unknown", description="Licence of the weights")
    parameters: int = Field(default=0, description="Number of parameters; filled in on writing", ge=0)
    sha256: str = Field(default="", description="Sha256 of model.safetensors; filled in on writing")


def write_model(folder: Path, model: nn.Module, spec: ModelSpec) -> str:
    """Write a model folder; other files in it are left alone.

    Each file is written beside its place and renamed, the weights first: a folder that was caught between the
    two does not read, since the hash in the old config fits no longer.

    Args:
        folder: Where to; it is made if needed.
        model: The network, on any device.
        spec: What it is; `parameters` and `sha256` are filled in.

    Returns:
        Sha256 of model.safetensors.

    Raises:
        WeightsError: A weight is NaN or infinite.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    broken = [name for name, value in state.items() if not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"model for {folder}",
            got=f"NaN or infinity in {len(broken)} tensors ({broken[0]})",
            expected="finite weights",
            remedy="write the last good state instead",
        )
    # Tensors that share memory are legal in a network and refused by the format.
    data = safetensors.torch.save({name: value.clone() for name, value in state.items()}, {"format": "pt"})
    digest = hashlib.sha256(data).hexdigest()
    complete = spec.model_copy(update={"parameters": count_parameters(model), "sha256": digest})
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / WEIGHTS_NAME, data)
    write_whole(folder / CONFIG_NAME, (complete.model_dump_json(indent=2) + "\n").encode())
    return digest


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_spec(folder: Path) -> ModelSpec:
    """Read config.json of a model folder.

    Raises:
        WeightsError: It is missing, or is no such config.
    """
    path = folder / CONFIG_NAME
    text = _bounded(path, _CONFIG_LIMIT)
    try:
        return ModelSpec.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(
            f"config {path}",
            got=first_problem(error),
            expected="the config of a model folder",
            remedy="write the folder anew",
        ) from error


def check_hash(data: bytes, spec: ModelSpec, path: Path) -> None:
    """Hold the content of a folder's weights against the hash in its config.

    Raises:
        WeightsError: They differ.
    """
    digest = hashlib.sha256(data).hexdigest()
    if digest != spec.sha256:
        raise WeightsError(
            f"weights {path}",
            got=f"sha256 {digest}",
            expected=f"{spec.sha256 or 'one'} as in {CONFIG_NAME}",
            remedy="fetch the folder again; its files do not belong together",
        )


def read_state(folder: Path, spec: ModelSpec | None = None) -> dict[str, Tensor]:
    """Read the weights of a model folder, held against the hash in its config.

    Raises:
        WeightsError: They are missing, changed or broken.
    """
    spec = spec or read_spec(folder)
    path = folder / WEIGHTS_NAME
    data = _bounded(path, _WEIGHTS_LIMIT)
    check_hash(data, spec, path)
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise WeightsError(
            f"weights {path}", got=str(error), expected="safetensors", remedy="write the folder anew"
        ) from error


def read_model(folder: Path, builders: Mapping[str, Callable[[ModelSpec], nn.Module]]) -> tuple[nn.Module, ModelSpec]:
    """Build the network that a folder describes, with its weights.

    Args:
        folder: A model folder.
        builders: Makes the network of each kind that is wanted, from its spec.

    Returns:
        The network, in evaluation mode on the CPU, and its spec.

    Raises:
        WeightsError: The folder does not read, is of another kind, or its weights fit no such network.
    """
    spec = read_spec(folder)
    if spec.kind not in builders:
        raise WeightsError(
            f"model {folder}",
            got=f"a {spec.kind}",
            expected=" or ".join(sorted(builders)),
            remedy="give the folder of such a model",
        )
    state = read_state(folder, spec)
    model = builders[spec.kind](spec)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"weights {folder}",
            got=" ".join(str(error).split())[:400],
            expected=f"those of {spec.kind} {spec.variant}",
            remedy="write the folder anew",
        ) from error
    return model.eval(), spec


def _bounded(path: Path, limit: int) -> bytes:
    if not path.is_file():
        raise WeightsError(f"file {path}", got="no such file", expected="a model folder", remedy="check the path")
    size = path.stat().st_size
    if size > limit:
        raise WeightsError(
            f"file {path}", got=f"{size:,} bytes", expected=f"at most {limit:,}", remedy="check the path"
        )
    return path.read_bytes()
