"""How the process of a command ends: with all that was to be written written, and at once."""

import atexit
import logging
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from lrface.cli.process.environment import started


class QuickEnd:
    """Ends the process where Python would begin to take its modules apart, which takes seconds with torch among them.

    To be registered before whatever else wants to be called at the end, since what is registered last is called first.
    Where no exit code has been set, because an error that nobody expected is on its way out, Python ends as usual.
    """

    code: int | None = None

    def __call__(self) -> None:
        """End the process, if it is known with which code."""
        if self.code is None:
            return
        # Registered when Python's own modules were imported, and so behind this.
        logging.shutdown()
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(self.code)


def _unread() -> bool:
    """Whether whoever read standard output has gone, as `| head` does; any other pipe may break as well."""
    watch = select.poll()
    watch.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(0))


def leave(work: Callable[[], int]) -> NoReturn:
    """Do the work of a command, and end the process with the exit code that it returns, or that of a broken pipe."""
    end = QuickEnd()
    if started():
        atexit.register(end)
    try:
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        if not _unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 128 + signal.SIGPIPE
    end.code = code
    sys.exit(code)
