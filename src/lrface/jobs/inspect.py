"""`inspect`: what a checkpoint is, which EdgeFace it fits, and what to do where it does not load."""

import json
import sys
from collections.abc import Sequence

from lrface.errors import LrfaceError
from lrface.jobs.arguments import Parser
from lrface.jobs.command import leave
from lrface.jobs.terminal import Terminal
from lrface.models.checkpoint import inspect_checkpoint
from lrface.models.edgeface import VARIANTS


def run(arguments: Sequence[str] | None = None) -> int:
    """Print what the checkpoint doctor finds; nothing in the file is ever run, and no tracker is asked.

    Args:
        arguments: The command line; none: that of the process.

    Returns:
        The exit code: 0 where EdgeFace loads from the file, else 1.
    """
    terminal = Terminal()
    try:
        given = _parser().parse_args(_plain(sys.argv[1:] if arguments is None else arguments))
        report = inspect_checkpoint(given.path, variant=given.variant or None)
    except LrfaceError as error:
        terminal.error(str(error))
        return 1
    if given.json == "true":
        terminal.line(json.dumps(report.as_dict(), indent=2))
    else:
        for line in report.lines():
            terminal.line(line)
    if not report.loadable:
        found = "; ".join(report.findings) or report.kind
        terminal.error(
            f"weights {report.path}: got {found}; expected weights of EdgeFace; {report.remedy or 'give another file'}"
        )
    return 0 if report.loadable else 1


def _parser() -> Parser:
    parser = Parser(prog="python -m lrface.jobs.inspect", allow_abbrev=False)
    parser.add_argument("path", help="a file of weights, or a model folder")
    parser.add_argument("--variant", default="", help=f"hold it against this size: {', '.join(VARIANTS)}")
    parser.add_argument("--json", default="false", choices=("true", "false"), help="print the whole report as JSON")
    return parser


def _plain(arguments: Sequence[str]) -> list[str]:
    """A bare `--json` is `--json=true`, so that it never takes the path behind it for its value."""
    return ["--json=true" if argument == "--json" else argument for argument in arguments]


if __name__ == "__main__":
    leave(run())
