"""What the page computes: a picture becomes a small face, is brought back in two ways, and is looked up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from lrface.data.checks.fit import doubt
from lrface.data.faces.aligner import Aligner
from lrface.data.faces.crowd import Crowd
from lrface.data.measure import hash_pixels
from lrface.data.settings import CheckSettings
from lrface.errors import ConfigError, DataError
from lrface.images.alignment import is_small_face
from lrface.images.degradation.resample import check_size, shrink
from lrface.images.ranges import to_float, to_uint8
from lrface.images.reading.levels import light
from lrface.images.reading.reader import BadImageError, read_image
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.pair import Pair
from lrface.naming.asked import Asked
from lrface.naming.gallery.entry import Enrolled, Entry
from lrface.naming.gallery.gallery import Gallery
from lrface.naming.namer import Named, Namer
from lrface.naming.operating_points import OperatingPoints
from lrface.naming.photograph import NamedFace, labelled, name_faces

MOST_BYTES: Final = 8 * 1024**2
MOST_PIXELS: Final = 24_000_000
MOST_PICTURES: Final = 20


@dataclass(frozen=True, eq=False)
class Shown:
    """What the page shows of a picture.

    Attributes:
        vlr: The small face.
        bicubic: Brought to 112 pixels by bicubic interpolation.
        sr: Brought to 112 pixels by the super-resolver.
        matches: Whom each way takes it for, by the words for the way; empty without a gallery.
        note: What happened to the picture, in a sentence.
    """

    vlr: UInt8[np.ndarray, "s s 3"]
    bicubic: UInt8[np.ndarray, "112 112 3"]
    sr: UInt8[np.ndarray, "112 112 3"]
    matches: dict[str, Named]
    note: str


@dataclass(frozen=True, eq=False)
class Photographed:
    """What the page shows of a photograph.

    Attributes:
        picture: With a box and a name for each face.
        rows: Of the table, a face each: number, name, score, margin, side, threshold, rate.
        note: What is to be known of it.
    """

    picture: UInt8[np.ndarray, "h w 3"]
    rows: list[list[str]]
    note: str


class Trial:
    """A pair, its gallery, and pictures from outside.

    Args:
        pair: The pair.
        bicubic: The other way from small faces to 112 pixels.
        gallery: Where names are.
        aligner: Finds the face in a picture that is none yet.
        points: The pair's operating points; None where it has none.
        crowd: Finds every face of a photograph; None where there is no detector.
        estimate_side: Whether a picture that was enlarged before it came is taken for the small face that it is.
    """

    def __init__(
        self,
        pair: Pair,
        bicubic: Callable[[Tensor], Tensor],
        gallery: Gallery,
        aligner: Aligner,
        points: OperatingPoints | None = None,
        crowd: Crowd | None = None,
        *,
        estimate_side: bool = False,
    ) -> None:
        self._namer = Namer(pair, gallery, points, estimate_side=estimate_side)
        self._pair = pair
        self._bicubic = bicubic
        self._gallery = gallery
        self._aligner = aligner
        self._crowd = crowd

    def photograph(self, path: Path, asked: Asked) -> Photographed:
        """Find every face of a photograph and name it.

        Args:
            path: The photograph.
            asked: The threshold or the rate by which a face is named.

        Raises:
            ConfigError: There is no detector, or a rate was asked for that nothing can tell.
            DataError: The photograph cannot be used, or nobody is enrolled.
            WeightsError: The gallery is of another recogniser.
        """
        if self._crowd is None:
            raise ConfigError(
                "face detector",
                got="no weights",
                expected="the path of face_detection_yunet_2023mar.onnx, or download",
                remedy="start the page with overrides=detector.weights=download",
            )
        image = _read(path, f"picture {path.name}")
        found = self._crowd.find(image)
        faces = name_faces(self._namer, found.faces, asked)
        rows = [[str(number), *_cells(face.name, face)] for number, face in enumerate(faces, 1)]
        told = [f"{len(faces)} faces", *found.notes, *dict.fromkeys(face.note for face in faces if face.note)]
        return Photographed(labelled(image, faces), rows, "; ".join(told))

    def show(self, path: Path, side: int, asked: Asked) -> Shown:
        """Make a small face of a picture and show what the pair makes of that.

        Args:
            path: The picture. A square one of 8 to 32 pixels is taken as it is, whatever `side` says, and so is a face
                that was enlarged from as few, where these are looked for.
            side: Side of the small face, 8 to 32 pixels.
            asked: The threshold or the rate by which it is named.

        Raises:
            DataError: The picture cannot be used.
            ConfigError: A rate was asked for that nothing can tell.
            WeightsError: The gallery is of another recogniser.
        """
        face, note, _ = self._face(path)
        (found,) = self._namer.sized([face])
        if found.note:
            note = f"{note}; {found.note}"
        face = found.pixels
        large = to_float(face[None]) if face.shape[0] == FACE_SIZE else None
        small = to_float(face[None]) if large is None else shrink(large, check_size(side, VLR_MIN, VLR_MAX))
        vlr = to_uint8(small)[0]
        sr = self._pair.restore([vlr])
        ways: dict[str, Tensor] = {"SR": sr, "bicubic": self._bicubic(to_float(vlr[None]))}
        if large is not None:
            ways[_ITSELF] = large
        matches = {}
        if self._gallery.about() is not None:
            embeddings = np.concatenate([self._pair.embed(image) for image in ways.values()])
            sides = [found.side if way == _ITSELF else float(vlr.shape[0]) for way in ways]
            matches = dict(zip(ways, self._namer.name_embedded(embeddings, sides, asked), strict=True))
            notes = dict.fromkeys(item.note for item in matches.values() if item.note)
            note = "; ".join([note, *notes])
        return Shown(vlr, to_uint8(ways["bicubic"])[0], to_uint8(sr)[0], matches, note)

    def enrol(self, paths: Sequence[Path], name: str) -> Enrolled:
        """Put pictures of one person into the gallery; return how many the person has now.

        Raises:
            DataError: A picture or the name cannot be used, or they are too many.
            WeightsError: The gallery is of another recogniser.
        """
        if not 1 <= len(paths) <= MOST_PICTURES:
            raise DataError(
                "enrolment", got=f"{len(paths)} pictures", expected=f"1 to {MOST_PICTURES}", remedy="add one"
            )
        faces = []
        for path in paths:
            face, _, words = self._face(path)
            if words:
                raise DataError(
                    f"picture {path.name}", got=words, expected="one face", remedy="crop it or take another"
                )
            faces.append(face)
        embeddings = self._namer.embed([face.pixels for face in self._namer.sized(faces)])
        known = {name: [hash_pixels(face) for face in faces]}
        (done,) = self._gallery.enrol({name: embeddings}, self._pair.weights, known).values()
        return done

    def people(self) -> list[Entry]:
        """Return who is enrolled, sorted by name."""
        return self._gallery.entries()

    def remove(self, key: str) -> None:
        """Remove a person for good.

        Raises:
            DataError: There is no such person.
        """
        self._gallery.remove(key)

    def _face(self, path: Path) -> tuple[UInt8[np.ndarray, "s s 3"], str, str]:
        """The face of a picture, how it came to be, and why it may be a wrong one."""
        what = f"picture {path.name}"
        image = _read(path, what)
        height, width = image.shape[:2]
        if min(height, width) < VLR_MIN:
            raise DataError(what, got=f"{width}x{height} pixels", expected=f"{VLR_MIN} or more", remedy="take another")
        if is_small_face(image):
            face, note, words = image, f"taken as a face of {height} pixels", ""
        else:
            aligned = self._aligner.align(image, what)
            face, note = aligned.pixels, _HOW[aligned.method]
            words = doubt(aligned.fit, width, height, _CHECKS)
        dark = light(face)
        words = words or (f"one that is {dark}" if dark else "")
        return face, f"{note}; got {words}" if words else note, words


def _read(path: Path, what: str) -> UInt8[np.ndarray, "h w 3"]:
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(what, got=f"{size:,} bytes", expected=f"at most {MOST_BYTES:,}", remedy="shrink it")
    try:
        return read_image(path, what, MOST_PIXELS)
    except BadImageError as error:
        raise DataError(what, got=error.got, expected=error.expected, remedy=error.advice) from error


def cosine_words(value: float | None) -> str:
    """A score or margin for a table."""
    return "-" if value is None else f"{value:.3f}"


def rows_of(matches: dict[str, Named]) -> list[list[str]]:
    """Whom each way takes the face for, as the rows of a table: way, name, score, margin, side, threshold, rate."""
    return [[way, *_cells(match.name, match)] for way, match in matches.items()]


def _cells(name: str, found: Named | NamedFace) -> list[str]:
    cosines = [cosine_words(value) for value in (found.score, found.margin, found.threshold)]
    rate = "-" if found.rate is None else f"{found.rate:.2g}"
    return [name, *cosines[:2], f"{found.side:.3g}", cosines[2], rate]


_ITSELF: Final = "the picture itself"
_CHECKS: Final = CheckSettings()
_HOW: Final = {
    "as_is": "taken as an aligned face of 112 pixels",
    "resized": "taken as an aligned face",
    "yunet": "the face was found and aligned",
    "landmarks": "the face was aligned",
    "centre": "no face detector: the middle square was taken for the face, so crop it first",
}
