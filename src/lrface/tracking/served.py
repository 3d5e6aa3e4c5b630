"""The served models: what MLflow's ``pyfunc`` loads from a model folder.

The weights are safetensors and the code is this package, so loading runs nothing from the artifact store. The
weights are held against the hash in their spec; ``versions.download`` also holds all files against the registry.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.errors import LrfaceError, WeightsError
from lrface.images.ranges import FACE_SIZE, VLR_MAX, VLR_MIN, to_float, to_uint8
from lrface.models.dsr_folder import build_dsr
from lrface.models.edgeface_folder import build_edgeface
from lrface.models.store import read_model, read_spec
from lrface.tracking.names import DSR, EDGEFACE
from lrface.tracking.served_images import decode_images, encode_png

MOST_TENSORS: Final = 1024


class ServedNetwork:
    """One network, tensors in and tensors out.

    Args:
        network: The network.
        sides: Smallest and largest side of its square input in pixels.
    """

    def __init__(self, network: nn.Module, sides: tuple[int, int]) -> None:
        self._network = network
        self._sides = sides

    def predict(
        self,
        data: Float[np.ndarray, "n 3 s s"],
        params: Mapping[str, object] | None = None,  # noqa: ARG002
    ) -> Float[np.ndarray, "n ..."]:
        """Run the network on float32 NCHW images in [0,1].

        Raises:
            MlflowException: The input is of another shape or range (a 400 over HTTP).
        """
        images = np.asarray(data)
        low, high = self._sides
        if images.ndim != 4 or images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise _refused(f"got images of shape {images.shape}; expected n x 3 x s x s; send square RGB images")
        if not (1 <= images.shape[0] <= MOST_TENSORS and low <= images.shape[2] <= high):
            raise _refused(
                f"got {images.shape[0]} images of {images.shape[2]} pixels; expected 1 to {MOST_TENSORS} images "
                f"of {low} to {high} pixels; send others or fewer"
            )
        if not (np.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
            raise _refused("got values outside of [0,1]; expected RGB in [0,1]; divide 8-bit images by 255")
        with torch.inference_mode():
            return np.asarray(self._network(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))))


class ServedPair:
    """A super-resolver and a recogniser: pictures in, embeddings and super-resolved pictures out.

    A face of 8 to 32 pixels is super-resolved. A larger one is brought to 112 pixels (bicubic, antialiased)
    and goes to the recogniser as it is.

    Args:
        edgeface: The recogniser.
        dsr: The super-resolver.
    """

    def __init__(self, edgeface: nn.Module, dsr: nn.Module) -> None:
        self._edgeface = edgeface
        self._dsr = dsr

    def predict(self, data: pd.DataFrame, params: Mapping[str, object] | None = None) -> pd.DataFrame:  # noqa: ARG002
        """Embed and super-resolve the pictures in the column ``image``.

        Returns:
            ``embedding`` (512 floats of unit length) and ``sr`` (base64 PNG, 112 x 112), a row per picture.

        Raises:
            MlflowException: The input is no such table (a 400 over HTTP).
        """
        if not isinstance(data, pd.DataFrame) or "image" not in data.columns:
            raise _refused("got no column 'image'; expected a row per picture; send base64 pictures as 'image'")
        try:
            images = decode_images(list(data["image"]))
            with torch.inference_mode():
                faces = self._enlarge(images)
                embeddings = self._edgeface(faces)
        except LrfaceError as error:
            raise _refused(str(error)) from error
        pictures = [encode_png(picture) for picture in to_uint8(faces)]
        return pd.DataFrame({"embedding": embeddings.tolist(), "sr": pictures}, index=data.index)

    def _enlarge(self, images: list[UInt8[np.ndarray, "s s 3"]]) -> Float[Tensor, "n 3 112 112"]:
        faces = torch.empty(len(images), 3, FACE_SIZE, FACE_SIZE)
        for side in sorted({image.shape[0] for image in images}):
            rows = [row for row, image in enumerate(images) if image.shape[0] == side]
            batch = to_float(np.stack([images[row] for row in rows]))
            if side <= VLR_MAX:
                faces[rows] = self._dsr(batch)
            elif side == FACE_SIZE:
                faces[rows] = batch
            else:
                larger = F.interpolate(batch, size=(FACE_SIZE, FACE_SIZE), mode="bicubic", antialias=True)
                faces[rows] = larger.clamp(0, 1)
        return faces


def _load_pyfunc(path: str) -> ServedNetwork | ServedPair:
    """Load what ``path`` holds: a model folder, or two of them. MLflow calls this by its name."""
    folder = Path(path)
    if (folder / EDGEFACE).is_dir() and (folder / DSR).is_dir():
        return ServedPair(_network(folder / EDGEFACE, EDGEFACE), _network(folder / DSR, DSR))
    kind = read_spec(folder).kind
    sides = (FACE_SIZE, FACE_SIZE) if kind == EDGEFACE else (VLR_MIN, VLR_MAX)
    return ServedNetwork(_network(folder, kind), sides)


def _network(folder: Path, kind: str) -> nn.Module:
    network, spec = read_model(folder, {EDGEFACE: build_edgeface, DSR: build_dsr})
    if spec.kind != kind:
        raise WeightsError(
            f"model {folder}", got=f"a {spec.kind}", expected=f"a {kind}", remedy="register the pair again"
        )
    return network


def _refused(message: str) -> MlflowException:
    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)
