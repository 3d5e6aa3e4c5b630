"""Every entry point on a GPU, its figures beside those of the CPU: `make gpu-check`, under four minutes on one card.

    python benchmarks/gpu_check.py                  from a clone: PYTHONPATH=src is enough, nothing is installed
    python benchmarks/gpu_check.py --device cpu     to see that it works: a CPU against itself

Each entry point runs with preset `smoke` on `--device` and on the CPU beside it, each in a store of its own; their last
metrics are compared by the tolerances below. One line an entry point; the exit code is 1 where one fails.
"""

import argparse
import json
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from lrface.images.procedural import ProceduralSettings, render_faces, subject_name

ROOT = Path(__file__).resolve().parents[1]

PAIR = ("--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle")
SEARCHED = ("--overrides", "loss.l1=1,3 images_per_epoch=16")
JOBS: tuple[tuple[str, ...], ...] = (
    ("main", "--preset", "smoke", "--overrides", "direct=true"),
    ("prepare", "--preset", "smoke"),
    ("pretrain", "--preset", "smoke"),
    ("train_dsr", "--preset", "smoke"),
    ("finetune", "--preset", "smoke"),
    ("finetune", "--preset", "smoke", "--overrides", "joint.lr=1e-3 optim.contrast=1 optim.ema=0.9"),
    ("evaluate", "--preset", "smoke", *PAIR),
    ("curve", "--preset", "smoke", *PAIR),
    ("sweep", "--preset", "smoke", *PAIR),
    ("compare", "--preset", "smoke"),
    ("promote", "--preset", "smoke"),
    ("verify", "--kind", "people", "--source", "{people}", "--overrides", "sizes=[16]"),
    ("export", "--out", "{out}"),
    ("gallery", "--action", "enrol", "--source", "{people}", *PAIR),
    ("gallery", "--action", "identify", "--source", "{people}", *PAIR),
    ("search", "--job", "train_dsr", "--preset", "smoke", "--epochs", "1", "--metric", "psnr", *SEARCHED),
    ("app", "--gallery", "{out}.parquet", *PAIR),
    ("inspect", "{weights}"),
)
"""In this order: what a later one reads an earlier one has registered. Of `app` all but the browser (`page_once.py`);
`inspect` has no device, and is there so that a bare machine is seen to have what it needs."""

