"""What every job has at hand while it runs."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from lrface.cli.process.several import Order
from lrface.cli.terminal.terminal import Terminal
from lrface.evaluation.figures.memory import Memory
from lrface.tracking.store.store import Store


@dataclass
class Made:
    """What a job leaves behind, for the line that ends it.

    Attributes:
        run_id: Its run, which stands above those of its stages; nothing where it is not tracked.
        versions: What it registered, as models:/ URIs.
    """

    run_id: str = ""
    versions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """What every job needs besides its settings.

    Attributes:
        root: The project's folder.
        store: The tracker and the registry.
        terminal: Where a person is told what happens.
        device: Where networks run.
        given: The parameters as they were given, for jobs that start others.
        order: Of a process that only helps to train: to what.
        names: Whether what a training registers gets the alias of its job; a trial's version gets none.
        made: What the job has made so far.
        memory: What was measured so far, so that `promote` at the end of a cycle measures nothing again.
    """

    root: Path
    store: Store
    terminal: Terminal
    device: torch.device
    given: dict[str, str]
    order: Order | None = None
    names: bool = True
    made: Made = field(default_factory=Made)
    memory: Memory = field(default_factory=Memory)

    @property
    def packs(self) -> Path:
        """Where packs lie that the project has made."""
        return self.root / "mlruns" / "packs"
