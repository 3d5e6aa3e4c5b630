"""Parts of `gpu_session.py` that no other benchmark has: a profile of one step, accuracy against the size of a batch.

    python benchmarks/card_part.py profile --out figures.json
    python benchmarks/card_part.py batch --batch 128 --out figures.json

`batch` trains a recogniser by the entry point `pretrain` on drawn people for the same number of faces whatever the
batch, with the learning rates of the default times the root of the batch's ratio (AdamW; Malladi et al., 2022, "On the
SDEs and scaling rules for adaptive gradient algorithms"). With LRFACE_CARD_PACK, the folder of a pack, it trains on
that, and with LRFACE_CARD_EDGEFACE, weights, it is `finetune` of these on small faces alone.
"""

import argparse
import json
import math
import os
import tempfile
import time
from pathlib import Path

import torch
from bench import own_store
from gpu_check import project, run
from loops import Bench, dsr_settings, dsr_training
from packs import drawn_pack
from torch.profiler import ProfilerActivity, profile

from lrface.config import FinetuneSettings, PretrainSettings
from lrface.models.device import pick_device
from lrface.tracking.runs.starting import start_run
from lrface.training.loop.fit import fit

KERNELS = 15


def profiled(device: torch.device, *, tiny: bool) -> dict[str, float]:
    """Milliseconds a step by kernel of DSR with preset `real`, the dearest first; eager, so that kernels have names."""
    on_gpu = device.type == "cuda"
    steps, batch = (1, 2) if tiny else (20, 64)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pack = drawn_pack(folder / "pack", subjects=5 if tiny else 8, images=3 if tiny else 6, workers=1)
        with start_run(own_store(folder), "profile", job="bench", params={}) as started:
            bench = Bench(folder, pack, started, device, steps, batch, val_faces=4)
            training = dsr_training(dsr_settings("real", bench), bench, folder / "dsr", batch * steps)
            kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
            with profile(activities=kinds) as found:
                fit(training, device)
    rows = found.key_averages()
    spent = {row.key: (row.self_device_time_total if on_gpu else row.self_cpu_time_total) / 1e3 for row in rows}
    dearest = sorted(spent, key=spent.__getitem__, reverse=True)[:KERNELS]
    whole = 2 * steps  # two epochs
    return {"all": sum(spent.values()) / whole, **{name[:60]: spent[name] / whole for name in dearest}}


def trained(batch: int, device: str, *, tiny: bool) -> dict[str, float]:
    """Figures of a training with a batch of this size, the last of each, and its faces a second, start included."""
    given, weights = os.environ.get("LRFACE_CARD_PACK"), os.environ.get("LRFACE_CARD_EDGEFACE")
    job = "finetune" if weights else "pretrain"
    usual = FinetuneSettings() if weights else PretrainSettings()
    scale = math.sqrt(batch / usual.loop.batch_size)
    faces, people = (64, 6) if tiny else (12_800 if weights else 25_600, 200)
    epochs = 1 if tiny else 20 if weights else 10
    set_on_top = [
        f"images_per_epoch={faces}",
        f"optim.backbone_lr={usual.optim.backbone_lr * scale:g}",
        f"optim.head_lr={usual.optim.head_lr * scale:g}",
        *(() if given else (f"data.faces.subjects={people}", f"data.faces.images_per_subject={6 if tiny else 20}")),
        *(("data.splits.val_subjects=2", "data.splits.test_subjects=2", "collapse.impostor_max=1.0") if tiny else ()),
        *(("collapse.effective_rank_min=1.0",) if tiny else ()),
    ]
    source = ("--data", "pack", "--source", str(Path(given).resolve())) if given else ("--data", "procedural")
    words = [job, *source, *(("--edgeface", str(Path(weights).resolve()), "--dsr", "none") if weights else ())]
    words += ["--batch_size", str(batch), "--epochs", str(epochs), "--overrides", " ".join(set_on_top)]
    with tempfile.TemporaryDirectory() as scratch:
        started = time.monotonic()
        ended = run(words, device, project(Path(scratch) / "project"))
        spent = time.monotonic() - started
    if ended.code:
        raise SystemExit(ended.line)
    figures = {key: value for (_, key), value in ended.metrics.items() if key.startswith("val/") or key == "train/loss"}
    return {
        "batch": batch,
        "lr_times": scale,
        "faces": epochs * faces,
        "faces_per_s": epochs * faces / spent,
        **figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("profile", "batch"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True, help="a JSON file for the figures")
    parser.add_argument("--tiny", action="store_true", help="to see that it runs")
    options = parser.parse_args()
    device = pick_device(options.device)
    if options.what == "profile":
        figures = profiled(device, tiny=options.tiny)
    else:
        figures = trained(options.batch, str(device), tiny=options.tiny)
    for name, value in figures.items():
        print(f"{name}: {value:.5g}")
    options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
