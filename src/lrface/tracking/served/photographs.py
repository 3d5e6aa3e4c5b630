"""Photographs that come to a server: every face of them, bounded in pixels, in faces and in time."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lrface.data.faces.crowd import Crowd, Seen
from lrface.data.settings import CrowdSettings, DetectorSettings
from lrface.errors import DataError
from lrface.tracking.served.images import decode_photographs

DETECTOR: Final = "LRFACE_DETECTOR"
"""The environment variable that says where YuNet's weights are: a path, or ``download``."""
MOST_FACES: Final = 64
_SETTINGS: Final = CrowdSettings(most=MOST_FACES, megapixels=16.0)


@dataclass(frozen=True, eq=False)
class Sighted:
    """The faces of the photographs of a request.

    Attributes:
        pictures: For each face the number of its photograph, from 0.
        faces: The faces, those of one photograph together and the largest first.
        notes: For each face what is to be known of the search in its photograph; empty where nothing is.
    """

    pictures: tuple[int, ...]
    faces: tuple[Seen, ...]
    notes: tuple[str, ...]

    def boxes(self) -> dict[str, list[object]]:
        """Columns that say where each face is: picture, left, top, width, height, in pixels of the photograph."""
        columns: dict[str, list[object]] = {"picture": list(self.pictures)}
        for place, name in enumerate(("left", "top", "width", "height")):
            columns[name] = [face.box[place] for face in self.faces]
        return columns


def served_crowd() -> Crowd | None:
    """What finds faces for a server, where the environment names weights.

    Raises:
        DataError: They are missing, or no YuNet.
    """
    weights = os.environ.get(DETECTOR)
    return Crowd(DetectorSettings(weights=weights), _SETTINGS) if weights else None


def sighted(texts: Sequence[object], crowd: Crowd) -> Sighted:
    """Find every face of some photographs.

    Args:
        texts: Base64 or bytes, as ``images.decode_photographs`` takes them.
        crowd: Finds them.

    Raises:
        DataError: One of them is no photograph, or too large, or they show more faces than one request may have.
    """
    pictures, faces, notes = list[int](), list[Seen](), list[str]()
    for index, image in enumerate(decode_photographs(texts)):
        found = crowd.find(image)
        pictures += [index] * len(found.faces)
        faces += found.faces
        notes += ["; ".join(found.notes)] * len(found.faces)
        if len(faces) > MOST_FACES:
            raise DataError(
                "request",
                got=f"over {MOST_FACES} faces up to image {index}",
                expected=f"at most {MOST_FACES}",
                remedy="send the photographs in several requests",
            )
    return Sighted(tuple(pictures), tuple(faces), tuple(notes))
