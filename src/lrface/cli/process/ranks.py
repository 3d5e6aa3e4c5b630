"""Which of several processes this one is, as `torchrun` has written it into the environment."""

import os
import time

from lrface.cli.terminal.terminal import Terminal
from lrface.errors import LrfaceError

_GRACE = 5.0


def started() -> bool:
    """Whether this process is one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process is alone or the first of several."""
    return int(os.environ.get("RANK", "0")) == 0 or not started()


def complain(error: LrfaceError, terminal: Terminal) -> None:
    """Tell what is wrong; a process that does not lead waits first whether the leader says the same and ends it."""
    if leads():
        terminal.error(error)
        return
    time.sleep(_GRACE)
    terminal.error(f"process {os.environ['RANK']} of {os.environ['WORLD_SIZE']}: {error}")
