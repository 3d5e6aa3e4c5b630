"""What both trainings do alike: finite steps, clipping by group, validation, the best state, early stop, resume."""

import math
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from lrface.errors import EvaluationError, NonFiniteError, TrainingError
from lrface.training.batches.ready import Ready, ReadySource, joined
from lrface.training.batches.source import Batch, EpochSource
from lrface.training.loop.book import EpochBook
from lrface.training.loop.findings import Finding
from lrface.training.loop.graph import Graphed
from lrface.training.processes import Processes
from lrface.training.settings import LoopSettings


class Reporter(Protocol):
    """Where a training tells what happens; the jobs give one that knows the tracker and the terminal."""

    def metrics(self, values: Mapping[str, float], epoch: int) -> None:
        """Values of an epoch."""

    def line(self, text: str) -> None:
        """A line for the terminal."""

    def finding(self, finding: Finding) -> None:
        """Something that a person should know."""

    def image(self, name: str, image: UInt8[np.ndarray, "h w 3"], epoch: int) -> None:
        """A picture of an epoch."""


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        epochs: Epochs that were run.
        best_epoch: The epoch whose state was kept, from 0; -1 where nothing beat the start.
        best: Validation metrics of that epoch.
        history: Metrics of each epoch.
        skipped: Batches left out as non-finite.
        seconds: Time spent in this process.
    """

    epochs: int
    best_epoch: int
    best: Mapping[str, float]
    history: tuple[Mapping[str, float], ...]
    skipped: int
    seconds: float


class TrainingModule(pl.LightningModule):
    """Base of the two trainings.

    Args:
        loop: Epochs, batch, patience.
        seed: Seed of every draw of the training.
        report: Where to tell what happens.
        folder: Working folder, for the checkpoint of the last epoch.
        device: Where to train, and where the networks are afterwards.
    """

    automatic_optimization = False
    stage = "train"
    shown: tuple[str, ...] = ()
    """Validation figures of the line that the terminal shows of an epoch."""
    start_competes = True
    """Whether the state before the first step may be the best one. A super-resolver that was never trained is bicubic
    enlargement, which a recogniser that has learnt on bicubic faces prefers to whatever is new: then nothing would
    ever be kept of its first training."""

    def __init__(self, loop: LoopSettings, seed: int, report: Reporter, folder: Path, device: torch.device) -> None:
        super().__init__()
        self.place = device
        self.loop = loop
        self.seed = seed
        self.report = report
        self.folder = folder
        self.processes = Processes()
        self.history: list[dict[str, float]] = []
        self.start_metrics: dict[str, float] = {}
        self.best_score: list[float] = []
        self.best_epoch = -1
        self.stopped = False
        self.skipped = 0
        self._best_state: dict[str, Tensor] = {}
        self._skipped_batches: list[dict[str, Any]] = []
        self._seen_findings: set[str] = set()
        self._book = EpochBook()
        self._rows: list[Tensor] = []
        self._rates: list[float] = []
        self._around = Ready({}, torch.zeros(0, dtype=torch.int64), 0, slice(0, 0), {})
        alone = self.processes.count == 1
        self._graphed = Graphed(self._step, device, report.line, self._forget_gradients, alone=alone)
        self.source: EpochSource | None = None

    @abstractmethod
    def trained(self) -> nn.Module:
        """The network that is evaluated and saved."""

    @abstractmethod
    def draw(self, batch: Batch, generator: torch.Generator) -> Any:  # noqa: ANN401 - its own `made` takes it
        """Every random choice for a batch."""

    @abstractmethod
    def made(self, faces: Batch, parts: Sequence[Batch], draws: Sequence[Any]) -> list[Ready]:
        """The steps of a group of batches, whose faces are `faces`, under their draws."""

    @abstractmethod
    def losses(self, ready: Ready) -> dict[str, Tensor]:
        """Loss of a batch under `loss`, and what else to average over the epoch; nothing is read back from a GPU."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Validation metrics of the state as it is."""

    @abstractmethod
    def score(self, metrics: Mapping[str, float]) -> list[float]:
        """What selection goes by; larger is better, later numbers settle ties."""

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Groups for the optimiser, each with `params`, `lr`, `name` and `clip` (largest norm of its gradient)."""

    def findings(self) -> list[Finding]:
        """What the history tells. A finding whose name starts with `stop_` ends the training."""
        return []

    def generator(self, *place: int) -> torch.Generator:
        """A generator for a place in the training, the same whether the training was resumed or not."""
        state = np.random.SeedSequence((self.seed, *place)).generate_state(2, np.uint64)
        return torch.Generator().manual_seed(int(state[0]) & 0x7FFF_FFFF_FFFF_FFFF)

    def configure_optimizers(self) -> Optimizer:
        """AdamW; on a GPU with its rates and steps in memory that a graph reads."""
        on_gpu = self.place.type == "cuda"
        optimizer = AdamW(self.parameter_groups(), weight_decay=self.weight_decay(), fused=True, capturable=on_gpu)
        self._rates = [float(group["lr"]) for group in optimizer.param_groups]
        return optimizer

    def rate_factor(self, step: int) -> float:
        """Warm-up, then half a cosine, as a function of the steps done."""
        steps_of_epoch = max(1, len(self.source or ()))
        steps = steps_of_epoch * max(1, self.loop.epochs)
        warmup = self.loop.warmup_epochs * steps_of_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        return max(0.02, 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1.0, steps - warmup)))))

    def weight_decay(self) -> float:
        """Decoupled weight decay of AdamW."""
        return 0.0

    def train_dataloader(self) -> ReadySource:
        """The steps."""
        assert self.source is not None  # noqa: S101 - set by the constructor of every training
        return ReadySource(self.source, self.prepared, self.place)

    def prepared(self, batches: Sequence[Batch]) -> list[Ready]:
        """Batches as the networks get them, each under the draw of its own step."""
        draws = [self.draw(batch, self.generator(self.current_epoch, batch.step)) for batch in batches]
        with torch.no_grad():
            return self.made(joined(batches, self.place), batches, draws)

    def transfer_batch_to_device(self, batch: Ready, device: torch.device, dataloader_idx: int) -> Ready:  # noqa: ARG002
        """It is there."""
        return batch

    def on_fit_start(self) -> None:
        """Take the state before the first step as the first candidate, so that training can only improve on it.

        A network that has never been trained is no candidate (`start_competes`).
        """
        if not self.best_score:
            start = self._validated("start")
            if self.start_competes:
                self.keep_best(self.score(start), -1)
            self.start_metrics = start
            self.report.metrics({f"val_start/{name}": value for name, value in start.items()}, 0)

    def on_train_epoch_start(self) -> None:
        """Reseed what draws from the global generator (stochastic depth), so that resuming is exact."""
        self._settle_optimizer()
        apart = () if self.processes.leads else (self.processes.rank,)
        torch.manual_seed(int(self.generator(self.current_epoch, 1 << 20, *apart).initial_seed()))
        self._book.clear()
        self._rows = []

    def training_step(self, batch: Ready, batch_idx: int) -> None:
        """One step; one whose loss or gradient is not finite changes nothing, and is told at the end of the epoch."""
        self._rows.append(batch.rows)
        self._set_rates(self.current_epoch * len(self.train_dataloader()) + batch_idx)
        if batch.step == 0:
            self.look_closely(batch)
        self._around = batch
        self._graphed({**batch.tensors, **batch.loose})

    def look_closely(self, ready: Ready) -> None:
        """What is told of the first batch of an epoch."""

    def moved(self) -> None:
        """What follows a step: a running mean, say."""

    def _step(self, inputs: Mapping[str, Tensor]) -> None:
        """Forward, backward, clip each group apart, step: nothing in it waits for the device."""
        ready = replace(self._around, tensors=inputs, loose={})
        optimizer = self._optimizer()
        values = self.losses(ready)
        loss = values["loss"]
        optimizer.zero_grad(set_to_none=True)
        self.manual_backward(loss)
        norms = {str(group["name"]): _clipped(group["params"], group["clip"]) for group in optimizer.param_groups}
        loss_fine = self.processes.least(torch.isfinite(loss.detach()).float())
        all_fine = loss_fine * torch.isfinite(torch.stack(list(norms.values()))).all().float()
        # AdamW leaves weights, moments and its own count alone where this is 1.
        optimizer.found_inf = 1 - all_fine  # type: ignore[attr-defined]
        optimizer.step()
        if not self._book.opened:
            self._book.open(list(values), list(norms), len(self.train_dataloader()), self.place)
        self._book.note(values, norms, loss_fine, all_fine)
        self.moved()

    def _forget_gradients(self) -> None:
        self._optimizer().zero_grad(set_to_none=True)

    def on_train_epoch_end(self) -> None:
        """Average, validate, keep the best, tell."""
        epoch, steps = self.current_epoch, len(self.train_dataloader())
        skipped = self._read_skipped()
        self._check_finite(epoch, skipped)
        train = {f"train/{name}": value for name, value in self._book.means(self.processes.mean).items()}
        train["train/skipped"] = float(skipped)
        for group, rate in zip(self._optimizer().param_groups, self._rates, strict=True):
            train[f"train/lr_{group['name']}"] = rate * self.rate_factor((epoch + 1) * steps)
        val = self._validated(f"epoch {epoch + 1}")
        score = self.score(val)
        best = score > self.best_score
        if best:
            self.keep_best(score, epoch)
        record = {**val, **{name.replace("/", "_"): value for name, value in train.items()}}
        self.history.append(record)
        self.report.metrics({**train, **{f"val/{name}": value for name, value in val.items()}}, epoch)
        self.report.line(self.epoch_line(train, val, best=best))
        self._tell_findings()
        if self.loop.patience and epoch - self.best_epoch >= self.loop.patience:
            self.report.line(f"no new best for {self.loop.patience} epochs: stopping")
            self.stopped = True
            self.trainer.should_stop = True

    def keep_best(self, score: list[float], epoch: int) -> None:
        """Keep the state of the trained network as the best so far; it is saved with the checkpoint of the epoch.

        Score and state go into one file, so that a kill cannot leave the score of one epoch with the state of another.
        """
        self.best_score, self.best_epoch = score, epoch
        self._best_state = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, value in self.trained().state_dict().items()
        }

    def restore_best(self) -> None:
        """Bring the trained network back to its best state; without one it stays as it is."""
        if self._best_state:
            self.trained().load_state_dict(self._best_state)

    def epoch_line(self, train: Mapping[str, float], val: Mapping[str, float], *, best: bool) -> str:
        """What the terminal shows of an epoch: losses, the validation figures in `shown`, rates; `*` is a new best."""
        parts = [
            f"{name.removeprefix('train/').removeprefix('loss_')} {value:.{4 if value < 100 else 0}f}"
            for name, value in train.items()
            if name.startswith(("train/loss", "train/accuracy"))
        ]
        figures = [f"{name} {val[name]:.{2 if name == 'psnr' else 3}f}" for name in self.shown if name in val]
        rates = [f"{name.removeprefix('train/')} {value:.1e}" for name, value in train.items() if "/lr_" in name]
        place = f"{self.stage} epoch {self.current_epoch + 1}/{self.loop.epochs}"
        return f"{place}  {'  '.join(parts)} | val {'  '.join(figures)} | {'  '.join(rates)}" + (" *" * best)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what a resumed training needs besides weights and optimiser."""
        checkpoint["lrface"] = {
            "history": self.history,
            "start": self.start_metrics,
            "best_score": self.best_score,
            "best_epoch": self.best_epoch,
            "best_state": self._best_state,
            "stopped": self.stopped,
            "skipped": self.skipped,
            "skipped_batches": self._skipped_batches,
            "findings": sorted(self._seen_findings),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up where a killed training stopped."""
        kept = checkpoint["lrface"]
        self.history, self.start_metrics = list(kept["history"]), dict(kept["start"])
        self.best_score, self.best_epoch = list(kept["best_score"]), int(kept["best_epoch"])
        self._best_state, self.stopped = dict(kept["best_state"]), bool(kept["stopped"])
        self.skipped, self._skipped_batches = int(kept["skipped"]), list(kept["skipped_batches"])
        self._seen_findings = set(kept["findings"])

    def outcome(self, started: float) -> Outcome:
        """The result, once the loop has ended."""
        best = self.history[self.best_epoch] if self.best_epoch >= 0 else self.start_metrics
        return Outcome(
            epochs=len(self.history),
            best_epoch=self.best_epoch,
            best=best,
            history=tuple(self.history),
            skipped=self.skipped,
            seconds=time.monotonic() - started,
        )

    @property
    def skipped_batches(self) -> list[dict[str, Any]]:
        """The batches left out: `epoch` and `step` from 0, `rows` of the pack, `loss`, and `norms` of the gradient.

        What is not finite stands there as text (`nan`, `inf`), so that the list is plain JSON; a batch whose loss was
        not finite has no norms.
        """
        return self._skipped_batches

    def _read_skipped(self) -> int:
        """Take down which batches of the epoch were left out."""
        records = self._book.left_out(self.processes.mean)
        self.skipped += len(records)
        self._skipped_batches += [
            {
                "epoch": self.current_epoch,
                "step": record.step,
                "rows": [int(row) for row in self._rows[record.step]],
                "loss": _plain(record.loss),
                "norms": {name: _plain(norm) for name, norm in record.norms.items()},
            }
            for record in records
        ]
        return len(records)

    def _validated(self, when: str) -> dict[str, float]:
        """Validation metrics, which the leader finds for all; a network whose output is not finite has none."""
        metrics, got = self.processes.agreed(self._judged() if self.processes.leads else ({}, ""))
        if got:
            raise self._not_finite(when, f"{got} in validation", "finite embeddings and images")
        return metrics

    def _judged(self) -> tuple[dict[str, float], str]:
        try:
            metrics = self.validate()
        except EvaluationError as error:
            return {}, error.got
        broken = [name for name in ("loss", "psnr", "similarity") if not math.isfinite(metrics.get(name, 0.0))]
        return metrics, f"{', '.join(broken)} not finite" if broken else ""

    def _not_finite(self, when: str, got: str, expected: str) -> NonFiniteError:
        return NonFiniteError(
            f"{self.stage} {when}",
            got=got,
            expected=expected,
            remedy="try optim.head_lr=5e-5, then optim.clip=0.5, then margin.scale=16 with margin.margin=0.2, "
            "then a larger EdgeFace; the best state so far is kept in the working folder",
        )

    def _check_finite(self, epoch: int, skipped: int) -> None:
        steps = len(self.train_dataloader())
        if skipped >= steps or skipped > max(1.0, self.loop.max_skipped * steps):
            raise self._not_finite(
                f"epoch {epoch + 1}",
                f"{skipped} of {steps} batches with a loss or gradient that is not finite",
                f"at most {self.loop.max_skipped:.0%}",
            )

    def _tell(self, findings: Sequence[Finding]) -> None:
        """Tell each finding once."""
        for finding in findings:
            if finding.name not in self._seen_findings:
                self._seen_findings.add(finding.name)
                self.report.finding(finding)

    def _tell_findings(self) -> None:
        found = self.findings()
        self._tell(found)
        for finding in found:
            if finding.name.startswith("stop_"):
                raise TrainingError(
                    f"{self.stage} epoch {self.current_epoch + 1}",
                    got=finding.cause,
                    expected="embeddings that tell people apart",
                    remedy=finding.remedy,
                )

    def _optimizer(self) -> Optimizer:
        wrapped: Any = self.optimizers()
        inner: Optimizer = wrapped.optimizer
        return inner

    def _settle_optimizer(self) -> None:
        """Bring the optimiser to the device; a checkpoint may have been written on another."""
        on_gpu = self.place.type == "cuda"
        for group, rate in zip(self._optimizer().param_groups, self._rates, strict=True):
            group["capturable"] = on_gpu
            group["lr"] = _rate_tensor(group["lr"], rate, self.place) if on_gpu else float(group["lr"])

    def _set_rates(self, step: int) -> None:
        factor = self.rate_factor(step)
        for group, rate in zip(self._optimizer().param_groups, self._rates, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate * factor)
            else:
                group["lr"] = rate * factor


def _rate_tensor(kept: float | Tensor, rate: float, device: torch.device) -> Tensor:
    """The rate in memory on the device, the same memory as before: a graph reads it there."""
    if isinstance(kept, Tensor) and kept.device.type == device.type:
        return kept
    return torch.tensor(rate, dtype=torch.float32, device=device)


def _plain(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)


@torch.no_grad()
def _clipped(parameters: Sequence[nn.Parameter], largest: float) -> Tensor:
    return nn.utils.clip_grad_norm_(parameters, largest).detach()
