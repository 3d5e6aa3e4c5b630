"""What a person, or a script, sees while a job runs.

`plain`: lines, and a progress bar where there is a terminal, or else a line at least every 30 seconds. `quiet`:
results, findings that stop the job, and errors. `json`: one object per line on standard output, told apart by `event`.
"""

import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from lrface.cli.terminal.journey import Journey
from lrface.errors import ConfigError, LrfaceError

Tick = Callable[[int, int], None]
Log = Literal["plain", "quiet", "json"]
STOPPING = "error"
"""The severity of findings that stop a job."""
SILENCE = 30.0
"""The longest that a job says nothing outside of a terminal, seconds."""


class Terminal:
    """`plain`: lines go to standard output, bars and errors to standard error.

    Args:
        clock: Seconds that pass.
    """

    log: Log = "plain"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = clock()
        self._under_way = ""
        self.journey: Journey | None = None

    def stage(self, name: str) -> None:
        """A stage of a cycle begins."""
        if self.journey is not None:
            self.line(f"{self.journey.words()}: {name}")

    def line(self, text: str) -> None:
        """A line of news."""
        self._said = self._clock()
        _write(text)

    def result(self, text: str) -> None:
        """A line of what the job was asked for."""
        self.line(text)

    def metrics(self, stage: str, epoch: int, values: Mapping[str, float]) -> None:
        """Figures of an epoch, from 0; a person reads them in the line of the epoch."""

    def finding(self, severity: str, name: str, cause: str, remedy: str = "") -> None:
        """Something to know: `error` stops the job, a `warning` should be read, a `note` may be."""
        self.line(f"{severity}: {name}: {cause}" + (f"; {remedy}" if remedy else ""))

    def report(self, lines: Sequence[str], facts: Mapping[str, object]) -> None:  # noqa: ARG002
        """What was found about something, as lines or as plain JSON values."""
        for line in lines:
            self.line(line)

    def ended(self, job: str, run_id: str, versions: Sequence[str]) -> None:
        """A job is done: its run, and what it has registered."""
        made = f", registered {', '.join(versions)}" if versions else ""
        self.result(f"{job}: done, run {run_id}{made}")

    def error(self, error: LrfaceError | str) -> None:
        """The one line that ends a job."""
        sys.stderr.write(f"error: {error}\n")
        sys.stderr.flush()

    @contextmanager
    def progress(self, what: str) -> Iterator[Tick]:
        """Show how far something is; the callable is told what is done and what there is in all."""
        if not sys.stderr.isatty():
            before = self._under_way
            self._under_way = f"{what}: begun"
            try:
                yield self._told(what)
            finally:
                self._under_way = before
            return
        # rich takes a tenth of a second to import, which a refusal need not wait for
        from lrface.cli.terminal.bar import bar

        began = self._clock()
        with bar(rate) as shown:
            task = shown.add_task(self._placed(what, None), total=None)

            def tick(done: int, total: int) -> None:
                left = _left(self._clock() - began, done, total)
                shown.update(task, completed=done, total=total, description=self._placed(what, left))

            yield tick

    def _placed(self, text: str, left: float | None) -> str:
        """A text with where the cycle is, if this is one."""
        return text if self.journey is None else f"{text} ({self.journey.words(left)})"

    def _told(self, what: str) -> Tick:
        began, ended = self._clock(), False

        def tick(done: int, total: int) -> None:
            nonlocal ended
            passed = max(self._clock() - began, 1e-3)
            own = _left(passed, done, total)
            left = f", {own:.0f} s left" if own is not None else ""
            self._under_way = self._placed(f"{what}: {done}/{total}, {rate(done / passed)}{left}", own)
            ends = 0 < total <= done and not ended
            ended = ended or ends
            if ends or self._clock() - self._said >= SILENCE:
                self.line(self._under_way)

        return tick

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Outside of a terminal, say that the job is still at it whenever nothing was said for 30 seconds."""
        if sys.stderr.isatty():
            yield
            return
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(max(0.1, self._said + SILENCE - self._clock())):
                self.remind()

        watching = threading.Thread(target=watch, name="alive", daemon=True)
        watching.start()
        try:
            yield
        finally:
            ended.set()
            watching.join()

    def remind(self) -> None:
        """What is under way, where nothing was said for 30 seconds."""
        if self._clock() - self._said >= SILENCE:
            self.line(self._under_way or self._placed("still at work", None))


def _left(passed: float, done: int, total: int) -> float | None:
    """How long a task will take if it goes on like this [s]; None before its first step and after its last."""
    return passed * (total - done) / done if 0 < done < total else None


class QuietTerminal(Terminal):
    """`quiet`: results, findings that stop the job, and errors."""

    log: Log = "quiet"

    def line(self, text: str) -> None:
        """Say nothing."""

    def result(self, text: str) -> None:
        """A line of what the job was asked for."""
        _write(text)

    def finding(self, severity: str, name: str, cause: str, remedy: str = "") -> None:
        """Only what stops the job."""
        if severity == STOPPING:
            _write(f"{severity}: {name}: {cause}" + (f"; {remedy}" if remedy else ""))

    @contextmanager
    def progress(self, what: str) -> Iterator[Tick]:  # noqa: ARG002
        """Show nothing."""
        yield lambda _done, _total: None

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Say nothing."""
        yield


