"""Files read by the workers of a cluster: what `FileReader` does with threads, and the same faces in the same order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lrface.data.settings import ReadSettings
from lrface.data.source import SourceFace
from lrface.engines.spread import engine_of, in_order
from lrface.images.reading import BadImageError

if TYPE_CHECKING:
    from lrface.data.files import FileReader, ImageFile

_CHUNK = {"ray": 64, "submitit": 512}
"""Files of a piece. A job of submitit is a new process, which takes seconds to begin."""


@dataclass(frozen=True)
class Chunk:
    """Files that one worker reads.

    Attributes:
        settings: How.
        keep_small: As `FileReader` has it.
        files: The files; each is a path that the worker can open, or holds its content.
    """

    settings: ReadSettings
    keep_small: bool
    files: tuple["ImageFile", ...]


def read_chunk(chunk: Chunk) -> list[SourceFace | BadImageError]:
    """Read some files, in a worker."""
    reader = _reader(chunk.settings, chunk.keep_small)
    return [reader.attempt(file)[1] for file in chunk.files]


@lru_cache(maxsize=1)
def _reader(settings: ReadSettings, keep_small: bool) -> "FileReader":
    from lrface.data.files import FileReader

    return FileReader(settings, keep_small=keep_small)


def read_spread(
    files: Iterable["ImageFile"], settings: ReadSettings, *, keep_small: bool
) -> Generator[tuple["ImageFile", SourceFace | BadImageError], None, None]:
    """Read files on the cluster that the settings name, and yield what came of each, in their order.

    Raises:
        ConfigError: The engine's package is missing, or its address is none.
        ClusterError: The cluster does not answer, or its workers die again and again.
    """
    cluster = settings.cluster
    plain = settings.model_copy(update={"cluster": type(cluster)(), "workers": 1})
    sent: deque[tuple[ImageFile, ...]] = deque()

    def chunks() -> Iterator[Chunk]:
        stream = iter(files)
        while some := tuple(islice(stream, _CHUNK[cluster.engine])):
            sent.append(some)
            yield Chunk(plain, keep_small, tuple(map(_portable, some)))

    with engine_of(cluster) as engine:
        for results in in_order(engine, read_chunk, chunks(), cluster.retries):
            yield from zip(sent.popleft(), results, strict=True)


def _portable(file: "ImageFile") -> "ImageFile":
    if isinstance(file.load, Path):
        return file
    try:
        content = file.load()
    except BadImageError as error:
        return replace(file, load=partial(_refuse, error))
    return replace(file, load=partial(bytes, content))


def _refuse(error: BadImageError) -> bytes:
    raise error
