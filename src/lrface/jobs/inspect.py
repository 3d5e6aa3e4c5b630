"""`inspect`: what a checkpoint is, which EdgeFace it fits, and what to do where it does not load."""

import sys
from collections.abc import Sequence

from lrface.cli.parameters.arguments import Parser, log_named
from lrface.cli.process.importing import imported
from lrface.cli.terminal.terminal import Terminal, terminal_of
from lrface.errors import LrfaceError


def run(arguments: Sequence[str] | None = None) -> int:
    """Print what the checkpoint doctor finds; nothing in the file is ever run, and no tracker is asked.

    Args:
        arguments: The command line; none: that of the process.

    Returns:
        The exit code: 0 where EdgeFace loads from the file, else 1.
    """
    words = sys.argv[1:] if arguments is None else arguments
    terminal = Terminal()
    try:
        terminal = terminal_of(log_named(words))
        given = _parser().parse_args(words)
        # only now: a wrong word need not wait for torch
        imported("lrface.models.checkpoint.doctor")
        from lrface.models.checkpoint.doctor import as_error, inspect_checkpoint

        report = inspect_checkpoint(given.path, variant=given.variant or None)
        terminal.report(report.lines(), report.as_dict())
        if not report.loadable:
            raise as_error(report)
    except LrfaceError as error:
        terminal.error(error)
        return 1
    return 0


def _parser() -> Parser:
    parser = Parser(
        prog="lrface inspect",
        description="`inspect`: what a checkpoint is, which EdgeFace it fits, and what to do where it does not load.",
        allow_abbrev=False,
    )
    parser.add_argument("path", help="a file of weights, or a model folder (text; must be given)")
    parser.add_argument(
        "--variant", default="", metavar="VALUE", help="hold it against this size of EdgeFace (default the one it fits)"
    )
    parser.add_argument(
        "--log",
        default="",
        metavar="VALUE",
        help="what is shown: plain; quiet, for the error alone; json, for the report as an object (default plain)",
    )
    return parser
