"""How every entry point starts: parameters in, one clear line out when one is wrong.

Nothing here imports torch or MLflow, which take seconds: help and refusals come at once.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lrface.config import SCHEMAS
from lrface.errors import LrfaceError
from lrface.jobs.arguments import Parser, log_named, spoken
from lrface.jobs.compose import COMMON, Parameter, free_overrides, settings_for
from lrface.jobs.help import help_texts
from lrface.jobs.importing import imported
from lrface.jobs.ranks import complain
from lrface.jobs.terminal import Terminal, terminal_of
from lrface.jobs.waiting import settle_waiting, use

Check = Callable[[Any, Mapping[str, str]], object]
"""Takes the job's settings and its parameters as given."""


def command(
    job: str,
    parameters: Sequence[Parameter],
    arguments: Sequence[str] | None = None,
    *,
    own: Callable[[str], list[str]] = free_overrides,
    check: Check | None = None,
) -> int:
    """Run a job from the command line.

    Args:
        job: Name of the entry point, of its schema in `SCHEMAS` and of its module in `jobs.pipelines`.
        parameters: Its parameters besides the common ones.
        arguments: The command line; none: that of the process.
        own: Which of the overrides are for this job's own config.
        check: What else is to be refused before anything starts, from the settings and the parameters as given.

    Returns:
        The exit code: 0, or 1 with one line on standard error. A traceback is shown where LRFACE_TRACEBACK is set,
        and where the error is not one that a user can mend.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    terminal, before = Terminal(), use()
    try:
        terminal = terminal_of(log_named(words))
        given = _parse(job, (*COMMON, *parameters), words)
        settings = settings_for(job, SCHEMAS[job], given, (*COMMON, *parameters), own(given["overrides"]))
        if check is not None:
            check(settings, given)
    except LrfaceError as error:
        if os.environ.get("LRFACE_TRACEBACK"):
            raise
        complain(error, terminal)
        return 1
    except KeyboardInterrupt:
        return 130
    settle_waiting(before, use())
    perform: Callable[..., int] = imported("lrface.jobs.performing").perform
    return perform(job, settings, given, words, terminal)


def _parse(job: str, parameters: Sequence[Parameter], words: Sequence[str]) -> dict[str, str]:
    schema = SCHEMAS[job]
    parser = Parser(
        prog=spoken(job),
        description=schema.__doc__,
        epilog="auto, or nothing, means: as the preset says, else the default. All other keys of the config go into "
        "--overrides; docs/configuration.md lists them with type, default and meaning.",
        allow_abbrev=False,
    )
    for parameter, text in zip(parameters, help_texts(job, schema, parameters), strict=True):
        parser.add_argument(f"--{parameter.name}", default="", metavar="VALUE", help=text.replace("%", "%%"))
    return {name: str(value) for name, value in vars(parser.parse_args(words)).items()}
