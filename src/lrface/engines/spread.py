"""Pieces of work handed to an engine: in order, some at a time, and once more where a worker died."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lrface.engines.engine import Engine, WorkerLostError
from lrface.engines.settings import ClusterSettings
from lrface.errors import ClusterError, LrfaceError

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def engine_of(settings: ClusterSettings) -> Iterator[Engine]:
    """Open an engine for a block.

    Args:
        settings: Which one; not `none`.

    Raises:
        ConfigError: Its package is missing, or there is no such address.
        ClusterError: It does not answer in time.
    """
    opened: Engine
    if settings.engine == "ray":
        from lrface.engines.on_ray import RayEngine

        opened = RayEngine(settings)
    else:
        from lrface.engines.on_submitit import SubmititEngine

        opened = SubmititEngine(settings, Path(settings.folder or "mlruns/submitit").absolute())
    try:
        yield opened
    finally:
        opened.close()


def attempt(function: Callable[[Item], Result], item: Item) -> Result | LrfaceError:
    """What is handed over: an error that a person can mend comes back whole, not as the text of a traceback."""
    try:
        return function(item)
    except LrfaceError as error:
        return error


def in_order(
    engine: Engine, function: Callable[[Item], Result], items: Iterable[Item], retries: int
) -> Generator[Result, None, None]:
    """Apply a function to each item elsewhere, and yield the results in the order of the items.

    Items are taken from the stream only as results are taken away: two are under way for each worker.

    Args:
        engine: Where.
        function: What to do; it and the items travel by pickle.
        items: The stream.
        retries: How often a piece whose worker died is done again.

    Raises:
        ClusterError: A piece has lost more workers than that. What the function raises comes through.
    """
    stream = iter(items)
    waiting: deque[tuple[Item, Any]] = deque()
    while True:
        some = islice(stream, 2 * engine.workers - len(waiting))
        waiting.extend((item, engine.submit(attempt, function, item)) for item in some)
        if not waiting:
            return
        item, piece = waiting.popleft()
        yield _settled(engine, function, item, piece, retries)


def as_they_end(
    engine: Engine, function: Callable[[Item], Result], items: Iterable[Item], retries: int
) -> Generator[tuple[Item, Result], None, None]:
    """As `in_order`, but yield each item with its result as soon as it is there; as many are under way as workers."""
    stream = iter(items)
    waiting: list[tuple[Item, Any]] = []
    while True:
        some = islice(stream, engine.workers - len(waiting))
        waiting.extend((item, engine.submit(attempt, function, item)) for item in some)
        if not waiting:
            return
        item, piece = waiting.pop(engine.first([piece for _, piece in waiting]))
        yield item, _settled(engine, function, item, piece, retries)


def _settled(engine: Engine, function: Callable[[Item], Result], item: Item, piece: Any, retries: int) -> Result:  # noqa: ANN401
    for left in range(retries, -1, -1):
        try:
            result: Result | LrfaceError = engine.result(piece)
        except WorkerLostError as error:
            if not left:
                raise ClusterError(
                    "cluster",
                    got=f"a piece of work whose worker died {retries + 1} times ({_in_one_line(error)})",
                    expected="workers that live",
                    remedy="see whether their memory is enough; the same command starts again",
                ) from error
            piece = engine.submit(attempt, function, item)
        else:
            if isinstance(result, LrfaceError):
                raise result
            return result
    raise AssertionError("unreachable")


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
