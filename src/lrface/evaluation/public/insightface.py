"""Insightface verification sets: a pickle of encoded pictures and flags, read without admitting anything else."""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lrface.evaluation.public.pictures import broken, decode_face, read_bytes
from lrface.evaluation.public.sets import PairSet
from lrface.images.sizes import FACE_SIZE

MAX_BYTES = 4 << 30
MAX_PICTURES = 100_000
FROM = "take it from its publisher"


class _OnlyPictures(pickle.Unpickler):
    """Admits lists, tuples, bytes and flags, and what Python 3 needs to write bytes in an old protocol."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  # whatever a pickle asks for
        """Refuses every name but the two that spell bytes."""
        if (module, name) == ("_codecs", "encode"):
            return _latin_bytes
        if name == "bytes" and module in ("__builtin__", "builtins"):
            return _plain_bytes
        raise pickle.UnpicklingError(f"{module}.{name} is neither a picture nor a flag")


def _plain_bytes(*arguments: Any) -> bytes:  # noqa: ANN401  # whatever a pickle hands over
    """Gives what `bytes()` and `bytes(b"...")` give; a number would ask for as much memory."""
    if not arguments:
        return b""
    if len(arguments) != 1 or not isinstance(arguments[0], bytes | list):
        raise pickle.UnpicklingError("bytes made of something else than bytes")
    return bytes(arguments[0])


def _latin_bytes(text: str, encoding: str) -> bytes:
    """Gives the bytes that Python 3 wrote as text; nothing else that codecs can do."""
    if encoding not in ("latin1", b"latin1") or not isinstance(text, str):
        raise pickle.UnpicklingError(f"bytes written as {encoding!r}")
    return text.encode("latin1")


def read_verification_bin(path: Path, folds: int = 10) -> PairSet:
    """Reads an insightface verification set: a pickle of (encoded pictures, flags), two pictures per flag.

    Args:
        path: lfw.bin, cfp_fp.bin, agedb_30.bin, ...
        folds: Number of folds.

    Raises:
        EvaluationError: No such file, a pickle of anything else, or pictures that do not fit.
    """
    what = f"verification set {path}"
    content = read_bytes(path, what, MAX_BYTES)
    try:
        found = _OnlyPictures(io.BytesIO(content), encoding="bytes").load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        IndexError,
        KeyError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        raise broken(what, f"{type(error).__name__}: {error}", "a pickle of pictures and flags", FROM) from error
    del content
    if not (isinstance(found, tuple | list) and len(found) == 2):
        raise broken(what, f"a {type(found).__name__}", "(pictures, flags)", FROM)
    pictures, flags = found
    if isinstance(pictures, list) and isinstance(flags, list | tuple) and len(pictures) != 2 * len(flags):
        got = f"{len(pictures):,} pictures for {len(flags):,} flags"
        raise broken(what, got, f"two pictures per flag, {2 * len(flags):,}", FROM)
    shaped = isinstance(pictures, list) and isinstance(flags, list | tuple)
    if not shaped or not all(isinstance(picture, bytes) for picture in pictures):
        raise broken(what, "other content", "two encoded pictures per flag", FROM)
    if not 0 < len(pictures) <= MAX_PICTURES:
        raise broken(what, f"{len(pictures):,} pictures", f"1 to {MAX_PICTURES:,}", FROM)
    if not all(isinstance(flag, bool | int) for flag in flags):
        raise broken(what, "flags that are neither true nor false", "a flag per pair", FROM)
    faces = np.empty((len(pictures), FACE_SIZE, FACE_SIZE, 3), np.uint8)
    for number, picture in enumerate(pictures):
        faces[number] = decode_face(picture, f"{number} of {path.name}")
    first = np.arange(0, len(pictures), 2)
    return PairSet(path.stem, faces, first, first + 1, np.array([bool(flag) for flag in flags]), folds)
