"""Being told to stop, by Ctrl-C or by a termination signal, ends a run in order."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from lrface.tracking.store.failures import first_line


@contextmanager
def termination_interrupts() -> Iterator[None]:
    """Turn the first termination signal within the block into ``KeyboardInterrupt``; let later ones pass.

    By default such a signal (``kill``, a scheduler, ``mlflow run`` after Ctrl-C) ends the process at once, and
    what was logged last would wait in the spool. Only the main thread can listen, and a handler that
    somebody else has set stays.
    """
    listens = threading.current_thread() is threading.main_thread()
    if not listens or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    told = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal told
        if not told:
            told = True
            raise KeyboardInterrupt("terminated")

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether an error is the outcome of being told to stop; Lightning makes an exit of an interrupt."""
    if isinstance(error, SystemExit):
        return isinstance(error.__context__, KeyboardInterrupt)
    return isinstance(error, (KeyboardInterrupt, GeneratorExit))


def reason(error: BaseException) -> str:
    """Return what ended a run, in a line."""
    if is_interrupt(error):
        return "stopped from outside"
    if isinstance(error, SystemExit):
        return f"left with {error.code}"
    return f"{type(error).__name__}: {first_line(error, 2000)}"
