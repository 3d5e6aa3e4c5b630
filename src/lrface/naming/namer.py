"""The one way in which a face gets a name: embed, search, and hold the score against the threshold for its size."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8

from lrface.errors import ConfigError, DataError
from lrface.images.sizes import FACE_SIZE
from lrface.models.pair import BATCH, Pair
from lrface.naming.asked import FIXED, Asked, Kind
from lrface.naming.gallery.entry import UNKNOWN
from lrface.naming.gallery.gallery import Gallery, Match
from lrface.naming.operating_points import OperatingPoints, Point
from lrface.naming.side import Sized, sized
from lrface.naming.track import Track, tracks

NO_POINTS: Final = (
    f"this pair has no operating points: {FIXED} holds at every size, and its false alarm rate is not known"
)


@dataclass(frozen=True)
class Named:
    """Whom a face shows.

    Attributes:
        name: The name, or ``unknown`` where the best score is below the threshold.
        score: Cosine to the best template; None where nobody is enrolled.
        margin: How far the second template is behind; None where there is no second.
        side: Side of the face that the threshold is for, pixels.
        threshold: Cosine from which it is named.
        rate: False alarm rate that the threshold stands for; None where that is not known.
        kind: What the rate is: ``fpir``, ``fmr``, or ``fixed``: the FPIR of a threshold that was given.
        note: What is to be known of the threshold; empty where nothing is.
    """

    name: str
    score: float | None
    margin: float | None
    side: float
    threshold: float
    rate: float | None
    kind: Kind
    note: str = ""


class Namer:
    """Names faces.

    Args:
        pair: Both networks.
        gallery: Where names are.
        points: The pair's operating points; None where it has none.
        estimate_side: Whether faces that were enlarged before they came are looked for, and brought back to their size.
    """

    def __init__(
        self, pair: Pair, gallery: Gallery, points: OperatingPoints | None, *, estimate_side: bool = False
    ) -> None:
        self.pair = pair
        self.gallery = gallery
        self.points = points
        self.estimate_side = estimate_side

    def name(
        self,
        pictures: Sequence[UInt8[np.ndarray, "s s 3"]],
        sides: Sequence[float] | None = None,
        asked: Asked | None = None,
    ) -> list[Named]:
        """Say whom each picture shows.

        Args:
            pictures: Aligned faces, RGB.
            sides: How large each came, before it was aligned or resized, pixels; None: as large as its picture.
            asked: The threshold or the rate; None: ``auto``.

        Raises:
            DataError: A picture cannot be used, or there is no gallery.
            ConfigError: A rate was asked for that nothing can tell.
            WeightsError: The gallery is of another recogniser.
        """
        faces = self.sized(pictures, sides)
        return self.name_embedded(self.embed([face.pixels for face in faces]), [face.side for face in faces], asked)

    def sized(
        self, pictures: Sequence[UInt8[np.ndarray, "s s 3"]], sides: Sequence[float] | None = None
    ) -> list[Sized]:
        """Return faces as the pair is to see them, and how large they really are.

        Args:
            pictures: Aligned faces, RGB.
            sides: How large each came, pixels; None: as large as its picture.

        Raises:
            DataError: There is not a side for each picture.
        """
        return sized(pictures, sides, estimate=self.estimate_side)

    def name_tracks(
        self,
        embeddings: Float[np.ndarray, "n d"],
        sides: Sequence[float],
        keys: Sequence[Hashable],
        asked: Asked | None = None,
    ) -> list[tuple[Track, Named]]:
        """Say whom each track shows: the pictures of one key are one probe.

        Args:
            embeddings: Of unit length, a row per picture.
            sides: How large each face really is, pixels.
            keys: The track of each picture.
            asked: The threshold or the rate; None: ``auto``.

        Returns:
            The tracks in order of first appearance, with their names; the threshold is that for `Track.side`.

        Raises:
            DataError: There is no gallery, not a side or key for each embedding, or pictures that cancel each other.
            ConfigError: A rate was asked for that nothing can tell.
            WeightsError: The gallery is of another recogniser.
        """
        found = tracks(embeddings, sides, keys)
        probes = np.stack([track.embedding for track in found]) if found else embeddings
        return list(zip(found, self.name_embedded(probes, [track.side for track in found], asked), strict=True))

    def embed(self, pictures: Sequence[UInt8[np.ndarray, "s s 3"]]) -> Float[np.ndarray, "n d"]:
        """Return the unit embeddings of aligned faces of any size, a batch at a time.

        Raises:
            DataError: A picture is not square, or smaller than 8 pixels.
        """
        parts = [pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH)]
        return np.concatenate([self.pair.embed(self.pair.restore(part)) for part in parts or [[]]])

    def name_embedded(
        self, embeddings: Float[np.ndarray, "n d"], sides: Sequence[float], asked: Asked | None = None
    ) -> list[Named]:
        """Say whom each embedding shows, as `name` does.

        Raises:
            DataError: There is no gallery, or not a side for each embedding.
            ConfigError: A rate was asked for that nothing can tell.
            WeightsError: The gallery is of another recogniser.
        """
        if len(sides) != len(embeddings):
            raise DataError(
                "faces to name", got=f"{len(sides)} sides", expected=f"{len(embeddings)}", remedy="give one for each"
            )
        if not len(embeddings):
            return []
        asked = asked or Asked()
        found = self.gallery.identify(embeddings, self.pair.weights, -1.0)
        people = self.gallery.count()
        points = {side: self._point(side, people, asked) for side in set(sides)}
        return [_named(match, points[side]) for match, side in zip(found, sides, strict=True)]

    def point(self, side: float, asked: Asked | None = None) -> Point:
        """The threshold that holds for a face of some size in this gallery.

        Raises:
            ConfigError: A rate was asked for that nothing can tell.
        """
        return self._point(side, self.gallery.count(), asked or Asked())

    def _point(self, side: float, people: int, asked: Asked) -> Point:
        side = min(side, float(FACE_SIZE))
        return point_of(self.points, side, people, asked)


def point_of(points: OperatingPoints | None, side: float, people: int, asked: Asked) -> Point:
    """The point that holds, also where there are no operating points.

    Without them ``auto`` is 0.35, and the reason says so. Where the default rate cannot be told, the strictest
    threshold that can be told holds; a rate that somebody insists on is refused then.

    Raises:
        ConfigError: A rate was asked for that nothing can tell.
    """
    if points is None:
        if asked.insists:
            raise ConfigError(
                asked.kind,
                got=f"{asked.rate:g} of a pair without operating points",
                expected="a pair that was promoted with them",
                remedy="promote it again, or give threshold=NUMBER instead",
            )
        if asked.kind == "fixed":
            fixed = float(asked.threshold)
            words = f"this pair has no operating points: the false alarm rate of {fixed:g} is not known"
            return Point(fixed, None, "fixed", None, None, 0, side, words)
        return Point(FIXED, None, "fixed", None, None, 0, side, NO_POINTS)
    point = points.at(side, people, asked)
    if point.rate is None and asked.insists:
        raise ConfigError(
            asked.kind,
            got=f"{asked.rate:g}; {point.reason}",
            expected="a rate that the calibration people can tell",
            remedy="ask for a higher one, give threshold=NUMBER, or promote with more calibration people",
        )
    return point


def _named(match: Match, point: Point) -> Named:
    known = match.score is not None and match.score >= point.threshold
    note = point.reason or ""
    if match.score is None:
        note = "; ".join(filter(None, (note, "nobody is enrolled")))
    name = match.name if known else UNKNOWN
    return Named(name, match.score, match.margin, point.side, point.threshold, point.rate, point.kind, note)
