"""What an engine is to whoever hands it pieces of work."""

from collections.abc import Callable
from typing import Any, Protocol


class WorkerLostError(Exception):
    """The process or machine that did a piece is gone, and with it what it had done of it."""


class Engine(Protocol):
    """What does pieces of work elsewhere."""

    workers: int
    """How many are done at once."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401 - each engine's own
        """Hand over a piece and return at once, with what stands for its result."""
        ...

    def result(self, piece: Any) -> Any:  # noqa: ANN401
        """Wait for a piece.

        Raises:
            WorkerLostError: Its worker died.
            ClusterError: The engine itself does not answer any more.
        """
        ...

    def first(self, pieces: list[Any]) -> int:
        """Wait until one of several pieces is done, and give its place in the list."""
        ...

    def close(self) -> None:
        """End what was handed over and let the engine go."""
        ...
