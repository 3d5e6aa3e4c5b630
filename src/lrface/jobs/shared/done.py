"""Which stages of a cycle are done, and are not done again when a killed one goes on."""

import json
from collections.abc import Callable
from pathlib import Path

from lrface.cli.context import Context
from lrface.data.pack.pack import INFO_FILE
from lrface.data.pack.remote.s3 import is_s3
from lrface.tracking.registry.versions import is_there


class Done:
    """Which stages a killed cycle has finished, so that the same command goes on behind them."""

    def __init__(self, record: Path, context: Context) -> None:
        self._record = record
        self._context = context
        self._made: dict[str, str] = json.loads(record.read_text()) if record.is_file() else {}

    def has(self, name: str) -> bool:
        """Whether a stage was done before, and what it has made is there."""
        return name in self._made and self._is_there(self._made[name])

    def once(self, name: str, make: Callable[[], str]) -> str:
        """What a stage has made, now or before the cycle was killed: a path, a version's URI or a run's id."""
        if name in self._made and not self._is_there(self._made[name]):
            # What came after it was made of it.
            kept = list(self._made)[: list(self._made).index(name)]
            self._context.terminal.line(f"{name}: {self._made[name]} is gone, and is made again with all that followed")
            self._made = {done: self._made[done] for done in kept}
        if name in self._made:
            self._context.terminal.line(f"{name}: done before, {self._made[name]}")
            if self._made[name].startswith("models:/"):
                self._context.made.versions.append(self._made[name])
            return self._made[name]
        self._made[name] = make()
        written = self._record.with_suffix(".partial")
        written.write_text(json.dumps(self._made))
        written.replace(self._record)
        return self._made[name]

    def _is_there(self, made: str) -> bool:
        if made.startswith("models:/"):
            return is_there(self._context.store, made)
        return is_s3(made) or (Path(made) / INFO_FILE).is_file() or self._context.store.has_run(made)
