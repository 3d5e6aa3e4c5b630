"""Pictures of public sets: read within bounds, aligned where asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from lrface.data.files.tree import Walker, told
from lrface.errors import EvaluationError
from lrface.images.reading.reader import BadImageError, decode_image
from lrface.images.sizes import FACE_SIZE

MAX_PIXELS = 64_000_000
MAX_PICTURE_BYTES = 64 << 20

Align = Callable[[np.ndarray, str], np.ndarray]
"""A photograph, uint8 h x w x 3 RGB, and its name, to an aligned face, uint8 112 x 112 x 3."""


def broken(what: str, got: str, expected: str, remedy: str) -> EvaluationError:
    """Makes the error of a set that cannot be used."""
    return EvaluationError(what, got=got, expected=expected, remedy=remedy)


def _decoded(content: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return decode_image(content, name, MAX_PIXELS)
    except BadImageError as error:
        raise broken(f"picture {name}", error.got, error.expected, error.advice) from error


def decode_face(content: bytes, name: str, align: Align | None = None) -> UInt8[np.ndarray, "112 112 3"]:
    """Decodes one picture to RGB, aligned where asked for.

    Raises:
        EvaluationError: No picture, or not 112 x 112 after alignment.
    """
    face = _decoded(content, name)
    if align is not None:
        face = align(face, name)
    if face.shape != (FACE_SIZE, FACE_SIZE, 3):
        raise broken(
            f"picture {name}",
            f"{face.shape[1]}x{face.shape[0]} pixels",
            f"an aligned face of {FACE_SIZE}x{FACE_SIZE}",
            "align the set first, or say how: align.mode=yunet align.detector.weights=PATH",
        )
    return np.asarray(face, np.uint8)


def read_bytes(path: Path, what: str, limit: int = MAX_PICTURE_BYTES) -> bytes:
    """Reads a file of bounded size.

    Raises:
        EvaluationError: It cannot be read, or is larger than the limit.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise broken(what, f"{size:,} bytes", f"at most {limit:,}", "check that this is the right file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise broken(what, "no such file", "a file", "check the path") from error
    except OSError as error:
        raise broken(what, f"a file that cannot be read ({error.strerror})", "a file", "check the path") from error


def read_face(path: Path, align: Align | None = None) -> UInt8[np.ndarray, "112 112 3"]:
    """Reads one picture to RGB, aligned where asked for.

    Raises:
        EvaluationError: No picture, or not 112 x 112 after alignment.
    """
    return decode_face(read_bytes(path, f"picture {path}"), str(path), align)


def read_faces(paths: Sequence[Path], align: Align | None = None) -> UInt8[np.ndarray, "n 112 112 3"]:
    """Reads pictures to RGB, aligned where asked for.

    Raises:
        EvaluationError: One of them is no picture, or not 112 x 112 after alignment.
    """
    faces = np.empty((len(paths), FACE_SIZE, FACE_SIZE, 3), np.uint8)
    for place, path in enumerate(paths):
        faces[place] = read_face(path, align)
    return faces


def read_small(path: Path, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Reads a small picture of any shape as size x size, area-averaged down or bicubic up.

    Raises:
        EvaluationError: No picture.
    """
    picture = _decoded(read_bytes(path, f"picture {path}"), str(path))
    method = cv2.INTER_AREA if min(picture.shape[:2]) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=method), np.uint8)


def pictures_in(folder: Path, notes: list[str], *, needed: bool = True) -> tuple[Path, ...]:
    """Lists the pictures below a folder, sorted, as ``prepare`` lists folders.

    Args:
        folder: The folder.
        notes: Gets what was left out.
        needed: Whether there must be some.

    Raises:
        EvaluationError: It has none and they are needed.
    """
    if not folder.is_dir():
        if not needed:
            return ()
        raise broken(f"folder {folder}", "no such folder", "pictures", "check the path")
    tree = Walker(folder).tree(folder)
    if needed and not tree.images:
        raise broken(f"folder {folder}", "no picture in it", "pictures", "check the path")
    lines = told(tree.left_out, tree.again, folder, lambda path: path.stem.partition("_")[0])
    notes += [f"{folder.name}: {line}" for line in lines]
    return tuple(sorted(tree.images))
