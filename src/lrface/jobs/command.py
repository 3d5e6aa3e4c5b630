"""How every entry point starts and ends: parameters in, one clear line out when something is wrong."""

import errno
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TypeVar

import torch

from lrface.config import SCHEMAS, JobSettings, TrainerSettings
from lrface.errors import ConfigError, LrfaceError
from lrface.jobs.arguments import Parser
from lrface.jobs.compose import COMMON, Parameter, free_overrides, project_root, settings_for
from lrface.jobs.several import (
    LOST,
    STOPPED,
    HelpedError,
    Order,
    complain,
    count_wanted,
    device_of_process,
    dismiss,
    joined,
    launch,
    leads,
    lost,
    orders,
    started,
)
from lrface.jobs.terminal import SilentTerminal, Terminal
from lrface.tracking.store import Store, connect

Schema = TypeVar("Schema", bound=JobSettings)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(frozen=True)
class Context:
    """What every job needs besides its settings.

    Attributes:
        root: The project's folder.
        store: The tracker and the registry.
        terminal: Where a person is told what happens.
        device: Where networks run.
        given: The parameters as they were given, for jobs that start others.
        order: Of a process that only helps to train: to what.
        names: Whether what a training registers gets the alias of its job; a trial's version gets none.
    """

    root: Path
    store: Store
    terminal: Terminal
    device: torch.device
    given: dict[str, str]
    order: Order | None = None
    names: bool = True

    @property
    def packs(self) -> Path:
        """Where packs lie that the project has made."""
        return self.root / "mlruns" / "packs"


def command(
    job: str,
    schema: type[Schema],
    body: Callable[[Schema, Context], object],
    parameters: Sequence[Parameter],
    arguments: Sequence[str] | None = None,
    *,
    own: Callable[[str], list[str]] = free_overrides,
) -> int:
    """Run a job from the command line.

    Args:
        job: Name of the entry point.
        schema: Schema of its config.
        body: The job.
        parameters: Its parameters besides the common ones.
        arguments: The command line; none: that of the process.
        own: Which of the overrides are for this job's own config.

    Returns:
        The exit code: 0, or 1 with one line on standard error. A traceback is shown where LRFACE_TRACEBACK is set,
        and where the error is not one that a user can mend.
    """
    terminal = Terminal()
    several = started()
    try:
        given = _parse(job, (*COMMON, *parameters), arguments)
        settings = settings_for(job, schema, given, (*COMMON, *parameters), own(given["overrides"]))
        _quieten()
        if not several and (count := _processes(settings)) > 1:
            return launch(job, sys.argv[1:] if arguments is None else arguments, count, terminal)
        device = device_of_process(settings.device)
        root = project_root()

        def context() -> Context:
            return Context(root, connect(root, settings.tracking), terminal, device, given)

        if several:
            _together(job, settings, lambda: body(settings, context()), context, device)
        else:
            body(settings, context())
    except LrfaceError as error:
        if os.environ.get("LRFACE_TRACEBACK"):
            raise
        if several and not leads():
            complain(error, terminal)
            return 1
        terminal.error(str(error))
        return 1
    except OSError as error:
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
                train = import_module(f"lrface.jobs.{order.job}").run
                train(schema.model_validate(order.settings), replace(here, order=order))


def leave(code: int) -> NoReturn:
    """End the process, with everything written out."""
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def _parse(job: str, parameters: Sequence[Parameter], arguments: Sequence[str] | None) -> dict[str, str]:
    parser = Parser(prog=f"python -m lrface.jobs.{job}", allow_abbrev=False)
    for parameter in parameters:
        parser.add_argument(f"--{parameter.name}", default="", help=parameter.text)
    return {name: str(value) for name, value in vars(parser.parse_args(arguments)).items()}


def _quieten() -> None:
    """Libraries that advise on their own matters say nothing here; errors still come through."""
    warnings.filterwarnings("ignore", module=r"(lightning|kornia|timm|torch|mlflow|pytorch_metric_learning)(\..*)?")
