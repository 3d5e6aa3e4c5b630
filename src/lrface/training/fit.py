"""Running a training: Lightning's loop, with a checkpoint after each epoch from which the same call goes on."""

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from lrface.training.module import Outcome, TrainingModule

LAST = "last.ckpt"
logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


class StepProgress(Callback):
    """Tells how far an epoch is."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self.progress = progress

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object) -> None:
        """One more batch."""
        del pl_module
        total = int(trainer.num_training_batches) * int(trainer.max_epochs or 1)
        self.progress(trainer.global_step, total)


def fit(module: TrainingModule, device: torch.device, progress: Callable[[int, int], None] | None = None) -> Outcome:
    """Train, or go on where a killed training stopped, and leave the network at its best state.

    Args:
        module: The training; its folder holds `last.ckpt` where an earlier call was killed.
        device: Where to train.
        progress: Told the steps done and the steps in all.

    Raises:
        TrainingError: Too many batches were not finite, or the network collapsed.
    """
    started = time.monotonic()
    if module.loop.epochs == 0:
        return module.outcome(started)
    module.folder.mkdir(parents=True, exist_ok=True)
    last = module.folder / LAST
    checkpoint = ModelCheckpoint(
        dirpath=module.folder, filename="epoch", save_last=True, save_top_k=0, save_on_train_epoch_end=True
    )
    callbacks: list[Callback] = [checkpoint]
    if progress is not None:
        callbacks.append(StepProgress(progress))
    with warnings.catch_warnings():
        # Lightning advises on its own data loaders, which are not used here.
        warnings.filterwarnings("ignore", module=r"lightning\..*")
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=[device.index or 0] if device.type == "cuda" else 1,
            max_epochs=module.loop.epochs,
            logger=False,
            callbacks=callbacks,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            deterministic="warn" if device.type == "cuda" else True,
            barebones=False,
            default_root_dir=module.folder,
        )
        trainer.fit(module, ckpt_path=str(last) if _whole(last) else None, weights_only=True)
    module.restore_best()
    return module.outcome(started)


def _whole(checkpoint: Path) -> bool:
    return checkpoint.is_file() and checkpoint.stat().st_size > 0
