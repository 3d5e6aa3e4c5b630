"""The released EdgeFace weights: where they are, and how a fetched file is known to be the right one."""

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from lrface.errors import WeightsError

BASE_URL = "https://gitlab.idiap.ch/bob/bob.paper.tbiom2023_edgeface/-/raw/master/checkpoints"
LICENCE = "CC BY-NC-SA (non-commercial)"
_LIMIT_BYTES = 256 * 2**20
_CHUNK = 2**18


@dataclass(frozen=True)
class ReleasedWeights:
    """One released file.

    Attributes:
        name: Name of the file, without `.pt`.
        variant: The size of EdgeFace that it holds.
        size: Bytes, or None where that is not known.
        sha256: Of the bytes, or None where only `blob` is known.
        blob: Git blob id: sha1 of "blob SIZE", a zero byte and the bytes.
    """

    name: str
    variant: str
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None


RELEASED: Mapping[str, ReleasedWeights] = MappingProxyType(
    {
        weights.name: weights
        for weights in (
            ReleasedWeights(
                "edgeface_xxs",
                "xxs",
                size=5_032_125,
                sha256="5b6bac48ea660aca185be8a8ac934db2093b51259461721da53c468230bc24c9",
            ),
            ReleasedWeights(
                "edgeface_xxs_q",
                "xxs",
                size=1_734_661,
                sha256="46be7cc7e8d6e23501c0627fe5fbef101922ee9b85ccbef476987ab1a320b053",
            ),
            ReleasedWeights(
                "edgeface_s_gamma_05",
                "s_gamma_05",
                size=14_695_737,
                sha256="dc59abda2e8580399fd115a1eeb07e1f21156196db604b884407bcf0f17efb07",
            ),
            ReleasedWeights("edgeface_xs_gamma_06", "xs_gamma_06", blob="af5f8c5cf75e8b90d82d08f7a07ee10677327bfd"),
            ReleasedWeights("edgeface_base", "base", blob="913d1d769d57a5251953afbe45b6dc59bf06f21a"),
        )
    }
)


def fetch_released(
    name: str,
    cache_dir: Path,
    base_url: str = BASE_URL,
    *,
    timeout_s: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Fetch released weights once; later calls take the file from the cache and check it again.

    Args:
        name: A key of `RELEASED`.
        cache_dir: Folder that the file goes to, as NAME.pt.
        base_url: Address of the folder that holds NAME.pt.
        timeout_s: Seconds without an answer after which the attempt ends.
        progress: Called with bytes so far and in all (0 where that is not known).

    Returns:
        The file.

    Raises:
        WeightsError: There is no such name, no network, or the file is not the released one.
    """
    if name not in RELEASED:
        raise WeightsError(
            "released weights",
            got=repr(name),
            expected=f"one of {', '.join(RELEASED)}",
            remedy="choose one of these, or give a path",
        )
    released = RELEASED[name]
    url, path = f"{base_url.rstrip('/')}/{name}.pt", cache_dir / f"{name}.pt"
    if not url.startswith(("https://", "http://")):
        raise WeightsError(f"released weights {name}", got=url, expected="an http address", remedy="mend base_url")
    if path.is_file():
        _check(released, path, remedy=f"delete {path} and try again")
        return path
    cache_dir.mkdir(parents=True, exist_ok=True)
    handle, temporary_name = tempfile.mkstemp(dir=cache_dir, prefix=f".{name}.", suffix=".partial")
    temporary = Path(temporary_name)
    manual = f"download {url} by hand and put it at {path}"
    try:
        with os.fdopen(handle, "wb") as target:
            _download(released, url, target, timeout_s, progress, manual)
        _check(released, temporary, remedy=f"try again later, or {manual}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _download(
    released: ReleasedWeights,
    url: str,
    target: BinaryIO,
    timeout_s: float,
    progress: Callable[[int, int], None] | None,
    manual: str,
) -> None:
    limit = released.size or _LIMIT_BYTES
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - the caller checks the scheme
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > limit:
                    break
                target.write(chunk)
                if progress is not None:
                    progress(done, released.size or 0)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is the open answer as well
        raise WeightsError(
            f"released weights {released.name}",
            got=f"{error} from {url}",
            expected="the file",
            remedy=manual,
        ) from error
    if done > limit:
        raise WeightsError(
            f"released weights {released.name}",
            got=f"more than {limit:,} bytes from {url}",
            expected=f"{'' if released.size else 'at most '}{limit:,} bytes",
            remedy=manual,
        )


def _check(released: ReleasedWeights, path: Path, *, remedy: str) -> None:
    size = path.stat().st_size
    if released.size not in (None, size):
        raise _wrong(path, got=f"{size:,} bytes", expected=f"{released.size:,} bytes", remedy=remedy)
    with path.open("rb") as stream:
        if released.sha256 is not None:
            kind, expected = "sha256", released.sha256
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        else:
            kind, expected = "git blob id", str(released.blob)
            found = _blob_id(stream, size)
    if found != expected:
        raise _wrong(path, got=f"{kind} {found}", expected=expected, remedy=remedy)


def _blob_id(stream: BinaryIO, size: int) -> str:
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _wrong(path: Path, *, got: str, expected: str, remedy: str) -> WeightsError:
    return WeightsError(f"released weights {path.name}", got=got, expected=expected, remedy=remedy)