TOLERANCES: tuple[tuple[str, float, float], ...] = (
    ("data/", 0.0, 0.0),
    ("rank1", 0.0, 0.101),
    ("tar_at_far", 0.0, 0.101),
    ("accuracy", 0.0, 0.101),
    ("psnr", 0.0, 0.15),
    ("effective_rank", 0.03, 0.0),
    ("norm_", 0.1, 0.01),
    ("share_", 0.0, 0.05),
    ("loss", 0.03, 0.005),
    ("similarity", 0.0, 0.01),
    ("impostor", 0.0, 0.02),
    ("ssim", 0.0, 0.01),
)
"""Part of a metric's name, and how far it may be off: a share of the CPU's figure, and as it is. What counts probes may
differ by two of twenty: half precision decides ties. Other metrics (times, thresholds) are not compared."""


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes:
        code: Exit code.
        line: Its last line.
        metrics: Last value of each metric, by run name and metric.
        seconds: Time it took.
    """

    code: int
    line: str
    metrics: Mapping[tuple[str, str], float]
    seconds: float


def run(job: Sequence[str], device: str, place: Path) -> Ended:
    """Run an entry point in a project folder of its own."""
    places = {"out": place / "exported", "people": place.parent / "people", "weights": _weights(place)}
    name, *rest = (part.format(**places) for part in job)
    module = [str(ROOT / "benchmarks" / "page_once.py")] if name == "app" else ["-m", "lrface", name]
    on = [] if name == "inspect" else ["--device", device]
    arguments = [sys.executable, *module, *rest, *on]
    path = os.pathsep.join([str(place / "src"), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    environment = {**os.environ, "PYTHONPATH": path}
    environment.pop("MLFLOW_TRACKING_URI", None)
    known = set(_metrics(place))
    started = time.monotonic()
    ended = subprocess.run(  # noqa: S603 - our own command
        arguments, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    spent = time.monotonic() - started
    lines = [*ended.stdout.splitlines(), *ended.stderr.splitlines()] if ended.returncode else ended.stdout.splitlines()
    found = {key: value for key, value in _metrics(place).items() if key not in known}
    figures = {key[1:]: value for key, value in found.items()}
    if name == "app" and not ended.returncode:
        figures |= {("page", key): value for key, value in json.loads(lines[-1]).items()}
    return Ended(ended.returncode, lines[-1] if lines else "", figures, spent)


def _weights(place: Path) -> Path:
    """Some recogniser that was registered; the folder itself where there is none yet."""
    found = sorted((place / "mlruns" / "artifacts").rglob("edgeface*/**/model.safetensors"))
    return found[0] if found else place / "mlruns"


def _metrics(place: Path) -> dict[tuple[str, str, str], float]:
    """Last value of every metric of a store, by run, its name and the metric."""
    database = place / "mlruns" / "mlflow.db"
    if not database.exists():
        return {}
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as store:
        rows = store.execute(
            "select runs.run_uuid, runs.name, latest_metrics.key, latest_metrics.value "
            "from latest_metrics join runs on runs.run_uuid = latest_metrics.run_uuid"
        ).fetchall()
    return {(str(run), str(name), str(key)): float(value) for run, name, key, value in rows}


def off(ours: Mapping[tuple[str, str], float], theirs: Mapping[tuple[str, str], float]) -> tuple[int, list[str]]:
    """How many metrics were compared, and those that are further off than they may be, the worst first."""
    compared, found = 0, []
    for key, wanted in theirs.items():
        bound = next((each for each in TOLERANCES if each[0] in key[1]), None)
        if bound is None or key[1].startswith("system/"):
            continue
        compared += 1
        allowed = bound[1] * abs(wanted) + bound[2]
        got = ours.get(key)
        if got is None or not abs(got - wanted) <= allowed:
            away = abs(got - wanted) / allowed if got is not None and allowed and math.isfinite(got) else math.inf
            found.append((away, f"{key[0]} {key[1]}: {got} against {wanted:.4g}, may be {allowed:.2g} off"))
    return compared, [text for _, text in sorted(found, reverse=True)]


def project(place: Path) -> Path:
    """A project folder with this clone's code and configs, and a store of its own."""
    place.mkdir()
    for name in ("src", "conf", "MLproject", "conda.yaml", "pyproject.toml"):
        (place / name).symlink_to(ROOT / name)
    (place / "mlruns").mkdir()
    return place


def drawn_people(folder: Path) -> None:
    """Pictures of drawn people, a folder each."""
    for subject, number, pixels in render_faces(ProceduralSettings(subjects=4, images_per_subject=3), workers=1):
        place = folder / subject_name(subject)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--jobs", type=int, default=len(JOBS), help="only the first so many")
    parser.add_argument(
        "--only", default="", help="only these entry points, by commas; they may need what `main` makes"
    )
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("gpu-check: got no GPU that torch can use; expected one; run it on a machine with a GPU")
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        drawn_people(Path(scratch) / "people")
        here, there = (project(Path(scratch) / name) for name in ("device", "cpu"))
        only = options.only.split(",") if options.only else [job[0] for job in JOBS]
        for job in [job for job in JOBS[: options.jobs] if job[0] in only]:
            with ThreadPoolExecutor(2) as both:
                beside = both.submit(run, job, options.device, here), both.submit(run, job, "cpu", there)
                ours, theirs = (future.result() for future in beside)
            compared, wrong = off(ours.metrics, theirs.metrics)
            bad = bool(ours.code or theirs.code or wrong)
            failed += bad
            told = f"{compared} figures agree" if not bad else (wrong[0] if wrong else f"{ours.line} | {theirs.line}")
            if len(wrong) > 1:
                told += f" (and {len(wrong) - 1} of {compared} more)"
            times = f"{ours.seconds:.0f} s, CPU {theirs.seconds:.0f} s"
            print(f"{'FAILED' if bad else 'ok'}: {' '.join(job[:1])}: {told}; {times}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
