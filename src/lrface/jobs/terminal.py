"""What a person sees while a job runs: plain lines, and a progress bar where there is a terminal."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Tick = Callable[[int, int], None]


class _Rate(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """The rate, once there is one."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s")


class Terminal:
    """Lines go to standard output, bars and errors to standard error."""

    def line(self, text: str) -> None:
        """A line of news."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def error(self, text: str) -> None:
        """The one line that ends a job."""
        sys.stderr.write(f"error: {text}\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self, what: str) -> Iterator[Tick]:
        """Show how far something is; the callable is told what is done and what there is in all."""
        if not sys.stderr.isatty():
            yield self._quarters(what)
            return
        name = TextColumn("{task.description}", markup=False)
        columns = (name, BarColumn(), MofNCompleteColumn(), _Rate(), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task(what, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)

    def _quarters(self, what: str) -> Tick:
        told = 0
        began = time.monotonic()

        def tick(done: int, total: int) -> None:
            nonlocal told
            quarter = 4 * done // max(1, total)
            if quarter > told:
                told = quarter
                passed = max(time.monotonic() - began, 1e-3)
                left = f", {passed * (total - done) / done:.0f} s left" if done < total else ""
                self.line(f"{what}: {done}/{total}, {done / passed:.0f}/s{left}")

        return tick


class SilentTerminal(Terminal):
    """Of a process that another one speaks for: errors alone are shown."""

    def line(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def progress(self, what: str) -> Iterator[Tick]:  # noqa: ARG002
        """Show nothing."""
        yield lambda _done, _total: None
