"""Several pictures of one unknown person as one probe: a track of a film, an album, a folder.

What each picture is worth is told before anything is compared, by its side and its sharpness, and then by how well it
agrees with the others. A picture of somebody else, who came into the track by mistake, agrees with none of them.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from lrface.errors import DataError

_SIDES: Final = (8.0, 10.0, 12.0, 16.0, 20.0, 24.0, 32.0, 112.0)
_LIKENESS: Final = (0.30, 0.38, 0.46, 0.58, 0.65, 0.70, 0.74, 0.80)
_NARROWEST: Final = 2


@dataclass(frozen=True, eq=False)
class Pooled:
    """One probe of several pictures.

    Attributes:
        embedding: Of unit length, float32.
        weights: The share that each picture has in it, in [0, 1]; they sum to one.
        left_out: Places of the pictures that agree with none of the others, and have no share.
    """

    embedding: Float[np.ndarray, " d"]
    weights: Float[np.ndarray, " n"]
    left_out: tuple[int, ...] = ()


def worth(
    sides: Sequence[float] | Float[np.ndarray, " n"], sharpness: Sequence[float] | Float[np.ndarray, " n"] | None = None
) -> Float[np.ndarray, " n"]:
    """Tells what each picture is worth beside the others, before any is compared.

    An embedding is the person times c and noise besides, c the cosine to be expected of a face of that side to the
    person's template. Weights of c / (1 - c^2) then give the pooled one with the least noise (maximal-ratio combining:
    Brennan, "Linear diversity combining techniques", Proc. IRE 1959).

    Args:
        sides: Effective side of each face, pixels.
        sharpness: Of each face, as ``images.traits`` measures it, logarithm to base 10; None where it is not known.

    Returns:
        Weights over 0; only their ratios mean something.

    Raises:
        DataError: A side is not positive, or there are not as many figures as sides.
    """
    given = np.asarray(sides, dtype=np.float64)
    if given.ndim != 1 or not (np.isfinite(given).all() and (given > 0).all()):
        raise DataError("sides of faces", got=str(sides), expected="pixels over 0", remedy="correct them")
    if sharpness is not None and len(sharpness) != len(given):
        raise DataError(
            "sharpness of faces", got=f"{len(sharpness)} figures", expected=f"{len(given)}", remedy="give one a face"
        )
    likeness = np.interp(np.log(given), np.log(_SIDES), _LIKENESS)
    return np.asarray(likeness / (1 - likeness**2))


def pooled(embeddings: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"] | None = None) -> Pooled:
    """Make one probe of the embeddings of several pictures of one person.

    Args:
        embeddings: Of unit length, a row per picture.
        weights: What each is worth, over 0, as ``worth`` tells; None where they are worth the same.

    Raises:
        DataError: There is none, they are no unit rows, weights that do not fit, or pictures that cancel each other.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] < _NARROWEST:
        raise DataError(
            "track", got=f"embeddings of shape {rows.shape}", expected="one row or more", remedy="give pictures"
        )
    shares = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(rows),) or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise DataError(
            "weights of a track", got=f"{shares.tolist()}", expected=f"{len(rows)} over 0", remedy="correct them"
        )
    shares = shares / shares.sum()
    total = shares @ rows
    length = float(np.linalg.norm(total))
    if not length > 1e-6:
        raise DataError(
            "track",
            got="pictures whose embeddings cancel each other",
            expected="pictures of one person",
            remedy="look at them, or name each by itself",
        )
    return Pooled(np.asarray(total / length, dtype=np.float32), shares)


def tracks(keys: Sequence[Hashable]) -> list[list[int]]:
    """Group rows by the track that they belong to, in order of first appearance."""
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    return list(groups.values())
