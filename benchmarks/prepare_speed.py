"""How near `prepare` comes to what decoding and warping alone would cost, and how much memory it takes.

    python benchmarks/prepare_speed.py --images 100000

Images are made up, all different, and written as JPEG. The limit is measured on the same files in the same run,
before and after: read, decode, fit, warp, one file after the other, on one core. Both are given in images per
second of processor time, so that other work on the machine does not count.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lrface.data.aligner import AlignSettings
from lrface.data.checks import CheckSettings
from lrface.data.files import ReadSettings
from lrface.data.listed import ListSource
from lrface.data.prepare import prepare
from lrface.data.reading import read_image
from lrface.data.splits import SplitSettings
from lrface.images.alignment import TEMPLATE, robust_similarity, warp

PER_SUBJECT = 20


def write_images(root: Path, count: int, side: int) -> Path:
    generator = np.random.default_rng(0)
    rows = []
    points = TEMPLATE * side / 112
    for number in range(count):
        subject = f"s{number // PER_SUBJECT:05d}"
        path = root / subject / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        coarse = generator.integers(20, 236, (14, 14, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
        rows.append((f"{subject}/{number}.jpg", subject, *(points + generator.normal(0, 1, (5, 2))).ravel()))
    names = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]
    table = root / "list.parquet"
    pd.DataFrame(rows, columns=["path", "subject", *names]).to_parquet(table)
    return table


def limit(table: Path, count: int) -> float:
    """Seconds of processor time per image for decoding and warping alone."""
    rows = pd.read_parquet(table).sample(count, random_state=0)
    points = rows.iloc[:, 2:].to_numpy().reshape(-1, 5, 2)
    start = time.process_time()
    for path, five in zip(rows["path"], points, strict=True):
        warp(read_image(table.parent / path, path, 10**8), robust_similarity(five))
    return (time.process_time() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--workers", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        table = write_images(Path(folder), options.images, options.side)
        sample = min(options.images, 2000)
        before = limit(table, sample)
        read = ReadSettings(workers=options.workers, align=AlignSettings(mode="landmarks"))
        start, wall = time.process_time(), time.perf_counter()
        pack, _ = prepare(ListSource(table, read), Path(folder) / "pack", SplitSettings(), CheckSettings())
        spent, wall = time.process_time() - start, time.perf_counter() - wall
        after = limit(table, sample)
    best = min(before, after)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"limit   {1 / best:8.0f} images per second and core (before {1 / before:.0f}, after {1 / after:.0f})")
    print(f"prepare {len(pack) / spent:8.0f} images per second and core, {100 * best * len(pack) / spent:.0f} % of it")
    print(f"wall    {len(pack) / wall:8.0f} images per second; peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
