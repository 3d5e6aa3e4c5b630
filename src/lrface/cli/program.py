"""`lrface JOB ...`: every entry point as one command, and `lrface info` for a bug report.

Nothing heavy is imported here: the list of jobs, help and refusals come at once.
"""

import ast
import difflib
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lrface import __version__
from lrface.cli.parameters.arguments import log_named
from lrface.cli.parameters.entry_points import PARAMETERS
from lrface.cli.process.importing import imported
from lrface.cli.process.leaving import leave
from lrface.cli.terminal.terminal import Terminal, terminal_of
from lrface.errors import ConfigError

JOBS = (
    *("main", "prepare", "pretrain", "train_dsr", "finetune", "evaluate", "promote"),
    *("compare", "curve", "sweep", "verify", "search"),
    *("gallery", "app", "export", "inspect", "info"),
)
"""In the order in which a person meets them."""
_USAGE = "lrface JOB [--parameter VALUE ...]"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line names, and leave with its exit code.

    Args:
        arguments: The command line; none: that of the process.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        leave(_list)
    if words[0] == "--version":
        leave(_version)
    name = words[0].replace("-", "_")
    if name not in JOBS:
        leave(lambda: _unknown(words))
    if name in PARAMETERS:
        # only now: the list of jobs need not wait for Hydra
        from lrface.cli.command import command

        leave(lambda: command(name, words[1:]))
    leave(lambda: int(imported(f"lrface.jobs.{name}").run(words[1:])))


def summary(job: str) -> str:
    """What a job does, in one line: the first of its module, which is read and not imported."""
    module = ast.parse((Path(__file__).parents[1] / "jobs" / f"{job}.py").read_text(encoding="utf-8"))
    line = (ast.get_docstring(module) or "").splitlines()[0]
    return line.partition(": ")[2].removesuffix(".")


def _list() -> int:
    width = max(map(len, JOBS))
    lines = [f"  {job:<{width}}  {summary(job)}" for job in JOBS]
    after = "`lrface JOB --help` lists the parameters of one; `mlflow run . -e JOB -P parameter=value` is the same job."
    print("\n".join([f"usage: {_USAGE}", "", *lines, "", after]))
    return 0


def _version() -> int:
    print(f"lrface {__version__}")
    return 0


def _unknown(words: Sequence[str]) -> int:
    near = difflib.get_close_matches(words[0].lower().replace("-", "_"), JOBS, n=1)
    terminal = Terminal()
    with suppress(ConfigError):  # the unknown job is what is told
        terminal = terminal_of(log_named(words[1:]))
    terminal.error(
        ConfigError(
            "lrface",
            got=repr(words[0]) + (f" (did you mean {near[0]}?)" if near else ""),
            expected=", ".join(JOBS),
            remedy="name a job; `lrface` alone lists them",
        )
    )
    return 1
