"""Running a training: Lightning's loop, with a checkpoint after each epoch from which the same call goes on."""

import logging
import os
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint
from lightning.pytorch.strategies import DDPStrategy

from lrface.errors import TrainingError
from lrface.training.loop.graph import own_stream
from lrface.training.loop.module import Outcome, TrainingModule

LAST = "last.ckpt"
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class StepProgress(Callback):
    """Tells how far an epoch is."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """One more batch."""
        del pl_module, outputs, batch
        steps = int(trainer.num_training_batches)
        self.progress(trainer.current_epoch * steps + batch_idx + 1, steps * int(trainer.max_epochs or 1))


class LastCheckpoint(Checkpoint):
    """Saves the state after each epoch, under one name: Lightning's own callback numbers it when a folder has moved."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save; Lightning calls this after the training's own end of the epoch."""
        del pl_module
        trainer.save_checkpoint(self.path)


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint beside its place and renames it.

    Lightning writes to the system's folder for temporary files and moves, which on another disk is a copy that a kill
    can cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: object = None) -> None:
        """Write so that the file is there whole or not at all.

        Raises:
            TrainingError: The disk is full or the folder cannot be written; the checkpoint before stays.
        """
        del storage_options
        partial = Path(path).with_suffix(".partial")
        try:
            with partial.open("wb") as stream:
                torch.save(checkpoint, stream)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(path)
        except (OSError, RuntimeError) as error:
            # torch hides the system's error behind one of its own.
            cause = error.__context__ if isinstance(error.__context__, OSError) else error
            partial.unlink(missing_ok=True)
            raise TrainingError(
                f"checkpoint {path}",
                got=" ".join(str(cause).split())[:200],
                expected="a folder with room for it",
                remedy="free some space there, then start the same command again: it goes on after the last whole one",
            ) from error


def fit(module: TrainingModule, device: torch.device, progress: Callable[[int, int], None] | None = None) -> Outcome:
    """Train, or go on where a killed training stopped, and leave the network at its best state.

    Args:
        module: The training; its folder holds `last.ckpt` where an earlier call was killed.
        device: Where to train.
        progress: Told the steps done and the steps in all.

    Raises:
        TrainingError: Too many batches were not finite, or the network collapsed; it is at its best state then too.
        KeyboardInterrupt: The user stopped it; the same call goes on.
    """
    started = time.monotonic()
    last = module.folder / LAST
    checkpoint = _agreed(_read(last, module) if module.processes.leads else None, last, module)
    try:
        if checkpoint is not None and _ended(checkpoint["lrface"], module):
            module.load_state_dict(checkpoint["state_dict"])
            module.on_load_checkpoint(checkpoint)
        elif module.loop.epochs:
            module.folder.mkdir(parents=True, exist_ok=True)
            _train(module, device, last if checkpoint is not None else None, progress)
    finally:
        # Lightning leaves every network on the CPU.
        module.to(module.place)
        module.restore_best()
    return module.outcome(started)


def _train(
    module: TrainingModule, device: torch.device, resume: Path | None, progress: Callable[[int, int], None] | None
) -> None:
    callbacks: list[Callback] = [LastCheckpoint(module.folder / LAST)]
    if progress is not None and module.processes.leads:
        callbacks.append(StepProgress(progress))
    with _as_before(), own_stream(device), warnings.catch_warnings():
        # Lightning advises on its own data loaders, which are not used here.
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            **_where(device, module.processes.count),
            max_epochs=module.loop.epochs,
            logger=False,
            callbacks=callbacks,
            plugins=[WholeFiles()],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            deterministic="warn" if device.type == "cuda" else True,
            barebones=False,
            default_root_dir=module.folder,
        )
        try:
            trainer.fit(module, ckpt_path=None if resume is None else str(resume), weights_only=True)
        except SystemExit as left:
            # Lightning turns an interrupt into an exit of its own, past whoever wants to say how to go on.
            if isinstance(left.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from left
            raise


def _where(device: torch.device, processes: int) -> dict[str, Any]:
    """Lightning's words for one device, or for the processes that `torchrun` or this project has started."""
    if processes == 1:
        return {"devices": [device.index or 0] if device.type == "cuda" else 1}
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    strategy = DDPStrategy(cluster_environment=TorchElasticEnvironment(), broadcast_buffers=False)
    return {"devices": here, "num_nodes": processes // here, "strategy": strategy}


@contextmanager
def _as_before() -> Iterator[None]:
    """Put back what Lightning changes for the whole process: deterministic algorithms, and what an interrupt does."""
    checks: Any = torch.utils.deterministic
    filled = checks.fill_uninitialized_memory
    # Writing NaN into all new memory finds faults of kernels; it costs a launch for each tensor.
    checks.fill_uninitialized_memory = False
    strict, warn = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    main = threading.current_thread() is threading.main_thread()
    interrupt = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warn)
        torch.backends.cudnn.benchmark = benchmark
        checks.fill_uninitialized_memory = filled
        if interrupt is not None:
            signal.signal(signal.SIGINT, interrupt)


def _read(last: Path, module: TrainingModule) -> dict[str, Any] | None:
    """The checkpoint, or none where there is none; one that is damaged is told, and the training starts over."""
    if not last.is_file():
        return None
    try:
        checkpoint: dict[str, Any] = torch.load(last, map_location="cpu", weights_only=True)
        _ended(checkpoint["lrface"], module), checkpoint["state_dict"]
    except (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        module.report.line(f"{module.stage}: {last} cannot be read ({reason}); the training starts over")
        return None
    return checkpoint


def _agreed(checkpoint: dict[str, Any] | None, last: Path, module: TrainingModule) -> dict[str, Any] | None:
    """The checkpoint that all go on with, if the leader does."""
    goes_on = module.processes.agreed(checkpoint is not None)
    if goes_on and checkpoint is None:
        checkpoint = _read(last, module)
    if goes_on and checkpoint is None:
        raise TrainingError(
            f"process {module.processes.rank} of {module.processes.count}",
            got=f"no checkpoint {last}, where process 0 has one",
            expected="one folder that all processes see",
            remedy="put the project on a disk that all machines share",
        )
    return checkpoint


def _ended(kept: dict[str, Any], module: TrainingModule) -> bool:
    """Whether that training had come to its end and was killed only afterwards."""
    return bool(kept["stopped"]) or len(kept["history"]) >= module.loop.epochs
