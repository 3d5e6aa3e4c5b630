"""YuNet's network: an image in, boxes, landmarks and scores out. In onnxruntime, a third of OpenCV's time on a CPU.

Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector" (2023). The decoding is that of OpenCV's
``FaceDetectorYN``, which tests hold it against.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

import cv2
import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float, UInt8

_STRIDES: Final = (8, 16, 32)
_OUTPUTS: Final = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in _STRIDES)
_SIDES: Final = (2, 3)
_MOST: Final = 1000
_TRIED: Final = np.zeros((64, 96, 3), dtype=np.uint8)


class NoYuNetError(ValueError):
    """The bytes are no YuNet that can be run."""


class YuNet:
    """The network. May be shared between threads: it keeps nothing of a call.

    Args:
        content: Bytes of the ONNX file.

    Raises:
        NoYuNetError: It is another network, or none.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self._session = _session(_for_any_size(content))
            self.detect(_TRIED, 0.5, 0.5)
        except NoYuNetError:
            raise
        except Exception as error:  # onnxruntime's errors have no class of their own above them
            raise NoYuNetError(f"{type(error).__name__}") from error

    def detect(self, image: UInt8[np.ndarray, "h w 3"], score: float, overlap: float) -> Float[np.ndarray, "n 15"]:
        """Finds faces.

        Args:
            image: What it is shown, RGB, of any size.
            score: Least score of a face, 0 to 1.
            overlap: Overlap (IoU) from which on two boxes are one face.

        Returns:
            Box (left, top, width, height), five landmarks (x, y) and score of each, pixels of the image, float64, the
            surest first, 1,000 at most.
        """
        pixels, columns = _laid_out(image)
        found = self._session.run(_OUTPUTS, {"input": pixels})
        return _best(_decoded(found, columns, score), score, overlap).astype(np.float64)


def _for_any_size(content: bytes) -> bytes:
    """The same network without the 640 x 640 pixels that the released file names."""
    model = onnx.load_model_from_string(content)
    graph = model.graph
    if [port.name for port in graph.input] != ["input"] or {port.name for port in graph.output} != set(_OUTPUTS):
        raise NoYuNetError("other inputs or outputs")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in graph.initializer):
        raise NoYuNetError("weights in another file")
    for side in _SIDES:
        graph.input[0].type.tensor_type.shape.dim[side].dim_param = f"side_{side}"
    for port in graph.output:
        port.type.tensor_type.shape.dim[1].dim_param = f"places_{port.name}"
    del graph.value_info[:]
    free: bytes = model.SerializeToString()
    return free


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Images are what is spread over the cores.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # A plan of memory is kept for each size of image, and is worth nothing where each has its own.
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _laid_out(image: np.ndarray) -> tuple[np.ndarray, int]:
    """The image as the network takes it, 1 x 3 x h x w, BGR, black to the right and below; and its width."""
    last = _STRIDES[-1]
    down, right = (-length % last for length in image.shape[:2])
    framed = cv2.copyMakeBorder(np.ascontiguousarray(image), 0, down, 0, right, cv2.BORDER_CONSTANT)
    return cv2.dnn.blobFromImage(framed, swapRB=True), framed.shape[1]


def _decoded(found: Sequence[np.ndarray], columns: int, score: float) -> np.ndarray:
    """The faces of all strides, n x 15, float32, by place."""
    parts = (found[start : start + len(_STRIDES)] for start in range(0, len(found), len(_STRIDES)))
    face, here, box, points = (np.concatenate(part, axis=1)[0] for part in parts)
    scores = np.sqrt(face * here)[:, 0]
    places = np.flatnonzero(scores >= score)
    begins = np.array([0, *accumulate(part.shape[1] for part in found[: len(_STRIDES) - 1])])
    level = np.searchsorted(begins, places, side="right") - 1
    stride = np.array(_STRIDES)[level]
    row, column = np.divmod(places - begins[level], columns // stride)
    corner, stride = np.stack([column, row], axis=1).astype(np.float32), stride.astype(np.float32)[:, None]
    centre, size = (corner + box[places, :2]) * stride, np.exp(box[places, 2:]) * stride
    marks = (points[places].reshape(-1, 5, 2) + corner[:, None]) * stride[:, None]
    return np.concatenate([centre - size / 2, size, marks.reshape(-1, 10), scores[places, None]], axis=1)


def _best(faces: np.ndarray, score: float, overlap: float) -> np.ndarray:
    """Of boxes that overlap the one with the highest score, over whole pixels as OpenCV has it."""
    if len(faces) < 2:
        return faces
    boxes = np.trunc(faces[:, :4]).astype(np.float64)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), faces[:, 14].tolist(), score, overlap, 1.0, _MOST)
    return faces[np.asarray(kept, dtype=np.int64).reshape(-1)]
