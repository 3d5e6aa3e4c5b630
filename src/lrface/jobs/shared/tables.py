"""Tables that a job was asked for: lines on the terminal, and a CSV file where the user wants it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lrface.cli.context import Context
from lrface.jobs.shared.stage import copy_out


def show_table(table: pd.DataFrame, name: str, out: str | None, context: Context, hidden: Sequence[str] = ()) -> None:
    """Show a table.

    Args:
        table: The table.
        name: Of its file.
        out: Folder or S3 prefix that gets the file; None: nobody wants it.
        context: Where it is shown.
        hidden: Columns that stand in the file alone, so that a line fits.
    """
    if len(table):
        for line in table.drop(columns=list(hidden)).to_string(index=False, na_rep="-").splitlines():
            context.terminal.result(line)
    if out is not None:
        with tempfile.TemporaryDirectory() as scratch:
            table.map(plain).to_csv(Path(scratch) / name, index=False)
            copy_out(Path(scratch), out)


def plain(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, whatever somebody was called when enrolled."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
