"""Several pictures of one unknown person as one probe: a track of a film, an album, a folder.

What each picture is worth is told before anything is compared, by its side, and then by how well it agrees with the
others: one that is out of focus agrees less, and one of somebody else, who came in by mistake, with none of them.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from lrface.errors import DataError
from lrface.naming.gallery.entry import check_embeddings

_SIDES: Final = (8.0, 12.0, 16.0, 24.0, 32.0, 112.0)
_LIKENESS: Final = (0.31, 0.47, 0.57, 0.69, 0.73, 0.79)
FEWEST: Final = 3
"""Pictures of a track from which agreement counts: of two, neither is the odd one."""
ODD: Final = 0.5
"""A picture is told to be odd where it is less than half as alike to the others as the usual one is."""
_UNLIKE: Final = 1e-3
_ROUNDS: Final = 2
_LEAST: Final = 1e-12


@dataclass(frozen=True, eq=False)
class Pooled:
    """One probe of several pictures.

    Attributes:
        embedding: Of unit length, float32.
        weights: The share that each picture has in it, in [0, 1]; they sum to one.
        odd: Places of the pictures that are not like the others, which have a small share.
    """

    embedding: Float[np.ndarray, " d"]
    weights: Float[np.ndarray, " n"]
    odd: tuple[int, ...] = ()


def worth(sides: Sequence[float] | Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Tells what each picture is worth beside the others, before any is compared.

    An embedding is the person times c and noise besides, c the cosine to be expected of a face of that side to the
    person's template. Weights of c / (1 - c^2) then give the pooled one with the least noise (maximal-ratio combining:
    Brennan, "Linear diversity combining techniques", Proc. IRE 1959).

    Args:
        sides: How large each face really is, pixels.

    Returns:
        Weights over 0; only their ratios mean something.

    Raises:
        DataError: A side is not positive.
    """
    given = np.asarray(sides, dtype=np.float64)
    if given.ndim != 1 or not (np.isfinite(given).all() and (given > 0).all()):
        raise DataError("sides of faces", got=str(sides), expected="pixels over 0", remedy="correct them")
    likeness = _likeness(given)
    return np.asarray(likeness / (1 - likeness**2))


def _likeness(sides: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Cosine to the person's template that is to be expected at a side."""
    return np.asarray(np.interp(np.log(sides), np.log(_SIDES), _LIKENESS))


def _side_of(sides: Sequence[float], weights: Float[np.ndarray, " n"]) -> float:
    """The side of one face whose likeness is that of the probe, with noise that is independent between pictures."""
    likeness = _likeness(np.asarray(sides, dtype=np.float64))
    own, noise = float(weights @ likeness), float(weights**2 @ (1 - likeness**2))
    of_probe = own / np.sqrt(own**2 + noise)
    return float(np.exp(np.interp(of_probe, _LIKENESS, np.log(_SIDES))))


def pooled(embeddings: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"] | None = None) -> Pooled:
    """Make one probe of the embeddings of several pictures of one person.

    From three pictures on a picture counts the more, the more alike it is to the others: its weight is multiplied by
    the weighted mean of its cosines to them, or by next to nothing where that is not positive. Who came in by mistake
    is not like the others, and has a small share.

    Args:
        embeddings: Of unit length, a row per picture.
        weights: What each is worth, over 0, as ``worth`` tells; None where they are worth the same.

    Raises:
        DataError: There is none, they are no unit rows, weights that do not fit, or pictures that cancel each other.
    """
    rows = check_embeddings(embeddings)
    shares = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if shares.shape != (len(rows),) or not (np.isfinite(shares).all() and (shares > 0).all()):
        raise DataError(
            "weights of a track", got=f"{shares.tolist()}", expected=f"{len(rows)} over 0", remedy="correct them"
        )
    factors = _agreement(rows, shares)
    shares = shares * factors
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
    odd = tuple(np.flatnonzero(factors < ODD * np.median(factors)).tolist())
    return Pooled(np.asarray(total / length, dtype=np.float32), shares, odd)


def _agreement(rows: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """What each picture is to count by how alike it is to the others."""
    count = len(rows)
    if count < FEWEST:
        return np.ones(count)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, 0.0)
    factors = np.ones(count)
    for _ in range(_ROUNDS):
        own = weights * factors
        alike = cosines @ own / np.maximum(own.sum() - own, _LEAST)
        factors = np.maximum(alike, _UNLIKE)
    return factors


@dataclass(frozen=True, eq=False)
class Track:
    """Several pictures of one unknown person, and the probe that they make.

    Attributes:
        rows: Places of its pictures among those that were given.
        embedding: Of the probe, unit length, float32.
        side: Side that the threshold is for, pixels: of a single face that is as near to its person as the probe is
            expected to be. A stranger's pooled probe scores higher than its pictures: at the threshold for one face of
            12 pixels, 3.1 % of four pictures and 1.3 % of single ones are named (LFW, gallery of 746).
        weights: The share of each picture in the probe.
        odd: Places of the pictures that are not like the others, among those that were given.
    """

    rows: tuple[int, ...]
    embedding: Float[np.ndarray, " d"]
    side: float
    weights: Float[np.ndarray, " n"]
    odd: tuple[int, ...] = ()


def tracks(
    embeddings: Float[np.ndarray, "n d"],
    sides: Sequence[float],
    keys: Sequence[Hashable],
) -> list[Track]:
    """Make one probe of all pictures that have a key in common, in order of first appearance.

    Args:
        embeddings: Of unit length, a row per picture.
        sides: How large each face really is, pixels.
        keys: The track of each picture.

    Raises:
        DataError: There are not as many keys and sides as pictures, or the pictures of a track cancel each other.
    """
    if not len(embeddings) == len(sides) == len(keys):
        raise DataError(
            "tracks",
            got=f"{len(keys)} keys and {len(sides)} sides",
            expected=f"{len(embeddings)} of each",
            remedy="give both for each picture",
        )
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    weights = worth(sides) if len(sides) else np.empty(0)
    found = []
    for rows in groups.values():
        one = pooled(embeddings[rows], weights[rows])
        side = float(sides[rows[0]]) if len(rows) == 1 else _side_of([sides[row] for row in rows], one.weights)
        odd = tuple(rows[place] for place in one.odd)
        found.append(Track(tuple(rows), one.embedding, side, one.weights, odd))
    return found
