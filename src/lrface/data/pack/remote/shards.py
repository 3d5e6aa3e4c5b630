"""A pack on S3: its faces in shards, each named by its content.

    s3://bucket/prefix/pack.json                        as in a folder; written last, so it makes the pack appear
    s3://bucket/prefix/<digest>/manifest.parquet
    s3://bucket/prefix/<digest>/shards.json             rows in a shard; size and sha256 of each
    s3://bucket/prefix/<digest>/faces/00000-<sha256>.npy
    s3://bucket/prefix/<digest>/vlr/...                 where there are real VLR images

Another pack in the same place gets another folder: whoever reads the first one goes on reading it.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from pydantic import Field, ValidationError

from lrface.base.settings import Settings, first_problem
from lrface.data.pack.pack import INFO_FILE, MANIFEST_FILE, Pack
from lrface.data.pack.remote.s3 import Folder, Place, place_of
from lrface.errors import DataError
from lrface.images.stored import StoredFaces

SHARDS_FILE = "shards.json"
FACES, VLR = "faces", "vlr"
_VERSION = 1
_THREADS = 8
_DIGITS = 16
MOST_JSON, MOST_MANIFEST = 1 << 28, 1 << 32
"""Most bytes that are read of ``pack.json`` and ``shards.json``, and of the manifest."""

Progress = Callable[[int, int], None]


class Shard(Settings):
    """One shard: an ``.npy`` file of consecutive rows."""

    sha256: str = Field(description="Hash of the file.", pattern="^[0-9a-f]{64}$")
    size: int = Field(description="Bytes of the file.", ge=1)


class ShardIndex(Settings):
    """What ``shards.json`` says."""

    format_version: int = Field(_VERSION, description="Version of the layout.", ge=_VERSION, le=_VERSION)
    rows: int = Field(description="Rows in each shard but the last.", ge=1)
    faces: tuple[Shard, ...] = Field(description="Shards of the faces, in order.", min_length=1)
    vlr: tuple[Shard, ...] = Field((), description="Shards of the real VLR images, in order.")


def folder_of(digest: str) -> str:
    """Names the folder of one pack below its place."""
    return digest[:_DIGITS]


def shard_name(digest: str, kind: str, number: int, shard: Shard) -> str:
    """Names a shard below the pack's place."""
    return f"{folder_of(digest)}/{kind}/{number:05d}-{shard.sha256[:_DIGITS]}.npy"


def publish_pack(
    pack: Pack, uri: str, *, shard_bytes: int = 8 << 20, overwrite: bool = False, progress: Progress | None = None
) -> str:
    """Copies a pack to S3, in shards. Whoever is killed goes on: shards that are there already are not sent again.

    Args:
        pack: The pack.
        uri: ``s3://bucket/prefix``.
        shard_bytes: About how large a shard becomes.
        overwrite: Replace another pack that is there.
        progress: Called with (faces done, faces in all).

    Returns:
        The URI.

    Raises:
        ConfigError: The URI is none.
        DataError: Another pack is there, or S3 cannot be reached or refuses.
    """
    target = Folder(place_of(uri))
    info = (pack.root / INFO_FILE).read_bytes()
    _check_target(target, pack, info, overwrite)
    row_bytes = int(np.prod(pack.faces.shape[1:]))
    rows = max(1, shard_bytes // row_bytes)
    faces = []
    for shard in _send(target, pack.digest, FACES, pack.faces, rows):
        faces.append(shard)
        if progress is not None:
            progress(min(len(faces) * rows, len(pack)), len(pack))
    vlr = () if pack.vlr is None else tuple(_send(target, pack.digest, VLR, pack.vlr, rows))
    index = ShardIndex(rows=rows, faces=tuple(faces), vlr=vlr)
    below = folder_of(pack.digest)
    target.upload(pack.root / MANIFEST_FILE, f"{below}/{MANIFEST_FILE}")
    target.write(f"{below}/{SHARDS_FILE}", index.model_dump_json().encode())
    target.write(INFO_FILE, info)
    return target.place.uri


def read_index(content: bytes | None, place: Place) -> ShardIndex:
    """Reads ``shards.json``.

    Raises:
        DataError: It is missing or damaged.
    """
    what, remedy = f"{place.uri}/{SHARDS_FILE}", "publish the pack again"
    if content is None:
        raise DataError(what, got="no such file", expected="the shards of the pack", remedy=remedy)
    try:
        return ShardIndex.model_validate_json(content)
    except ValidationError as error:
        raise DataError(what, got=first_problem(error), expected="the shards of a pack", remedy=remedy) from error


def _check_target(target: Folder, pack: Pack, info: bytes, overwrite: bool) -> None:
    there = target.read(INFO_FILE, MOST_JSON)
    if there is None or there == info or overwrite:
        return
    try:
        digest = str(json.loads(there)["digest"])
    except (ValueError, KeyError, TypeError):
        digest = "unknown"
    if digest != pack.digest:
        raise DataError(
            f"pack {target.place.uri}",
            got=f"another pack in this place (digest {digest[:12]})",
            expected=f"none, or the same one (digest {pack.digest[:12]})",
            remedy="choose another prefix",
        )


def _send(target: Folder, digest: str, kind: str, images: StoredFaces, rows: int) -> Iterator[Shard]:
    """Sends the shards, a few at a time, and yields them in order."""

    def send(number: int) -> Shard:
        content = _encoded(images[number * rows : (number + 1) * rows])
        shard = Shard(sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        name = shard_name(digest, kind, number, shard)
        if not target.holds(name, content):
            target.write(name, content)
        return shard

    count = -(-len(images) // rows)
    waiting: deque[Future[Shard]] = deque()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="upload") as pool:
        try:
            for number in range(count + _THREADS):
                if number < count:
                    waiting.append(pool.submit(send, number))
                if number >= _THREADS and waiting:
                    yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _encoded(images: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(images), allow_pickle=False)
    return file.getvalue()
