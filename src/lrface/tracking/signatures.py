"""What the served models take and give."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType


def edgeface_signature() -> ModelSignature:
    """Faces, float32 n x 3 x 112 x 112 in [0,1], to embeddings, float32 n x 512 of unit length."""
    return _tensors((-1, 3, 112, 112), (-1, 512))


def dsr_signature() -> ModelSignature:
    """Small faces, float32 n x 3 x s x s in [0,1] with s in 8..32, to float32 n x 3 x 112 x 112."""
    return _tensors((-1, 3, -1, -1), (-1, 3, 112, 112))


def pair_signature() -> ModelSignature:
    """Rows with ``image`` (base64 of PNG, JPEG, WebP) to rows with ``embedding`` and ``sr`` (base64 PNG)."""
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "image")]),
        outputs=Schema([ColSpec(Array(DataType.float), "embedding"), ColSpec(DataType.string, "sr")]),
    )


def _tensors(takes: tuple[int, ...], gives: tuple[int, ...]) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), takes)]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), gives)]),
    )
