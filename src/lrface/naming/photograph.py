"""Names for every face of a photograph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from lrface.data.faces.crowd import Seen
from lrface.images.alignment import FACE_SIZE, TEMPLATE
from lrface.images.annotate import Label, annotated
from lrface.naming.asked import Asked, Kind
from lrface.naming.gallery.entry import UNKNOWN
from lrface.naming.namer import Named, Namer

COLUMNS = (
    *("left", "top", "width", "height", "side", "sure"),
    *("name", "score", "margin", "named_as", "threshold", "rate", "kind", "note"),
)


@dataclass(frozen=True, eq=False)
class NamedFace:
    """A face of a photograph and whom it shows.

    Attributes:
        box: Left, top, width and height, pixels of the photograph.
        landmarks: Eyes, nose tip, mouth corners, pixels (x, y), left of the picture first.
        side: Side of the aligned face in the photograph, pixels.
        sure: How sure the detector is that this is a face, 0 to 1.
        pixels: The aligned face, RGB.
        name: The name, or ``unknown`` below the threshold.
        score: Cosine to the best template; None where nobody is enrolled.
        margin: How far the second template is behind; None where there is no second.
        named_as: Side that the threshold is for, pixels: less than `side` where the photograph was enlarged before it
            came, and never more than 112.
        threshold: Cosine from which it is named.
        rate: False alarm rate that the threshold stands for; None where that is not known.
        kind: What the rate is: ``fpir``, ``fmr`` or ``fixed``.
        note: What is to be known of the threshold; empty where nothing is.
    """

    box: tuple[float, float, float, float]
    landmarks: Float[np.ndarray, "5 2"]
    side: float
    sure: float
    pixels: UInt8[np.ndarray, "s s 3"]
    name: str
    score: float | None
    margin: float | None
    named_as: float
    threshold: float
    rate: float | None
    kind: Kind
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether it has a name."""
        return self.name != UNKNOWN

    def row(self) -> dict[str, object]:
        """The face as a row of a table, with the columns of `COLUMNS`: pixels to a tenth, cosines to a thousandth."""
        box = dict(zip(("left", "top", "width", "height"), (round(value, 1) for value in self.box), strict=True))
        return {
            **box,
            "side": round(self.side, 1),
            "sure": round(self.sure, 2),
            "name": self.name,
            "score": _rounded(self.score),
            "margin": _rounded(self.margin),
            "named_as": round(self.named_as, 1),
            "threshold": _rounded(self.threshold),
            "rate": self.rate,
            "kind": self.kind,
            "note": self.note,
        }


def name_faces(namer: Namer, faces: Sequence[Seen], asked: Asked) -> list[NamedFace]:
    """Say whom each face of a photograph shows.

    Args:
        namer: The pair with its gallery.
        faces: As they were found.
        asked: The threshold or the rate.

    Raises:
        ConfigError: A rate was asked for that nothing can tell.
        DataError: There is no gallery.
        WeightsError: The gallery is of another recogniser.
    """
    named = namer.name([face.pixels for face in faces], [face.side for face in faces], asked)
    return [named_face(face, found) for face, found in zip(faces, named, strict=True)]


def named_face(face: Seen, named: Named) -> NamedFace:
    """A face with its name."""
    return NamedFace(
        box=face.box,
        landmarks=face.landmarks,
        side=face.side,
        sure=face.sure,
        pixels=face.pixels,
        name=named.name,
        score=named.score,
        margin=named.margin,
        named_as=named.side,
        threshold=named.threshold,
        rate=named.rate,
        kind=named.kind,
        note=named.note,
    )


def whole(pixels: UInt8[np.ndarray, "s s 3"], side: float) -> Seen:
    """An aligned face that is a picture by itself, as one that was found.

    Args:
        pixels: The face, RGB.
        side: Side of the picture as it came, pixels.
    """
    landmarks = (TEMPLATE + 0.5) * (side / FACE_SIZE) - 0.5
    return Seen((0.0, 0.0, float(side), float(side)), landmarks, float(side), 1.0, pixels)


def labelled(image: UInt8[np.ndarray, "h w 3"], faces: Sequence[NamedFace]) -> UInt8[np.ndarray, "h w 3"]:
    """The photograph with a box and a name for each face: with its score where it is named, and its side in pixels."""
    return annotated(image, [Label(face.box, words_of(face.name, face.score, face.side), face.known) for face in faces])


def words_of(name: str, score: float | None, side: float) -> str:
    """What stands at a box: the name, its score, and how large the face is."""
    cosine = "" if score is None or name == UNKNOWN else f" {score:.2f}"
    return f"{name}{cosine} ({side:.0f} px)"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
