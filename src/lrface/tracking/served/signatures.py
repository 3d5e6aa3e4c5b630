"""What the served models take and give."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import Array, DataType

from lrface.images.degradation.resample import shrink
from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.images.ranges import to_float, to_uint8
from lrface.tracking.served.images import encode_png

PAIR_PARAMS: Final[Mapping[str, object]] = MappingProxyType(
    {
        "identify": False,
        "threshold": None,
        "fpir": None,
        "fmr": None,
        "estimate_side": True,
        "enrol": False,
        "name": "",
        "detect": False,
    }
)
"""What a request to the pair may ask for, and what holds where it does not.

Without threshold, fpir and fmr the operating points choose the threshold: ``auto`` is no number, so MLflow's schema has
no other word for it than nothing.
"""
_EXAMPLE_SIDE: Final = 16


def edgeface_signature(width: int = 512) -> ModelSignature:
    """Faces, float32 n x 3 x 112 x 112 in [0,1], to embeddings, float32 n x `width` of unit length."""
    return _tensors((-1, 3, 112, 112), (-1, width))


def dsr_signature() -> ModelSignature:
    """Small faces, float32 n x 3 x s x s in [0,1] with s in 8..32, to float32 n x 3 x 112 x 112."""
    return _tensors((-1, 3, -1, -1), (-1, 3, 112, 112))


def pair_signature() -> ModelSignature:
    """Rows with ``image`` (base64 of a picture) to rows with ``embedding`` and ``sr`` (base64 PNG).

    With the param ``identify`` also ``name``, ``score``, ``margin``, ``side``, ``came_as``, ``threshold`` and ``rate``;
    rows of one ``track`` are one person, ``weight`` is the share of each; with ``enrol`` ``enrolled`` and ``again``;
    ``note`` where something is to be known of a picture. With ``detect`` there is a row per face of the
    photographs, with ``picture``, ``left``, ``top``, ``width`` and ``height``.
    """
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "image"), ColSpec(DataType.string, "track", required=False)]),
        outputs=Schema(
            [
                ColSpec(Array(DataType.double), "embedding"),
                ColSpec(DataType.string, "sr"),
                ColSpec(DataType.string, "name", required=False),
                ColSpec(DataType.double, "score", required=False),
                ColSpec(DataType.double, "margin", required=False),
                ColSpec(DataType.double, "side", required=False),
                ColSpec(DataType.double, "came_as", required=False),
                ColSpec(DataType.double, "weight", required=False),
                ColSpec(DataType.double, "threshold", required=False),
                ColSpec(DataType.double, "rate", required=False),
                ColSpec(DataType.long, "enrolled", required=False),
                ColSpec(DataType.long, "again", required=False),
                ColSpec(DataType.string, "note", required=False),
                ColSpec(DataType.long, "picture", required=False),
                *(ColSpec(DataType.double, name, required=False) for name in ("left", "top", "width", "height")),
            ]
        ),
        params=ParamSchema(
            [
                ParamSpec("identify", DataType.boolean, PAIR_PARAMS["identify"]),
                ParamSpec("threshold", DataType.double, PAIR_PARAMS["threshold"]),
                ParamSpec("fpir", DataType.double, PAIR_PARAMS["fpir"]),
                ParamSpec("fmr", DataType.double, PAIR_PARAMS["fmr"]),
                ParamSpec("estimate_side", DataType.boolean, PAIR_PARAMS["estimate_side"]),
                ParamSpec("enrol", DataType.boolean, PAIR_PARAMS["enrol"]),
                ParamSpec("name", DataType.string, PAIR_PARAMS["name"]),
                ParamSpec("detect", DataType.boolean, PAIR_PARAMS["detect"]),
            ]
        ),
    )


def pair_example() -> tuple[pd.DataFrame, dict[str, object]]:
    """A request to the pair: a drawn face of 16 pixels, and the params that have a default."""
    face = render(draw_identity(0, 0), draw_nuisance(0, 0, 0, 0.3))
    small = to_uint8(shrink(to_float(np.asarray(face)[None]), _EXAMPLE_SIDE))[0]
    return pd.DataFrame({"image": [encode_png(small)]}), {
        key: value for key, value in PAIR_PARAMS.items() if value is not None
    }


def _tensors(takes: tuple[int, ...], gives: tuple[int, ...]) -> ModelSignature:
    return ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), takes)]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), gives)]),
    )
