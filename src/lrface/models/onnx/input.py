"""What an ONNX recogniser takes: said by its metadata, by options, or as is usual; and what its weights are called."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lrface.models.checkpoint.refusal import printable
from lrface.models.onnx.graph import Graph, refused
from lrface.models.settings import OnnxSettings

METADATA: Final = {"mean": "lrface.mean", "scale": "lrface.scale", "channels": "lrface.channels"}
"""Keys of a file's metadata that say what it takes; numbers by commas."""

UNIT_RANGE: Final = {METADATA["mean"]: "0", METADATA["scale"]: "255", METADATA["channels"]: "rgb"}
"""Metadata of a graph that takes RGB in [0, 1]."""

_USUAL: Final = {"mean": (127.5,), "scale": (127.5,), "channels": "rgb"}


@dataclass(frozen=True)
class FaceInput:
    """What a graph takes: `(x - mean) / scale` of the values 0 to 255 of an aligned face.

    Attributes:
        mean: One number, or one for each channel in the graph's order.
        scale: As `mean`.
        channels: Order of the graph's channels.
        assumed: Whether neither options nor metadata say anything, so that the usual is taken.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    channels: Literal["rgb", "bgr"]
    assumed: bool

    def __str__(self) -> str:
        """For the terminal and reports."""
        mean, scale = (_shown(values) for values in (self.mean, self.scale))
        return f"{self.channels.upper()}, (x - {mean}) / {scale} of 0 to 255"


def face_input(what: str, graph: Graph, given: OnnxSettings) -> FaceInput:
    """What the file says of itself, else what the options say, else what is usual.

    Raises:
        WeightsError: The two contradict each other, or nothing says what a graph takes that normalises by itself.
    """
    recorded = _recorded(what, graph.metadata)
    options = {name: value for name in METADATA if (value := getattr(given, name)) is not None}
    for name in sorted({*recorded} & {*options}):
        if options[name] != recorded[name]:
            raise refused(
                what,
                f"onnx_input.{name} {_shown(options[name])}, where its metadata says {_shown(recorded[name])}",
                "one of them",
                f"leave onnx_input.{name} away, or correct the file's metadata",
            )
    if graph.normalises and not {"mean", "scale"} <= {*recorded, *options}:
        raise refused(
            what,
            "a graph that begins with arithmetic of its own, and no word on what it takes",
            "onnx_input.mean and onnx_input.scale",
            "say onnx_input.mean=0, and onnx_input.scale=255 where it takes 0 to 1, 1 where it takes 0 to 255",
        )
    chosen = {**_USUAL, **options, **recorded}
    return FaceInput(**chosen, assumed=not options and not recorded)


def identity(what: str, data: bytes, taken: FaceInput, graph: Graph) -> str:
    """The sha256 that galleries are bound to: the file's, and where options change what it is shown, of both together.

    The same file with its input made otherwise gives other embeddings.
    """
    digest = hashlib.sha256(data).hexdigest()
    shown = {name: getattr(taken, name) for name in METADATA}
    if shown == {**_USUAL, **_recorded(what, graph.metadata)}:
        return digest
    return hashlib.sha256(json.dumps({"file": digest, **shown}, sort_keys=True).encode()).hexdigest()


def _recorded(what: str, metadata: Mapping[str, str]) -> dict[str, object]:
    found = {name: metadata[key] for name, key in METADATA.items() if key in metadata}
    try:
        checked = OnnxSettings.model_validate(found)
    except ValueError as error:
        raise refused(
            what,
            f"metadata {printable(str(found), 200)}",
            f"numbers in {METADATA['mean']} and {METADATA['scale']}, rgb or bgr in {METADATA['channels']}",
            "correct the file's metadata",
        ) from error
    return {name: getattr(checked, name) for name in found}


def _shown(value: object) -> str:
    return ",".join(f"{number:g}" for number in value) if isinstance(value, tuple) else str(value)
