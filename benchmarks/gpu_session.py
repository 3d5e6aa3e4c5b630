"""All that is to be measured on a card, in one call, in the order of its worth: `python benchmarks/gpu_session.py`.

    PYTHONPATH=src:benchmarks python benchmarks/gpu_session.py --out results/card --minutes 14

from a clone is enough, nothing is installed. Each step is a process of its own with a time limit of its own; what it
has found is in OUT/STEP.json as soon as it ends, and OUT/table.md tells all of them. The same call goes on with the
steps that are not there yet, so that several short times on a card make one measurement (`--again STEP` takes one
anew). A step for which too little of `--minutes` is left is not begun, and told. `--tiny` shows on a CPU that every
step runs.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEAST = 20.0
"""No step is begun with less time than this [s]."""


@dataclass(frozen=True)
class Step:
    """One thing that is measured.

    Attributes:
        name: Its name.
        seconds: How long it may take on a card.
        words: Its command behind `python`, with {out}, {device} and {scratch}.
        tiny: What is added to see that it runs.
    """

    name: str
    seconds: float
    words: tuple[str, ...]
    tiny: tuple[str, ...] = ()


DEVICE = ("--device", "{device}")
LOOPS = ("bench.py", *DEVICE, "--out", "{scratch}", "--loops")
PART = ("card_part.py", *DEVICE, "--out", "{out}")
STEPS: tuple[Step, ...] = (
    Step("gpu_check", 240, ("gpu_check.py", *DEVICE), ("--only", "prepare,pretrain")),
    Step("bench", 150, (*LOOPS, "embed,stage 1,stage 2,dsr real,dsr full,evaluate", "--quick"), ("--smoke",)),
    Step("bench_large", 90, (*LOOPS, "dsr real,dsr full", "--quick", "--batch", "64"), ("--smoke",)),
    Step("profile", 60, (*PART, "profile"), ("--tiny",)),
    Step("headline_finetune", 240, ("headline.py", *DEVICE, "--only", "finetune", "--out", "{out}")),
    Step("batch_64", 120, (*PART, "batch", "--batch", "64"), ("--tiny",)),
    Step("batch_128", 90, (*PART, "batch", "--batch", "128"), ("--tiny",)),
    Step("batch_256", 60, (*PART, "batch", "--batch", "256"), ("--tiny",)),
    Step("headline_dsr", 700, ("headline.py", *DEVICE, "--only", "dsr", "--out", "{out}")),
)
TINY_HEADLINE = ("--steps", "2", "--images", "200", "--subjects", "20")


def done(out: Path, step: Step) -> dict[str, object] | None:
    """What a step has found, if it has ended well before."""
    place = out / f"{step.name}.json"
    if not place.is_file():
        return None
    found: dict[str, object] = json.loads(place.read_text())
    return found if found.get("code") == 0 else None


def measured(step: Step, out: Path, device: str, limit: float, *, tiny: bool) -> dict[str, object]:
    """Run a step and save what came of it, also where it was cut off or failed."""
    scratch = out / "scratch" / step.name
    scratch.mkdir(parents=True, exist_ok=True)
    figures = scratch / "figures.json"
    figures.unlink(missing_ok=True)
    script, *rest = (word.format(out=figures, device=device, scratch=scratch) for word in step.words)
    more = (TINY_HEADLINE if script == "headline.py" else step.tiny) if tiny else ()
    path = os.pathsep.join([str(HERE.parent / "src"), str(HERE), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    started = time.monotonic()
    with (out / f"{step.name}.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, str(HERE / script), *rest, *more],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = 124
    found: dict[str, object] = {"step": step.name, "code": code, "seconds": round(time.monotonic() - started, 1)}
    for place in (figures, scratch / "latest.json"):
        if place.is_file():
            found["figures"] = json.loads(place.read_text())
    lines = (out / f"{step.name}.log").read_text(errors="replace").splitlines()
    found["lines"] = lines[-30:] if code or "figures" not in found else []
    write(out / f"{step.name}.json", json.dumps(found, indent=1) + "\n")
    return found


def write(place: Path, text: str) -> None:
    partial = place.with_name(f"{place.name}.partial")
    partial.write_text(text)
    partial.replace(place)


def table(out: Path, device: str, left_out: Sequence[str]) -> str:
    """All that is known so far."""
    import torch

    card = torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else "CPU"
    rows = [f"# Measured on {card}", "", f"- torch {torch.__version__}, Python {platform.python_version()}", ""]
    rows += ["| step | ended | s | figures |", "| --- | --- | --- | --- |"]
    for step in STEPS:
        place = out / f"{step.name}.json"
        if not place.is_file():
            rows.append(f"| {step.name} | {'no time left' if step.name in left_out else 'not begun'} | | |")
            continue
        found = json.loads(place.read_text())
        how = {0: "well", 124: "cut off"}.get(found["code"], f"code {found['code']}")
        rows.append(f"| {step.name} | {how} | {found['seconds']} | {_words(found)} |")
    return "\n".join(rows) + "\n"


def _words(found: dict[str, object]) -> str:
    figures = found.get("figures")
    if isinstance(figures, list):
        parts = [f"{row['loop']} {row['images_per_s']:.0f} of {row['limit_images_per_s']:.0f}" for row in figures]
    elif isinstance(figures, dict):
        numbers = {key: value for key, value in figures.items() if isinstance(value, int | float)}
        parts = [f"{key} {value:.5g}" for key, value in numbers.items()]
    else:
        lines = found.get("lines")
        parts = [str(line) for line in lines[-20:]] if isinstance(lines, list) else []
    return "; ".join(parts).replace("|", "/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "card")
    parser.add_argument("--minutes", type=float, default=14.0, help="time in all; what would not fit is not begun")
    parser.add_argument("--steps", default="", help="only these, by commas")
    parser.add_argument("--again", default="", help="these anew, by commas")
    parser.add_argument("--tiny", action="store_true", help="to see that all steps run: the figures mean nothing")
    options = parser.parse_args()
    names = [step.name for step in STEPS]
    chosen = options.steps.split(",") if options.steps else names
    again = options.again.split(",") if options.again else []
    for name in [*chosen, *again]:
        if name not in names:
            sys.exit(f"gpu-session: got {name}; expected {', '.join(names)}; correct the name")
    if options.device != "cpu":
        import torch

        if not torch.cuda.is_available():
            sys.exit("gpu-session: got no GPU that torch can use; expected one; run it on a machine with a GPU")
    options.out.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * options.minutes
    failed, left_out = 0, list[str]()
    for step in STEPS:
        if step.name not in chosen or (step.name not in again and done(options.out, step) is not None):
            continue
        left = ends - time.monotonic()
        if left < min(LEAST, step.seconds):
            left_out.append(step.name)
            continue
        limit = left if options.tiny else min(step.seconds, left)
        found = measured(step, options.out, options.device, limit, tiny=options.tiny)
        failed += found["code"] != 0
        print(f"{step.name}: code {found['code']}, {found['seconds']} s: {_words(found)[:300]}", flush=True)
        write(options.out / "table.md", table(options.out, options.device, left_out))
    text = table(options.out, options.device, left_out)
    write(options.out / "table.md", text)
    print(text)
    sys.exit(1 if failed or left_out else 0)


if __name__ == "__main__":
    main()
