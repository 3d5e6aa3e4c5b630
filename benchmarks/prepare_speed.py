"""How near `prepare` comes to what decoding and warping alone would cost, and how much memory it takes.

    python benchmarks/prepare_speed.py --images 100000

Drawn faces, each under light of its own so that no two are alike, are written as JPEG with landmarks in a list. The
limit is what reading, decoding, fitting and warping alone cost on the same files: it is measured in other processes,
as many as `prepare` has threads, at ten moments of the very run, while `prepare` waits. Both are given in images per
second of processor time, so that other work on the machine counts as little as it can.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.pool import Pool
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lrface.base.cores import cores
from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, ReadSettings, SplitSettings
from lrface.data.sources.listed_table import ListSource
from lrface.images.alignment import TEMPLATE, robust_similarity, warp
from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.images.reading.reader import read_image

PER_SUBJECT = 20
MOMENTS = 10
LANDMARKS = [f"{axis}{number}" for number in range(1, 6) for axis in "xy"]


def write_images(root: Path, count: int, side: int, drawn: int) -> Path:
    """Draws some faces, and writes each many times under other light."""
    settings = ProceduralSettings(subjects=max(2, drawn // 4), images_per_subject=4, seed=1)
    faces = [cv2.resize(pixels, (side, side)) for _, _, pixels in render_faces(settings, workers=1)]
    generator = np.random.default_rng(0)
    rows = []
    points = TEMPLATE * side / 112
    for number in range(count):
        subject = f"s{number // PER_SUBJECT:05d}"
        path = root / subject / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        light = cv2.resize(generator.integers(-70, 71, (7, 7, 3)).astype(np.int16), (side, side))
        pixels = np.clip(faces[number % len(faces)] + light, 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
        rows.append((f"{subject}/{number}.jpg", subject, *(points + generator.normal(0, 1, (5, 2))).ravel()))
    table = root / "list.parquet"
    pd.DataFrame(rows, columns=["path", "subject", *LANDMARKS]).to_parquet(table)
    return table


def limit(table: Path, count: int, seed: int) -> float:
    """Seconds of processor time per image for decoding and warping alone."""
    rows = pd.read_parquet(table).sample(count, random_state=seed)
    points = rows[LANDMARKS].to_numpy().reshape(-1, 5, 2)
    start = time.process_time()
    for path, five in zip(rows["path"], points, strict=True):
        warp(read_image(table.parent / path, path, 10**8), robust_similarity(five))
    return (time.process_time() - start) / count


class Limit:
    """Measures the limit now and then while `prepare` runs."""

    def __init__(self, pool: Pool, workers: int, table: Path, images: int) -> None:
        self._pool, self._workers, self._table = pool, workers, table
        self._every = max(1, images // MOMENTS)
        self._count = min(images, 500)
        self.seconds: list[float] = []
        self.wall = 0.0

    def __call__(self, done: int, _: int) -> None:
        if done % self._every:
            return
        start = time.perf_counter()
        tasks = [(self._table, self._count, done + worker) for worker in range(self._workers)]
        self.seconds += self._pool.starmap(limit, tasks, chunksize=1)
        self.wall += time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--drawn", type=int, default=400, help="faces that are drawn, and written under other light")
    parser.add_argument("--side", type=int, default=160)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the images are kept for another run")
    options = parser.parse_args()
    workers = options.workers or cores()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch, multiprocessing.Pool(workers) as pool:
        folder = options.folder or Path(scratch) / "images"
        table = folder / "list.parquet"
        if not table.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            pool.apply(write_images, (folder, options.images, options.side, options.drawn))
        measure = Limit(pool, workers, table, options.images)
        read = ReadSettings(workers=workers, align=AlignSettings(mode="landmarks"))
        start, wall = time.process_time(), time.perf_counter()
        source = ListSource(table, read)
        pack, _ = prepare(source, Path(scratch) / "pack", SplitSettings(), CheckSettings(), progress=measure)
        spent, wall = time.process_time() - start, time.perf_counter() - wall - measure.wall
    best = float(np.mean(measure.seconds))
    low, high = 1 / max(measure.seconds), 1 / min(measure.seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"limit   {1 / best:8.0f} images per second and core ({low:.0f} to {high:.0f}), {workers} at a time")
    print(f"prepare {len(pack) / spent:8.0f} images per second and core, {100 * best * len(pack) / spent:.0f} % of it")
    print(f"wall    {len(pack) / wall:8.0f} images per second; peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
