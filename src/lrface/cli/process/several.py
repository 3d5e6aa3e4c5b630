"""One job by several processes: this project starts them on one machine, `torchrun` on several.

Process 0 leads: it alone does the job. The others wait until it trains, build the same training from the same
settings, and share its batches; so nothing but the training itself is done twice, whatever the job does around it.
"""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from lrface.cli.process.ranks import started
from lrface.cli.terminal.terminal import Terminal
from lrface.errors import ConfigError
from lrface.models.device import pick_device
from lrface.training.processes import Processes

PATIENCE = timedelta(days=7)
"""How long a process waits for another; one that dies is noticed by whoever has started them, and at once."""

STOPPED, LOST = 130, 3


@dataclass(frozen=True)
class Order:
    """What the leader is about to train.

    Attributes:
        job: The entry point.
        settings: Its settings, as plain values.
        folder: The working folder.
        key: Fingerprint of the work.
        run_id: The run.
        parent: The run above it, or nothing.
    """

    job: str
    settings: dict[str, Any]
    folder: str
    key: str
    run_id: str
    parent: str


class HelpedError(Exception):
    """Ends the job of a process that has helped to train: the rest is the leader's."""


def device_of_process(name: str) -> torch.device:
    """The device of this process: of several, each on a machine has the GPU of its number.

    Raises:
        ConfigError: There is no such device, or one GPU is named for several processes.
    """
    device = pick_device(name)
    if not started() or device.type == "cpu":
        return device
    _no_number(name)
    return pick_device(f"cuda:{os.environ['LOCAL_RANK']}")


def count_wanted(devices: int | str, device: str) -> int:
    """How many processes a user wants.

    Raises:
        ConfigError: The machine has fewer GPUs.
    """
    found = pick_device(device)
    gpus = torch.cuda.device_count() if found.type == "cuda" else 1
    wanted = gpus if isinstance(devices, str) else devices
    if wanted > 1 and found.type == "cuda":
        _no_number(device)
        if wanted > gpus:
            raise ConfigError(
                "trainer.devices",
                got=str(wanted),
                expected=f"at most {gpus}, the GPUs of this machine",
                remedy="lower it",
            )
    return wanted


def _no_number(name: str) -> None:
    if ":" in name:
        raise ConfigError(
            "device",
            got=f"{name} for several processes",
            expected="cuda, of which each takes one",
            remedy="set CUDA_VISIBLE_DEVICES to choose GPUs",
        )


def launch(job: str, arguments: Sequence[str], count: int, terminal: Terminal) -> int:
    """Run a job's command line in several processes of this machine, and end them all when one fails.

    Returns:
        The exit code. Where a process could not say itself why it ended, one line on standard error does.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "lrface", job, *arguments)
    except ChildFailedError as error:
        return _told({rank: failure.exitcode for rank, failure in error.failures.items()}, count, terminal)
    except (SignalException, KeyboardInterrupt):
        terminal.error("stopped; the same command goes on where it was")
        return STOPPED
    return 0


def _told(codes: dict[int, int], count: int, terminal: Terminal) -> int:
    """Name the process that ended first of itself, unless it did so in its own words (exit code 1)."""
    if 1 in codes.values():
        return 1
    rank = min(codes, key=lambda rank: (codes[rank] in {LOST, STOPPED}, codes[rank] == -signal.SIGTERM, rank))
    code = codes[rank]
    got = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    terminal.error(
        f"process {rank} of {count}: got {got}; expected it to end by itself; "
        "the same command goes on behind the last whole epoch"
    )
    return 1


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Make this process one of those that `WORLD_SIZE` counts: NCCL between GPUs, gloo between CPUs."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def summon(order: Order) -> None:
    """Call the others to a training."""
    Processes().agreed(vars(order))


def dismiss() -> None:
    """Let the others go."""
    Processes().agreed(None)


def orders() -> Iterator[Order]:
    """The trainings to which the leader calls this process."""
    nothing: dict[str, Any] | None = None
    while (call := Processes().agreed(nothing)) is not None:
        yield Order(**call)


def lost(error: BaseException) -> bool:
    """Whether an error only says that another process is gone."""
    return isinstance(error, RuntimeError) and any(
        word in str(error) for word in ("Connection closed", "Connection reset", "gloo", "NCCL", "Broken pipe")
    )


def below(folder: str) -> Path:
    """The working folder of an order, which the machines must share.

    Raises:
        ConfigError: It is not there.
    """
    if not Path(folder).is_dir():
        raise ConfigError(
            "working folder",
            got=f"no folder {folder}, in which process 0 works",
            expected="one folder that all processes see",
            remedy="put the project on a disk that all machines share",
        )
    return Path(folder)
