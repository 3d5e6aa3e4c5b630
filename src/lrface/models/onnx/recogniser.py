"""A recogniser of others as an ONNX file: it embeds and judges, and cannot be trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.errors import ConfigError
from lrface.images.sizes import FACE_SIZE
from lrface.models.checkpoint.refusal import printable
from lrface.models.onnx.graph import LIMIT_BYTES, looks_like_onnx, read_graph, refused
from lrface.models.onnx.input import face_input, identity
from lrface.models.settings import OnnxSettings

_TYPES: Final[dict[str, type[np.floating]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
_WIDEST: Final = 65_536
_ALIKE: Final = 1e-6
_BATCH: Final = 64


@dataclass(frozen=True)
class _Port:
    """How a face goes in."""

    name: str
    dtype: type[np.floating]
    channels_last: bool
    single: bool


class OnnxRecogniser(nn.Module):
    """Embeds aligned faces as unit vectors by a graph in onnxruntime, on the CPU.

    It has no parameters, gives no gradients and stays on the CPU whatever device it is asked to move to.

    Args:
        data: Bytes of the ONNX file.
        what: The file, for messages.
        settings: What it takes, where its metadata does not say so.

    Raises:
        WeightsError: It is no recogniser that can be run here: the message says what it is.
    """

    def __init__(self, data: bytes, what: str, settings: OnnxSettings | None = None) -> None:
        super().__init__()
        self.what, self.data = what, data
        graph = read_graph(what, data)
        self._session = _session(what, data)
        self._port = _port(what, self._session)
        self.input = face_input(what, graph, settings or OnnxSettings())
        self.sha256 = identity(what, data, self.input, graph)
        self.width = self._probed()

    def forward(self, images: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Embed images in [0, 1]; the embeddings have unit length and lie where the images do.

        Raises:
            ConfigError: The images are not n x 3 x 112 x 112.
            WeightsError: The graph fails on them.
        """
        if tuple(images.shape[1:]) != (3, FACE_SIZE, FACE_SIZE):
            raise ConfigError(
                f"images for {self.what}",
                got=f"shape {tuple(images.shape)}",
                expected=f"n x 3 x {FACE_SIZE} x {FACE_SIZE}",
                remedy="bring the faces to 112 x 112 first",
            )
        if not len(images):
            return images.new_empty(0, self.width)
        size = 1 if self._port.single else _BATCH
        raw = torch.cat([self._run(part) for part in torch.split(self._prepared(images), size)])
        return F.normalize(raw, dim=1).to(images.device)

    def _prepared(self, images: Tensor) -> Tensor:
        pixels = images.detach().float().cpu() * 255.0
        if self.input.channels == "bgr":
            pixels = pixels.flip(1)
        mean, scale = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.input.mean, self.input.scale))
        return (pixels - mean) / scale

    def _run(self, prepared: Tensor) -> Float[Tensor, "n d"]:
        laid = prepared.permute(0, 2, 3, 1) if self._port.channels_last else prepared
        values = np.ascontiguousarray(laid.numpy().astype(self._port.dtype, copy=False))
        try:
            (found,) = self._session.run(None, {self._port.name: values})
        except Exception as error:  # onnxruntime's errors have no class of their own above them
            raise refused(
                self.what, f"a graph that fails ({_plain(error)})", "embeddings", "export the network anew"
            ) from error
        if not isinstance(found, np.ndarray) or not found.size or found.size % len(prepared):
            raise refused(self.what, f"an output of shape {np.shape(found)}", "a row per face", "export it anew")
        rows = torch.from_numpy(np.asarray(found, dtype=np.float32))
        # Some graphs give n x d x 1 x 1, or d alone for one face.
        return rows.reshape(len(prepared), -1)

    def _probed(self) -> int:
        """Run it on two pictures, alone and together, and refuse what cannot tell them apart."""
        noise = torch.rand(1, 3, FACE_SIZE, FACE_SIZE, generator=torch.Generator().manual_seed(0))
        ramp = torch.linspace(0.0, 1.0, FACE_SIZE).expand(1, 3, FACE_SIZE, FACE_SIZE)
        alone = torch.cat([self._run(self._prepared(image)) for image in (noise, ramp)])
        width = alone.shape[1]
        if not 2 <= width <= _WIDEST:
            raise refused(self.what, f"an output of {width} numbers", f"2 to {_WIDEST:,}", "give a recogniser")
        if not bool(alone.isfinite().all()):
            raise refused(
                self.what, "numbers that are not finite", "embeddings", "see to onnx_input.mean and onnx_input.scale"
            )
        if float(F.cosine_similarity(alone[:1], alone[1:])) > 1.0 - _ALIKE:
            raise refused(
                self.what,
                "the same embedding for any picture",
                "a recogniser that tells faces apart",
                "see to onnx_input.mean and onnx_input.scale, or export it with its trained weights",
            )
        if not self._port.single:
            together = self._run(self._prepared(torch.cat([noise, ramp])))
            if float(F.cosine_similarity(together, alone).min()) < 1.0 - 1e-3:
                raise refused(
                    self.what,
                    "embeddings that depend on what else is in the batch",
                    "a network in evaluation mode",
                    "export it after eval(), or with a batch of 1",
                )
        return width

    def train(self, mode: bool = True) -> "OnnxRecogniser":  # noqa: ARG002
        """Stay in evaluation: a graph has no other mode."""
        return super().train(False)


