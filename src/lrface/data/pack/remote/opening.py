"""Opens a pack that lies on S3."""

from functools import partial
from pathlib import Path

from lrface.data.pack.manifest import read_manifest
from lrface.data.pack.pack import INFO_FILE, MANIFEST_FILE, Pack, PackInfo, check_digest, check_whole, parse_info
from lrface.data.pack.remote.s3 import Folder, place_of
from lrface.data.pack.remote.shards import (
    FACES,
    MOST_JSON,
    MOST_MANIFEST,
    SHARDS_FILE,
    VLR,
    Shard,
    ShardIndex,
    folder_of,
    read_index,
    shard_name,
)
from lrface.data.pack.remote.streamed import ShardCache, StreamedImages
from lrface.data.source import FACE_SIZE
from lrface.errors import DataError


def open_streamed_pack(uri: str, cache: Path, limit: int, digest: str | None = None) -> Pack:
    """Opens a pack on S3. Its shards are fetched when their rows are asked for.

    Args:
        uri: ``s3://bucket/prefix``.
        cache: Local folder for shards and for the pack's small files.
        limit: Most bytes of shards that are kept there.
        digest: Of the pack that is meant, where another may have been published there meanwhile.

    Returns:
        The pack, checked like one in a folder.

    Raises:
        ConfigError: The URI is none.
        DataError: There is no pack, or it is damaged, or S3 cannot be reached or refuses.
    """
    source = Folder(place_of(uri))
    what = f"pack {source.place.uri}"
    written = source.read(INFO_FILE, MOST_JSON)
    if written is None:
        raise DataError(what, got="no pack.json", expected="a pack", remedy="publish one with prepare and out=s3://...")
    info = parse_info(written, f"{source.place.uri}/{INFO_FILE}")
    check_digest(info, digest, what)
    below = folder_of(info.digest)
    root = cache / below
    kept = _keep(source, f"{below}/{MANIFEST_FILE}", root)
    manifest = read_manifest(kept)
    check_whole(info, manifest, what)
    index = read_index(source.read(f"{below}/{SHARDS_FILE}", MOST_JSON), source.place)
    shards = ShardCache(cache / "shards", limit)
    faces = _images(source, info, index, index.faces, FACES, FACE_SIZE, shards)
    vlr = None if info.vlr_size is None else _images(source, info, index, index.vlr, VLR, info.vlr_size, shards)
    return Pack(
        root=root,
        faces=faces,
        manifest=manifest,
        digest=info.digest,
        info=info,
        vlr=vlr,
        uri=source.place.uri,
        reopen=partial(open_streamed_pack, uri, cache, limit, info.digest),
    )


def _keep(source: Folder, name: str, root: Path) -> Path:
    content = source.read(name, MOST_MANIFEST)
    if content is None:
        got, remedy = "no such file", "publish the pack again"
        raise DataError(f"{source.place.uri}/{name}", got=got, expected="the manifest of the pack", remedy=remedy)
    path = root / MANIFEST_FILE
    partial_path = path.with_suffix(".partial")
    try:
        root.mkdir(parents=True, exist_ok=True)
        partial_path.write_bytes(content)
        partial_path.replace(path)
    except OSError as error:
        got = error.strerror or str(error)
        raise DataError(f"cache {root}", got=got, expected="a place to write", remedy="set data.cache") from error
    return path


def _images(
    source: Folder,
    info: PackInfo,
    index: ShardIndex,
    shards: tuple[Shard, ...],
    kind: str,
    side: int,
    cache: ShardCache,
) -> StreamedImages:
    wanted = -(-info.rows // index.rows)
    least = side * side * 3
    if len(shards) != wanted or any(
        shard.size < least * min(index.rows, info.rows - number * index.rows) for number, shard in enumerate(shards)
    ):
        raise DataError(
            f"{source.place.uri}/{SHARDS_FILE}",
            got=f"{len(shards)} shards of {index.rows} {kind}, or shards too small",
            expected=f"{wanted} shards for {info.rows} rows",
            remedy="publish the pack again",
        )
    names = [shard_name(info.digest, kind, number, shard) for number, shard in enumerate(shards)]
    return StreamedImages(source, names, shards, index.rows, (info.rows, side, side, 3), cache)
