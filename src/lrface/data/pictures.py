"""Pictures that are to be enrolled or named: small faces as they are, larger ones aligned."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from lrface.data.aligner import Aligner
from lrface.data.naming import natural_key
from lrface.data.settings import ReadSettings
from lrface.errors import DataError
from lrface.images.reading import IMAGE_SUFFIXES, BadImageError, read_image
from lrface.images.sizes import VLR_MAX, VLR_MIN


@dataclass(frozen=True, eq=False)
class Picture:
    """A face from a file.

    Attributes:
        name: Path below the folder that was read, posix.
        person: Name of the folder that it lies in; empty at the top.
        pixels: The face, RGB, square: 8 to 32 pixels as it was, or 112.
    """

    name: str
    person: str
    pixels: UInt8[np.ndarray, "s s 3"]


def read_pictures(root: Path, settings: ReadSettings, skipped: list[str]) -> Iterator[Picture]:
    """Read one picture, or all in a folder at any depth, in the natural order of their names.

    A square picture of 8 to 32 pixels is taken for a face already; any other is aligned as the settings say.

    Args:
        root: A file or a folder.
        settings: How to read and align.
        skipped: Gets a line for each file that was skipped.

    Raises:
        DataError: There is nothing to read, or a file is bad and the settings say to stop.
    """
    if not root.exists():
        raise DataError(f"pictures {root}", got="no such path", expected="a file or folder", remedy="correct source")
    aligner = Aligner(settings.align)
    found = [root] if root.is_file() else sorted(_images(root), key=lambda path: natural_key(path.as_posix()))
    if not found:
        raise DataError(f"pictures {root}", got="no image in it", expected="one or more", remedy="correct source")
    top = root.parent if root.is_file() else root
    for path in found:
        name = path.relative_to(top).as_posix()
        person = "" if path.parent == top else path.parent.name
        try:
            pixels = _face(path, name, settings, aligner)
        except BadImageError as error:
            skips = settings.align.on_no_face == "skip" if error.kind == "no_face" else settings.on_bad_image == "skip"
            if not skips:
                raise
            skipped.append(str(error))
        else:
            yield Picture(name, person, pixels)


def _images(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _face(path: Path, name: str, settings: ReadSettings, aligner: Aligner) -> np.ndarray:
    image = read_image(path, name, settings.max_pixels)
    height, width = image.shape[:2]
    if height == width and VLR_MIN <= height <= VLR_MAX:
        return image
    if min(height, width) < settings.min_side:
        raise BadImageError(
            "too_small",
            name,
            got=f"{width}x{height} pixels",
            expected=f"sides of {settings.min_side} or more",
            remedy="leave it out",
        )
    return aligner.align(image, name).pixels
