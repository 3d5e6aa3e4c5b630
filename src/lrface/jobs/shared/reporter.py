"""A training's news, to the tracker and the terminal."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from lrface.cli.terminal.terminal import Terminal
from lrface.tracking.runs.run import Run
from lrface.training.loop.findings import Finding


class RunReporter:
    """Implements what trainings report to."""

    def __init__(self, run: Run, terminal: Terminal) -> None:
        self._run = run
        self._terminal = terminal
        self.last: dict[str, UInt8[np.ndarray, "h w 3"]] = {}
        """The last picture of each name."""

    def metrics(self, values: Mapping[str, float], epoch: int) -> None:
        """Values of an epoch."""
        self._run.log_metrics(values, step=epoch)
        self._terminal.metrics(self._run.name, epoch, values)

    def line(self, text: str) -> None:
        """A line for the terminal."""
        self._terminal.line(text)

    def finding(self, finding: Finding) -> None:
        """A finding is a line, and a tag of the run."""
        self._terminal.finding("warning", finding.name, finding.cause, finding.remedy)
        self._run.set_tags({f"finding.{finding.name}": f"{finding.cause}; {finding.remedy}"})

    def image(self, name: str, image: UInt8[np.ndarray, "h w 3"], epoch: int) -> None:
        """A picture of an epoch."""
        self._run.log_image(name, image, step=epoch)
        self.last[name] = image
