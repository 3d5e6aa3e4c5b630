"""How every entry point starts and ends: parameters in, one clear line out when something is wrong."""

import errno
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import torch

from lrface.config import JobSettings
from lrface.errors import LrfaceError
from lrface.jobs.arguments import Parser
from lrface.jobs.compose import COMMON, Parameter, free_overrides, project_root, settings_for
from lrface.jobs.terminal import Terminal
from lrface.models.device import pick_device
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
    """

    root: Path
    store: Store
    terminal: Terminal
    device: torch.device
    given: dict[str, str]

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
    try:
        given = _parse(job, (*COMMON, *parameters), arguments)
        settings = settings_for(job, schema, given, (*COMMON, *parameters), own(given["overrides"]))
        device = pick_device(settings.device)
        _quieten()
        root = project_root()
        body(settings, Context(root, connect(root, settings.tracking), terminal, device, given))
    except LrfaceError as error:
        if os.environ.get("LRFACE_TRACEBACK"):
            raise
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
    except KeyboardInterrupt:
        terminal.error("stopped; the same command goes on where it was")
        return 130
    return 0


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
