"""The pair at work: pictures in, super-resolved faces and embeddings out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.errors import DataError, WeightsError
from lrface.images.degradation.resample import enlarge
from lrface.images.ranges import to_float
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.dsr.folder import build_dsr
from lrface.models.edgeface.folder import build_edgeface
from lrface.models.edgeface.network import EdgeFace
from lrface.models.onnx.folder import ONNX, read_onnx_folder
from lrface.models.onnx.recogniser import OnnxRecogniser
from lrface.models.store import WEIGHTS_NAME, read_model, read_spec, write_whole

EDGEFACE: Final = "edgeface"
DSR: Final = "dsr"
BICUBIC_NAME: Final = "bicubic.json"
BATCH: Final = 64
_PIXELS: Final = BATCH * FACE_SIZE**2


class Recogniser(Protocol):
    """A frozen recogniser."""

    @property
    def width(self) -> int:
        """Numbers of an embedding."""

    def __call__(self, images: Float[Tensor, "n 3 112 112"], /) -> Float[Tensor, "n d"]:
        """Unit embeddings of faces in [0, 1]."""


class Pair:
    """A super-resolver in front of a recogniser.

    A face of 8 to 32 pixels is super-resolved. A larger one is brought to 112 pixels (bicubic, antialiased)
    and goes to the recogniser as it is.

    Args:
        edgeface: The recogniser, in evaluation mode.
        dsr: The super-resolver, in evaluation mode, or another way from small faces (NCHW in [0,1]) to 112 x 112.
        weights: Sha256 of the recogniser's weights, which a gallery is bound to; of an ONNX recogniser also of what it
            is shown, where that is not as the file says.
        device: Where both are.
    """

    def __init__(
        self,
        edgeface: Recogniser,
        dsr: Callable[[Tensor], Tensor],
        weights: str,
        device: torch.device | None = None,
    ) -> None:
        self.weights = weights
        self._edgeface = edgeface
        self._dsr = dsr
        self._device = device or torch.device("cpu")

    def restore(self, images: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Float[Tensor, "n 3 112 112"]:
        """Bring pictures of any sizes to faces of 112 x 112 in [0,1], those of one size in batches.

        Raises:
            DataError: A picture is not square, or smaller than 8 pixels.
        """
        for image in images:
            if image.ndim != 3 or image.shape[0] != image.shape[1] or image.shape[0] < VLR_MIN:
                raise DataError(
                    "picture",
                    got=f"shape {image.shape}",
                    expected=f"a square face of {VLR_MIN} pixels or more",
                    remedy="crop the face first",
                )
        faces = torch.empty(len(images), 3, FACE_SIZE, FACE_SIZE)
        with torch.inference_mode():
            for side in sorted({image.shape[0] for image in images}):
                rows = [row for row, image in enumerate(images) if image.shape[0] == side]
                # Larger pictures go in smaller batches, so that memory does not grow with their size.
                batch = max(1, min(BATCH, _PIXELS // side**2))
                for start in range(0, len(rows), batch):
                    some = rows[start : start + batch]
                    faces[some] = self._enlarged(to_float(np.stack([images[row] for row in some]))).cpu()
        return faces

    def embed(self, faces: Float[Tensor, "n 3 112 112"]) -> Float[np.ndarray, "n d"]:
        """Return the unit embeddings of faces in [0,1], float32."""
        if not len(faces):
            return np.empty((0, self._edgeface.width), np.float32)
        with torch.inference_mode():
            parts = [self._edgeface(part.to(self._device)).cpu() for part in torch.split(faces, BATCH)]
        return torch.cat(parts).numpy()

    def _enlarged(self, batch: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 112 112"]:
        side = batch.shape[-1]
        if side <= VLR_MAX:
            return self._dsr(batch.to(self._device))
        if side == FACE_SIZE:
            return batch
        return F.interpolate(batch, size=(FACE_SIZE, FACE_SIZE), mode="bicubic", antialias=True).clamp(0, 1)


def read_pair(folder: Path, device: torch.device | None = None) -> Pair:
    """Load the pair that lies in a folder as ``edgeface/`` and ``dsr/``.

    Args:
        folder: The folder.
        device: Where it is to run; None: the CPU.

    Raises:
        WeightsError: A half is missing, broken, changed, or in the other's place.
    """
    edgeface, weights = read_recogniser(folder / EDGEFACE)
    dsr = enlarge if stands_for_bicubic(folder / DSR) else read_half(folder / DSR, DSR)[0]
    if device is not None:
        edgeface, dsr = edgeface.to(device), dsr.to(device) if isinstance(dsr, nn.Module) else dsr
    return Pair(edgeface, dsr, weights, device)


def read_recogniser(folder: Path) -> tuple[EdgeFace | OnnxRecogniser, str]:
    """Load a recogniser from its model folder, EdgeFace or one of others; also return the sha256 of its weights.

    Raises:
        WeightsError: The folder is missing, broken or changed, or holds another network.
    """
    if read_spec(folder).kind == ONNX:
        stranger, _ = read_onnx_folder(folder)
        return stranger, stranger.sha256
    network, weights = read_half(folder, EDGEFACE)
    assert isinstance(network, EdgeFace)  # noqa: S101 - what builds this kind
    return network, weights


def write_bicubic(folder: Path) -> None:
    """Write the half of a pair that has no super-resolver: a folder which says so, for a missing one is an error."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / BICUBIC_NAME, b'{"format_version": 1, "kind": "bicubic"}\n')


def stands_for_bicubic(folder: Path) -> bool:
    """Tell whether the super-resolver's half of a pair says that bicubic takes its place.

    Raises:
        WeightsError: It says so, and holds weights too.
    """
    if not (folder / BICUBIC_NAME).is_file():
        return False
    if (folder / WEIGHTS_NAME).exists():
        raise WeightsError(
            f"model {folder}",
            got=f"{BICUBIC_NAME} and {WEIGHTS_NAME}",
            expected="one of them",
            remedy="fetch the folder again; its files do not belong together",
        )
    return True


def read_half(folder: Path, kind: str) -> tuple[nn.Module, str]:
    """Load a network of a kind from its model folder; also return the sha256 of its weights.

    Raises:
        WeightsError: The folder is missing, broken or changed, or holds the other kind.
    """
    network, spec = read_model(folder, {EDGEFACE: build_edgeface, DSR: build_dsr})
    if spec.kind != kind:
        raise WeightsError(
            f"model {folder}", got=f"a {spec.kind}", expected=f"a {kind}", remedy="register the pair again"
        )
    return network, spec.sha256
