"""Maps a function over a stream with several threads, in order and with back-pressure."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from lrface.base.cores import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

# Handing over single images would cost as much as decoding small ones.
_CHUNK = 16
_WAITING_PER_WORKER = 2


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int = 0
) -> Generator[Result, None, None]:
    """Applies a function to each item and yields the results in the order of the items.

    Threads, because decoding, warping and hashing let go of the interpreter; so nothing is pickled and no
    worker outlives a killed process. Items are taken from the stream only as results are taken away.

    Args:
        function: What to do; must be thread-safe.
        items: The stream, read by the calling thread alone.
        workers: Threads; 0 takes one per core, 1 works in the calling thread.

    Yields:
        The results. The first exception of the function ends the stream, at its place.
    """
    count = workers or cores()
    if count == 1:
        yield from map(function, items)
        return

    def work(chunk: list[Item]) -> tuple[list[Result], Exception | None]:
        done: list[Result] = []
        for item in chunk:
            try:
                done.append(function(item))
            except Exception as error:  # noqa: BLE001 - carried over to the caller, at its place
                return done, error
        return done, None

    stream = iter(items)
    waiting: deque[Future[tuple[list[Result], Exception | None]]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="decode") as pool:
        try:
            while True:
                while len(waiting) < count * _WAITING_PER_WORKER and (chunk := list(islice(stream, _CHUNK))):
                    waiting.append(pool.submit(work, chunk))
                if not waiting:
                    return
                results, error = waiting.popleft().result()
                yield from results
                if error is not None:
                    raise error
        finally:
            for future in waiting:
                future.cancel()