def is_onnx(path: Path) -> bool:
    """Tell whether a path is a file that calls itself an ONNX model, or looks like one."""
    if not path.is_file():
        return False
    if path.suffix.lower() == ".onnx":
        return True
    with path.open("rb") as stream:
        return looks_like_onnx(stream.read(16))


def read_onnx(path: Path, settings: OnnxSettings | None = None) -> OnnxRecogniser:
    """Load a recogniser from an ONNX file.

    Raises:
        WeightsError: There is no such file, or it is no recogniser that can be run here.
    """
    return OnnxRecogniser(read_onnx_bytes(path), str(path), settings)


def read_onnx_bytes(path: Path) -> bytes:
    """Read an ONNX file of bounded size.

    Raises:
        WeightsError: There is no such file, or it is too large.
    """
    if not path.is_file():
        raise refused(str(path), "no such file", "an ONNX file", "correct the path")
    size = path.stat().st_size
    if size > LIMIT_BYTES:
        raise refused(str(path), f"{size:,} bytes", f"at most {LIMIT_BYTES:,}", "give a smaller network")
    return path.read_bytes()


def _session(what: str, data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no class of their own above them
        raise refused(
            what, f"a graph that onnxruntime refuses ({_plain(error)})", "an ONNX model", "export it anew"
        ) from error


def _port(what: str, session: onnxruntime.InferenceSession) -> _Port:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        names = ", ".join(item.name for item in (inputs if len(inputs) != 1 else outputs))
        raise refused(
            what,
            f"{len(inputs)} inputs and {len(outputs)} outputs ({printable(names, 120)})",
            "one input and one output, faces in and embeddings out",
            "export the embedding alone",
        )
    (entry,) = inputs
    if entry.type not in _TYPES:
        raise refused(what, f"an input of {entry.type}", "tensor(float)", "export it with a float input")
    batch, *rest = entry.shape or [None]
    sides = [side if isinstance(side, int) else None for side in rest]
    last = len(sides) == 3 and _fits(sides, (FACE_SIZE, FACE_SIZE, 3)) and sides[-1] == 3
    if not last and not _fits(sides, (3, FACE_SIZE, FACE_SIZE)):
        raise refused(
            what,
            f"an input of shape {' x '.join(str(side) for side in entry.shape)}",
            f"n x 3 x {FACE_SIZE} x {FACE_SIZE}, or n x {FACE_SIZE} x {FACE_SIZE} x 3",
            "give a recogniser of aligned 112 x 112 faces",
        )
    if isinstance(batch, int) and batch > 1:
        raise refused(what, f"a batch of {batch}", "a batch of 1, or any", "export it with a free batch")
    return _Port(entry.name, _TYPES[entry.type], last, batch == 1)


def _fits(sides: list[int | None], wanted: tuple[int, ...]) -> bool:
    return len(sides) == len(wanted) and all(side in {None, size} for side, size in zip(sides, wanted, strict=True))


def _plain(error: Exception) -> str:
    return printable(" ".join(str(error).split()) or type(error).__name__, 200)
