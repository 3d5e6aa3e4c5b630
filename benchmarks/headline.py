"""How long a user's whole trainings take: 30 epochs of fine-tuning and 100 of the super-resolver on 25,729 images.

    python benchmarks/headline.py                     on a GPU both whole; on a CPU a part, and the rest by arithmetic
    python benchmarks/headline.py --steps 4 --images 400 --subjects 40     to see that it works

The images are drawn faces over and over, in a pack of the real size; VGG19 has random weights, which take as long. The
settings are the jobs' defaults (5 epochs of the head and 25 of everything; L1, VGG19, identity, feature matching, TV).
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import torch
from bench import machine, own_store
from loops import Bench, Restorer, dsr_settings, dsr_training, finetune_training, restoring
from packs import drawn_pack, large_pack

from lrface.config import FinetuneSettings
from lrface.models.device import pick_device
from lrface.tracking.runs.starting import start_run
from lrface.training.head import cached_embeddings, train_head
from lrface.training.loop.fit import fit
from lrface.training.loop.module import TrainingModule

EPOCHS, DSR_EPOCHS = 25, 100


class Stopwatch:
    """Notes when each step is done."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def __call__(self, *_: object) -> None:
        self.at.append(time.perf_counter())


def trained(training: TrainingModule, device: torch.device, epochs: int, faces: int, *, whole: bool) -> float:
    """Seconds that `epochs` of `faces` take: all of them run, or by two short epochs."""
    watch = Stopwatch()
    started = time.perf_counter()
    fit(training, device, watch)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent = time.perf_counter() - started
    if whole:
        return spent
    steps = len(watch.at) // 2
    inside = [later - earlier for earlier, later in zip(watch.at[1:-1], watch.at[2:], strict=True)]
    inside.pop(steps - 2)
    step = sum(inside) / len(inside)
    # What is not steps: validation, checkpoint and picture, before the first epoch and after each of the two.
    rest = (spent - step * 2 * steps) / 3
    return epochs * (faces // training.loop.batch_size) * step + (epochs + 1) * rest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--images", type=int, default=25_729)
    parser.add_argument("--subjects", type=int, default=518)
    parser.add_argument("--steps", type=int, default=12, help="steps of each of two epochs, where a part is measured")
    parser.add_argument("--whole", action="store_true", help="run every epoch on a CPU too (days)")
    parser.add_argument("--batch", type=int, default=0, help="faces in a batch; 0: the defaults, 32 and 16")
    parser.add_argument("--only", choices=("", "finetune", "dsr"), default="", help="one of the two; empty: both")
    parser.add_argument("--out", type=Path, default=None, help="a JSON file for the figures")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"(lightning|kornia|timm|torch|mlflow|pytorch_metric_learning)(\..*)?")
    device = pick_device(options.device)
    whole = options.whole or device.type == "cuda"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small = drawn_pack(folder / "small", subjects=8)
        pack = large_pack(folder / "pack", small, options.images, options.subjects, sparse=False)
        store = own_store(folder)
        with start_run(store, "headline", job="headline", params={}) as run:
            bench = Bench(folder, pack, run, device, options.steps, options.batch or 16)
            figures = dict[str, float]()
            if options.only != "dsr":
                figures["finetune_s"] = finetune(bench, options.batch or 32, whole=whole)
            if options.only != "finetune":
                figures["dsr_s"] = dsr(bench, whole=whole)
    about = machine(device) | {"clock": "wall", "measured": "whole" if whole else f"2 x {options.steps} steps"}
    for name, text in about.items():
        print(f"{name}: {text}")
    for name, what in (("finetune_s", "fine-tuning, 30 epochs"), ("dsr_s", f"super-resolver, {DSR_EPOCHS} epochs")):
        if name in figures:
            print(f"{what} of {options.images} images: {_shown(figures[name])}")
    if options.out is not None:
        partial = options.out.with_suffix(".partial")
        partial.write_text(json.dumps(about | figures, indent=1) + "\n")
        partial.replace(options.out)


def finetune(bench: Bench, batch: int, *, whole: bool) -> float:
    settings = FinetuneSettings()
    epochs = EPOCHS if whole else 2
    loop = settings.loop.model_copy(update={"epochs": epochs, "batch_size": batch})
    settings = settings.model_copy(update={"loop": loop})
    restore = Restorer(restoring(bench))
    part = 0 if whole else batch * bench.steps
    training = finetune_training(settings, bench, bench.folder / "finetune", part, restore)
    data = training.data
    faces = len(data.rows)
    looked = data if whole else type(data)(data.pack, data.rows[:part], data.people[:part], 0, data.validation)
    started = time.perf_counter()
    embeddings, labels = cached_embeddings(
        bench.recogniser(), restore, looked, training.recipe, torch.Generator().manual_seed(0), bench.device
    )
    embedded = time.perf_counter() - started
    train_head(training.head.cpu(), embeddings, labels, settings.head, batch, 0)
    training.head.to(bench.device)
    stage_1 = (time.perf_counter() - started) * faces / len(looked.rows)
    print(f"stage 1: {_shown(stage_1)}, of which the embeddings {_shown(embedded * faces / len(looked.rows))}")
    stage_2 = trained(training, bench.device, EPOCHS, faces, whole=whole)
    print(f"stage 2: {_shown(stage_2)}, {EPOCHS * faces / stage_2:.1f} images/s")
    return stage_1 + stage_2


def dsr(bench: Bench, *, whole: bool) -> float:
    settings = dsr_settings("full", bench)
    loop = settings.loop.model_copy(update={"epochs": DSR_EPOCHS if whole else 2, "val_faces": 256})
    settings = settings.model_copy(update={"loop": loop})
    training = dsr_training(settings, bench, bench.folder / "dsr", 0 if whole else bench.batch * bench.steps)
    faces = sum(len(rows) for rows in training.data.groups)
    spent = trained(training, bench.device, DSR_EPOCHS, faces, whole=whole)
    print(f"DSR: {DSR_EPOCHS * faces / spent:.1f} images/s")
    return spent


def _shown(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.2f} h"


if __name__ == "__main__":
    main()
