"""How a job runs and ends, once its settings are known: alone or as one of several processes."""

import errno
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import torch

from lrface.base.project import project_root
from lrface.cli.context import Context
from lrface.cli.process.importing import imported
from lrface.cli.process.ranks import complain, leads, started
from lrface.cli.process.several import (
    LOST,
    STOPPED,
    HelpedError,
    count_wanted,
    device_of_process,
    dismiss,
    joined,
    launch,
    lost,
    orders,
)
from lrface.cli.terminal.terminal import SilentTerminal, Terminal
from lrface.config import SCHEMAS, JobSettings, TrainerSettings
from lrface.errors import ConfigError, LrfaceError
from lrface.tracking.store.store import connect

CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST})
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def perform(job: str, settings: JobSettings, given: dict[str, str], words: Sequence[str], terminal: Terminal) -> int:
    """Run a job to its end.

    Args:
        job: Name of the entry point.
        settings: Its config.
        given: Its parameters as they were given.
        words: The command line, for processes that are to join in.
        terminal: Where a person is told what happens.

    Returns:
        The exit code; `command` says what it means.
    """
    several = started()
    try:
        quieten_libraries()
        if not several and (count := _processes(settings)) > 1:
            return launch(job, words, count, terminal)
        device = device_of_process(settings.device)
        root = project_root()

        def context() -> Context:
            return Context(root, connect(root, settings.tracking), terminal, device, given)

        if several:
            _together(job, settings, lambda: _alone(job, settings, context()), context, device)
        else:
            _alone(job, settings, context())
    except LrfaceError as error:
        if os.environ.get("LRFACE_TRACEBACK"):
            raise
        complain(error, terminal)
        return 1
    except OSError as error:
        if error.errno in CLOSED and error.filename is not None:
            terminal.error(
                f"{error.filename}: got {error.strerror}; expected a place that this user may read and write; "
                "change its permissions, or name another place"
            )
            return 1
        if error.errno not in FULL:
            raise
        terminal.error(
            f"disk: got {error}; expected room for what the job writes; free some, then start the same command again"
        )
        return 1
    except torch.OutOfMemoryError as error:
        terminal.error(f"out of memory: got {error}; expected room for a batch; halve batch_size")
        return 1
    except RuntimeError as error:
        if several and lost(error):
            return LOST
        raise
    except KeyboardInterrupt:
        if several:
            return STOPPED
        terminal.error("stopped; the same command goes on where it was")
        return 130
    return 0


def _alone(job: str, settings: JobSettings, context: Context) -> None:
    with context.terminal.alive():
        body(job)(settings, context)
    if context.made.run_id:
        context.terminal.ended(job, context.made.run_id, context.made.versions)


def body(job: str) -> Callable[..., object]:
    """What an entry point does: `run(settings, context)` of its module in `jobs`."""
    run: Callable[..., object] = imported(f"lrface.jobs.{job}").run
    return run


def _processes(settings: JobSettings) -> int:
    trainer = getattr(settings, "trainer", None)
    return count_wanted(trainer.devices, settings.device) if isinstance(trainer, TrainerSettings) else 1


def _together(
    job: str,
    settings: JobSettings,
    lead: Callable[[], object],
    context: Callable[[], Context],
    device: torch.device,
) -> None:
    """Do the job as the leader of several processes, or help the leader wherever it trains."""
    if not hasattr(settings, "trainer"):
        raise ConfigError(
            f"processes for {job}",
            got=os.environ["WORLD_SIZE"],
            expected="1, since it does not train",
            remedy="start it without torchrun",
        )
    with joined(device):
        if leads():
            lead()
            dismiss()
            return
        here: Context | None = None
        for order in orders():
            # Only now: the leader has opened the store, and made it where there was none.
            here = here or replace(context(), terminal=SilentTerminal())
            schema = SCHEMAS[order.job]
            with suppress(HelpedError):
                body(order.job)(schema.model_validate(order.settings), replace(here, order=order))


def quieten_libraries() -> None:
    """Libraries that advise on their own matters say nothing here; errors still come through."""
    warnings.filterwarnings("ignore", module=r"(lightning|kornia|timm|torch|mlflow|pytorch_metric_learning)(\..*)?")
