"""What a name costs: a face of 16 pixels through the served pair, beside the networks alone, on one core.

    OMP_NUM_THREADS=1 python benchmarks/naming.py
    OMP_NUM_THREADS=1 python benchmarks/naming.py --people 10000 --repeats 500

The pair is DSR `edge` and EdgeFace-XXS with weights drawn at random, which cost what trained ones cost. A request is
what `mlflow models serve` hands to the pair: base64 in; decoded, restored, embedded, searched for, held against the
operating point for its size, and the SR face as base64 out. All are timed in turn. CPU time of the process stands
beside wall time, which on a machine that others use says more about them.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lrface.images.ranges import to_float
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.models.pair import Pair
from lrface.naming.calibration import CalibrationFaces, Origin, calibrate
from lrface.naming.gallery.file import FileGallery
from lrface.naming.operating_points import OperatingPoints
from lrface.tracking.served.images import encode_png
from lrface.tracking.served.model import ServedPair

WEIGHTS, WIDTH, SIDE = "a" * 64, 512, 16


def unit(generator: np.random.Generator, count: int) -> np.ndarray:
    drawn = generator.normal(size=(count, WIDTH))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def made_up(generator: np.random.Generator, people: int = 400) -> OperatingPoints:
    """Points of people of noise: as many curves as of real ones."""
    probes = {float(side): unit(generator, people) for side in (8, 10, 12, 16, 24, 32, 48, 112)}
    faces = CalibrationFaces(unit(generator, people), probes, np.arange(people))
    return calibrate(faces, Origin(WEIGHTS, "none"))


def timed(calls: dict[str, Callable[[], object]], repeats: int) -> pd.DataFrame:
    """Wall and CPU milliseconds of each call, in turn."""
    rows = []
    for number in range(repeats + 5):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if number >= 5:  # the first warm up
                spent = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
                rows.append((name, *spent))
    return pd.DataFrame(rows, columns=["call", "wall", "cpu"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1000, help="people in the gallery")
    parser.add_argument("--repeats", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    edgeface, dsr = EdgeFace("xxs").eval(), DSR("edge").eval()
    pair = Pair(edgeface, dsr, WEIGHTS)
    picture = generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    request = pd.DataFrame({"image": [encode_png(picture)]})
    tensor = to_float(picture[None])
    with tempfile.TemporaryDirectory() as scratch:
        gallery = FileGallery(Path(scratch) / "gallery.parquet")
        embedded = unit(generator, given.people)
        gallery.enrol({f"person {place}": embedded[place : place + 1] for place in range(given.people)}, WEIGHTS)
        served = ServedPair(pair, gallery, made_up(generator))

        def networks() -> object:
            with torch.inference_mode():
                return edgeface(dsr(tensor))

        calls: dict[str, Callable[[], object]] = {
            "networks alone": networks,
            "served, no name": lambda: served.predict(request, {}),
            "served, named at 0.35": lambda: served.predict(request, {"identify": True, "threshold": 0.35}),
            "served, named at FPIR 0.01": lambda: served.predict(request, {"identify": True}),
        }
        found = timed(calls, given.repeats)
    print(f"{SIDE} px, {given.people} people, one thread, {given.repeats} each; milliseconds")
    for name in calls:
        mine = found[found["call"] == name]
        for kind in ("cpu", "wall"):
            low, middle, high = np.percentile(mine[kind], [50, 95, 99])
            print(f"{name:28s} {kind:5s} p50 {low:7.2f}  p95 {middle:7.2f}  p99 {high:7.2f}")


if __name__ == "__main__":
    main()