class SilentTerminal(QuietTerminal):
    """Of a process that another one speaks for: errors alone are shown."""

    def result(self, text: str) -> None:
        """Say nothing."""

    def finding(self, severity: str, name: str, cause: str, remedy: str = "") -> None:
        """Say nothing."""


class JsonTerminal(QuietTerminal):
    """`json`: `news`, `stage`, `metrics`, `finding`, `report`, `summary`, `result`, `error`; all on standard output."""

    log: Log = "json"

    def line(self, text: str) -> None:
        """A line of news."""
        _event("news", text=text)

    def result(self, text: str) -> None:
        """A line of what the job was asked for."""
        _event("summary", text=text)

    def stage(self, name: str) -> None:
        """A stage of a cycle begins."""
        if self.journey is not None:
            left = self.journey.left()
            seconds = None if left is None else round(left)
            _event("stage", name=name, number=self.journey.number, of=self.journey.of, seconds_left=seconds)

    def metrics(self, stage: str, epoch: int, values: Mapping[str, float]) -> None:
        """Figures of an epoch, from 0; what is no number is null."""
        known = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        _event("metrics", stage=stage, epoch=epoch, metrics=known)

    def finding(self, severity: str, name: str, cause: str, remedy: str = "") -> None:
        """Something that a person should know."""
        _event("finding", severity=severity, name=name, cause=cause, remedy=remedy)

    def report(self, lines: Sequence[str], facts: Mapping[str, object]) -> None:  # noqa: ARG002
        """What was found about something."""
        _event("report", **facts)

    def ended(self, job: str, run_id: str, versions: Sequence[str]) -> None:
        """A job is done: its run, and what it has registered."""
        _event("result", job=job, run_id=run_id, versions=list(versions))

    def error(self, error: LrfaceError | str) -> None:
        """What ended the job; of an error that a user can mend also its parts."""
        parts = {}
        if isinstance(error, LrfaceError):
            parts = {"what": error.what, "got": error.got, "expected": error.expected, "remedy": error.remedy}
        _event("error", text=str(error), **parts)


def terminal_of(log: str) -> Terminal:
    """The terminal of that name.

    Raises:
        ConfigError: There is none.
    """
    for kind in (Terminal, QuietTerminal, JsonTerminal):
        if kind.log == log:
            return kind()
    raise ConfigError("log", got=log, expected=", ".join(get_args(Log)), remedy="choose one of these")


def rate(per_second: float) -> str:
    """Steps per second, slow ones with a decimal."""
    return f"{per_second:.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _event(event: str, **facts: object) -> None:
    _write(json.dumps({"event": event, **facts}))
