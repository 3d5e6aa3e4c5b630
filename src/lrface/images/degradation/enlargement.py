"""How large an aligned face really is: a small one that was enlarged before it came shows so in its spectrum.

An enlarged picture has little above the frequencies of the small one, and every kernel leaves the raster of the small
one in it: the mean of the second derivative along rows or columns rises and falls with it (Gallagher, "Detection of
linear and cubic interpolation in JPEG compressed images", CRV 2005). Both, as seen along the rows and the columns, go
into a small network (222 numbers, one hidden layer) that gives the side, and whether the face was enlarged at all. It
was fitted on textures, photographs and drawn faces that were shrunk and enlarged by nearest, bilinear, bicubic, Lanczos
and area, turned or not, with JPEG behind or without (``benchmarks/side.py``). A soft face is no small one: pictures out
of focus or shaken were among those that it has to leave alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, UInt8

from lrface.errors import DataError
from lrface.images.sizes import FACE_SIZE, VLR_MIN

LARGEST: Final = 40.0
"""Effective side up to which a face is told to be enlarged, pixels. Over it there is no telling from a soft face."""
_CENTRE: Final = 5.0
_WEIGHTS: Final = Path(__file__).with_name("enlargement.npz")
_BATCH: Final = 64
_GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)
_WINDOW: Final = np.hanning(FACE_SIZE + 2)[1:-1].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Weights:
    """The fitted measure.

    Attributes:
        mean: Of the features.
        scale: What they are divided by.
        hidden: Weights and, in the last column, biases of the hidden layer.
        out: Those of the two outputs: log2 of the side less 5, and the logit of having been enlarged.
        bound: Logit from which a face is told to be enlarged.
    """

    mean: Float[np.ndarray, " f"]
    scale: Float[np.ndarray, " f"]
    hidden: Float[np.ndarray, "h f1"]
    out: Float[np.ndarray, "2 h1"]
    bound: float


def effective_sides(faces: UInt8[np.ndarray, "n 112 112 3"]) -> Float[np.ndarray, " n"]:
    """Estimate how large aligned faces were before they were enlarged.

    Args:
        faces: RGB, 112 x 112.

    Returns:
        Side in pixels, 8 to 40 where a face was enlarged from so few, 112 where nothing shows that it was.

    Raises:
        DataError: They are of another size.
    """
    if faces.ndim != 4 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE, 3):
        raise DataError(
            "faces to estimate the side of",
            got=f"shape {faces.shape}",
            expected=f"n x {FACE_SIZE} x {FACE_SIZE} x 3",
            remedy="align them first",
        )
    parts = [_estimated(faces[start : start + _BATCH]) for start in range(0, len(faces), _BATCH)]
    return np.concatenate(parts) if parts else np.empty(0)


def scores(features: Float[np.ndarray, "n f"], weights: Weights) -> Float[np.ndarray, "n 2"]:
    """Side in pixels, and the logit of having been enlarged, of the features of faces."""
    given = (features - weights.mean) / weights.scale
    inner = _gelu(given @ weights.hidden[:, :-1].T + weights.hidden[:, -1])
    found = inner @ weights.out[:, :-1].T + weights.out[:, -1]
    return np.stack([np.exp2(found[:, 0] + _CENTRE), found[:, 1]], axis=1)


def features_of(faces: UInt8[np.ndarray, "n 112 112 3"]) -> Float[np.ndarray, "n f"]:
    """Measures what tells an enlarged face: spectrum and period of the second derivative, along columns and rows.

    Returns:
        Logarithms to base 10, float32: 56 of the spectrum and 55 of the period, for columns and then for rows.
    """
    grey = (faces.astype(np.float32) @ _GREY) / 255
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    found = []
    for lines in (grey.transpose(0, 2, 1), grey):
        power = (np.abs(np.fft.rfft(lines * _WINDOW, axis=2)) ** 2).mean(axis=1)
        found.append(np.log10(power / (power.sum(axis=1, keepdims=True) + 1e-9) + 1e-12)[:, 1:])
        bent = np.abs(np.diff(lines, 2, axis=2)).mean(axis=1)
        bent /= bent.mean(axis=1, keepdims=True) + 1e-6
        period = np.abs(np.fft.rfft(bent - bent.mean(axis=1, keepdims=True), axis=1)) / bent.shape[1]
        found.append(np.log10(period + 1e-3)[:, 1:])
    return np.concatenate(found, axis=1).astype(np.float32)


def told(found: Float[np.ndarray, "n 2"], bound: float) -> Bool[np.ndarray, " n"]:
    """Which faces are told to be enlarged, of what `scores` gave."""
    return np.asarray((found[:, 1] >= bound) & (found[:, 0] <= LARGEST))


@lru_cache(maxsize=1)
def fitted() -> Weights:
    """The weights that come with the package."""
    with np.load(_WEIGHTS, allow_pickle=False) as stored:
        parts = {name: stored[name].astype(np.float32) for name in ("mean", "scale", "hidden", "out")}
        return Weights(**parts, bound=float(stored["bound"]))


def _estimated(faces: np.ndarray) -> np.ndarray:
    weights = fitted()
    found = scores(features_of(faces), weights)
    return np.where(told(found, weights.bound), np.maximum(found[:, 0], VLR_MIN), float(FACE_SIZE))


def _gelu(values: np.ndarray) -> np.ndarray:
    """GELU by its usual approximation with tanh (Hendrycks and Gimpel, 2016)."""
    gated: np.ndarray = 0.5 * values * (1 + np.tanh(np.sqrt(2 / np.pi) * (values + 0.044715 * values**3)))
    return gated
