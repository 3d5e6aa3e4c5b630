"""How every entry point starts: parameters in, one clear line out when one is wrong.

Nothing here imports torch or MLflow, which take seconds: help and refusals come at once.
"""

import os
import sys
from collections.abc import Callable, Sequence

from lrface.cli.parameters import space
from lrface.cli.parameters import stages as cycle
from lrface.cli.parameters.arguments import Parser, log_named
from lrface.cli.parameters.compose import check_preset, free_overrides, settings_for
from lrface.cli.parameters.entry_points import COMMON, PARAMETERS, Parameter
from lrface.cli.parameters.help import help_texts
from lrface.cli.process.importing import imported
from lrface.cli.process.ranks import complain
from lrface.cli.process.waiting import settle_waiting, use
from lrface.cli.terminal.terminal import Terminal, terminal_of
from lrface.config import SCHEMAS, HyperSearchSettings, MainSettings
from lrface.errors import LrfaceError

OWN: dict[str, Callable[[str], list[str]]] = {"main": cycle.own_overrides, "search": space.own_overrides}
"""Which of the overrides are for the job's own config, where the others are for jobs that it starts."""


def command(job: str, arguments: Sequence[str] | None = None) -> int:
    """Run a job from the command line.

    Args:
        job: Name of the entry point, of its schema in `SCHEMAS`, its parameters in `PARAMETERS`, its module in `jobs`.
        arguments: The command line; none: that of the process.

    Returns:
        The exit code: 0, or 1 with one line on standard error. A traceback is shown where LRFACE_TRACEBACK is set,
        and where the error is not one that a user can mend.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    terminal, before = Terminal(), use()
    try:
        terminal = terminal_of(log_named(words))
        parameters = (*COMMON, *PARAMETERS[job])
        given = _parse(job, parameters, words)
        check_preset(job, given)
        own = OWN.get(job, free_overrides)(given["overrides"])
        settings = settings_for(job, SCHEMAS[job], given, parameters, own)
        # what they start is refused before anything starts
        if isinstance(settings, MainSettings):
            cycle.stage_configs(settings, given)
        elif isinstance(settings, HyperSearchSettings):
            space.space_of(settings, given)
    except LrfaceError as error:
        if os.environ.get("LRFACE_TRACEBACK"):
            raise
        complain(error, terminal)
        return 1
    except KeyboardInterrupt:
        return 130
    settle_waiting(before, use())
    perform: Callable[..., int] = imported("lrface.cli.performing").perform
    return perform(job, settings, given, words, terminal)


def _parse(job: str, parameters: Sequence[Parameter], words: Sequence[str]) -> dict[str, str]:
    schema = SCHEMAS[job]
    parser = Parser(
        prog=f"lrface {job}",
        description=schema.__doc__,
        epilog="auto, or nothing, means: as the preset says, else the default. All other keys of the config go into "
        "--overrides; docs/configuration.md lists them with type, default and meaning.",
        allow_abbrev=False,
    )
    for parameter, text in zip(parameters, help_texts(job, schema, parameters), strict=True):
        parser.add_argument(f"--{parameter.name}", default="", metavar="VALUE", help=text.replace("%", "%%"))
    return {name: str(value) for name, value in vars(parser.parse_args(words)).items()}
