"""Files handed to the workers of a cluster: what threads do for `FileReader`, in the same order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lrface.engines.settings import ClusterSettings
from lrface.engines.spread import engine_of, in_order
from lrface.images.reading.reader import BadImageError

File = TypeVar("File")
Result = TypeVar("Result")

_CHUNK = {"ray": 64, "submitit": 512}
"""Files of a piece. A job of submitit is a new process, which takes seconds to begin."""


def read_spread(
    files: Iterable[File], read: Callable[[Sequence[File]], list[Result]], cluster: ClusterSettings
) -> Generator[tuple[File, Result], None, None]:
    """Read files on a cluster, and yield what came of each, in their order.

    Args:
        files: The files, as `ImageFile`; contents that are no path a worker could open are read here and sent along.
        read: What a worker does with some of them; travels by pickle.
        cluster: Which cluster.

    Raises:
        ConfigError: The engine's package is missing, or its address is none.
        ClusterError: The cluster does not answer, or its workers die again and again.
    """
    sent: deque[tuple[File, ...]] = deque()

    def chunks() -> Iterator[tuple[File, ...]]:
        stream = iter(files)
        while some := tuple(islice(stream, _CHUNK[cluster.engine])):
            sent.append(some)
            yield tuple(map(_portable, some))

    with engine_of(cluster) as engine:
        for results in in_order(engine, read, chunks(), cluster.retries):
            yield from zip(sent.popleft(), results, strict=True)


def _portable(file: Any) -> Any:  # noqa: ANN401 - an `ImageFile`, which knows this module
    if isinstance(file.load, Path):
        return file
    try:
        content = file.load()
    except BadImageError as error:
        return replace(file, load=partial(_refuse, error))
    return replace(file, load=partial(bytes, content))


def _refuse(error: BadImageError) -> bytes:
    raise error
