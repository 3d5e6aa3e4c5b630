"""An ONNX recogniser as a model folder: model.onnx and config.json, which says what the graph takes."""

import hashlib
from pathlib import Path
from typing import Final

from lrface.errors import WeightsError
from lrface.images.sizes import FACE_SIZE
from lrface.models.onnx.recogniser import OnnxRecogniser, read_onnx_bytes
from lrface.models.settings import OnnxSettings
from lrface.models.store import CONFIG_NAME, ModelSpec, check_hash, read_spec, write_whole

ONNX: Final = "onnx"
GRAPH_NAME: Final = "model.onnx"


def write_onnx(folder: Path, network: OnnxRecogniser, *, licence: str = "unknown") -> ModelSpec:
    """Write a model folder; other files in it are left alone.

    Args:
        folder: Where to; it is made if needed.
        network: The recogniser.
        licence: Of its weights.

    Returns:
        What stands in config.json; its `sha256` is that of the file.
    """
    taken = network.input
    spec = ModelSpec(
        kind="onnx",
        variant=ONNX,
        options={"mean": list(taken.mean), "scale": list(taken.scale), "channels": taken.channels},
        input_size=(FACE_SIZE, FACE_SIZE),
        output_size=network.width,
        licence=licence,
        sha256=hashlib.sha256(network.data).hexdigest(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / GRAPH_NAME, network.data)
    write_whole(folder / CONFIG_NAME, (spec.model_dump_json(indent=2) + "\n").encode())
    return spec


def is_onnx_folder(path: Path) -> bool:
    """Tell whether a path is the model folder of an ONNX recogniser."""
    return (path / GRAPH_NAME).is_file() and (path / CONFIG_NAME).is_file()


def read_onnx_folder(folder: Path) -> tuple[OnnxRecogniser, ModelSpec]:
    """Load the recogniser of a model folder, held against the hash in its config.

    Raises:
        WeightsError: The folder is of another kind, or its files are missing, changed or no recogniser.
    """
    spec = read_spec(folder)
    if spec.kind != ONNX:
        raise WeightsError(
            f"model {folder}", got=f"a {spec.kind}", expected="an ONNX recogniser", remedy="give such a folder"
        )
    path = folder / GRAPH_NAME
    data = read_onnx_bytes(path)
    check_hash(data, spec, path)
    try:
        settings = OnnxSettings.model_validate(spec.options)
    except ValueError as error:
        raise WeightsError(
            f"config {folder / CONFIG_NAME}",
            got=f"options {str(spec.options)[:200]}",
            expected="mean, scale and channels",
            remedy="write the folder anew",
        ) from error
    return OnnxRecogniser(data, str(path), settings), spec
