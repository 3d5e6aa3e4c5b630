"""How near every loop comes to what its arithmetic alone would cost, on this machine.

    make bench          a table, also in benchmarks/results/latest.md, and latest.json
    make bench-quick    fewer steps, in under five minutes

Each loop is the job's own: its training module through `fit`, on a pack of drawn faces, reporting into a real MLflow
store. Its limit is the same forward, backward and step on tensors that are ready, on a GPU as one CUDA graph. Both run
in turn in one process.
"""

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from loops import LOOPS, Bench, Found
from packs import drawn_pack, large_pack

from lrface.data.pack.pack import Pack
from lrface.models.device import has_fast_bf16, pick_device
from lrface.tracking.runs.lineage import git_commit, package_versions
from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.store import Store, connect
from lrface.training.batches.ready import GROUP_FACES
from lrface.training.batches.source import EpochSource, shared_order

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000, 100_000)


def own_store(folder: Path) -> Store:
    """A SQLite store in a folder of its own, whatever the environment says."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    return connect(folder)


def loading(
    folder: Path, small: Pack, counts: Sequence[int] = SIZES, batch: int = 16, images: int = 2_000
) -> list[tuple[int, float, float]]:
    """For packs of several sizes: time for the order of an epoch [ms], and to read an image of it [us]."""
    found = []
    for count in counts:
        pack = large_pack(folder / str(count), small, count, max(20, count // 50), sparse=True)
        rows = np.arange(count)
        order, read = [], []
        for epoch in range(3):
            start = time.process_time()
            rows_of_epoch = shared_order([rows], [1.0], images, 0, epoch)
            order.append(time.process_time() - start)
            source = EpochSource(pack, partial(_same, rows_of_epoch), {}, batch, lambda: 0)
            start = time.process_time()
            faces = sum(len(item.faces) for item in source)
            read.append((time.process_time() - start) / faces)
        found.append((count, 1e3 * min(order), 1e6 * min(read)))
    return found


def _same(rows: np.ndarray, _epoch: int) -> np.ndarray:
    return rows


def machine(device: torch.device) -> dict[str, str]:
    versions = package_versions()
    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return {
        "processor": f"{cpu}, {torch.get_num_threads()} thread(s), bf16 {'fast' if has_fast_bf16(device) else 'slow'}",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "clock": "wall" if device.type == "cuda" or torch.get_num_threads() > 1 else "processor time",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "python": platform.python_version(),
        "commit": git_commit(ROOT),
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def table(
    found: Sequence[Found], sizes: Sequence[tuple[int, float, float]], about: dict[str, str], spent: float
) -> str:
    rows = [
        "# Speed of the loops against their limits",
        "",
        *(f"- {name}: {text}" for name, text in about.items()),
        f"- measured in {spent:.0f} s",
        "",
        "| loop | images/s | limit | ratio | peak MB | where the loop's time goes beside the networks | epoch's end |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for item in found:
        parts = ", ".join(f"{name} {share:.1f} %" for name, share in item.parts.items() if name != "validation")
        end = "" if item.between_s is None else f"{item.between_s:.2f} s"
        rows.append(
            f"| {item.loop} | {item.images_per_s:.1f} | {item.limit_images_per_s:.1f} | {item.ratio:.2f} | "
            f"{item.peak_mb:.0f} | {parts} | {end} |"
        )
    rows += [
        "",
        "| images in the pack | order of an epoch of 2,000, ms | reading an image, us |",
        "| --- | --- | --- |",
    ]
    rows += [f"| {count:,} | {order:.2f} | {read:.1f} |" for count, order, read in sizes]
    return "\n".join(rows) + "\n"


def write(
    out: Path, found: Sequence[Found], sizes: Sequence[tuple[int, float, float]], device: torch.device, started: float
) -> str:
    """Save what is known so far; a long run that is stopped has not been for nothing."""
    text = table(found, sizes, machine(device), time.monotonic() - started)
    out.mkdir(parents=True, exist_ok=True)
    for name, content in (
        ("latest.json", json.dumps([item.record() for item in found], indent=1) + "\n"),
        ("latest.md", text),
    ):
        partial = out / f"{name}.partial"
        partial.write_text(content)
        partial.replace(out / name)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--smoke", action="store_true", help="show that they run: the figures mean nothing")
    parser.add_argument(
        "--steps",
        type=int,
        default=0,
        help="steps of a loop that are measured; 0: 40, quick 10; on a GPU ten times as many",
    )
    parser.add_argument("--loops", default=",".join(LOOPS), help="which, by commas")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, default=16, help="faces in a batch of the super-resolver")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module=r"(lightning|kornia|timm|torch|mlflow|pytorch_metric_learning)(\..*)?")
    device, started = pick_device(options.device), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.smoke:
            pack = drawn_pack(folder / "pack", subjects=5, images=3, workers=1)
        else:
            pack = drawn_pack(folder / "pack", subjects=8 if options.quick else 14)
        store = own_store(folder)
        found = []
        with start_run(store, "bench", job="bench", params={}) as run:
            if options.smoke:
                bench = Bench(folder, pack, run, device, 4, batch=2, finetune_batch=2, embed_batch=8, val_faces=4)
            else:
                on_gpu = device.type == "cuda"
                usual = (100 if options.quick else 400) if on_gpu else (10 if options.quick else 40)
                embed = GROUP_FACES if on_gpu else 64
                bench = Bench(folder, pack, run, device, options.steps or usual, options.batch, embed_batch=embed)
            for name in options.loops.split(","):
                found.append(LOOPS[name](bench))
                item = found[-1]
                print(
                    f"{name:10s} {item.images_per_s:8.1f} images/s of {item.limit_images_per_s:8.1f}: {item.ratio:.2f}",
                    flush=True,
                )
                write(options.out, found, (), device, started)
        sizes = loading(folder / "large", pack, SIZES[:1] if options.smoke else SIZES)
    text = write(options.out, found, sizes, device, started)
    print(text)


if __name__ == "__main__":
    main()
