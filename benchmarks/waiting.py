"""What it costs and gains that OpenMP's threads wait without spinning: the same training steps in turn.

    python benchmarks/waiting.py --idle 0.1        pairs of a machine that has nothing else to do
    python benchmarks/waiting.py --busy 2          beside so many busy programs, which are started here

One process for each way of waiting is made ready once, and then asked for a burst of steps, one after the other, turn
by turn. With `--idle` a turn counts only if other programs took no more than that share of the cores in each of its
bursts, so that a machine which is shared can be measured in its quiet moments. What is told is the median over the
turns of how many times as fast each way is as the first, and the quartiles.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import numpy as np

from lrface.cli.process.waiting import use

WAYS = {"as it comes": {}, "passive": {"OMP_WAIT_POLICY": "passive"}, "spin 1000": {"GOMP_SPINCOUNT": "1000"}}
OWN = ("OMP_", "GOMP_", "KMP_")
BUSY = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Ends with who started it, also where that was killed."""


def worker(steps: int, batch: int) -> None:
    """Steps of DSR `edge` under EdgeFace, a burst for each line of the standard input; seconds of each burst."""
    import torch

    from lrface.models.dsr.network import DSR
    from lrface.models.edgeface.network import EdgeFace

    torch.manual_seed(0)
    dsr, judge = DSR("edge"), EdgeFace("xxs").eval().requires_grad_(requires_grad=False)
    optimiser = torch.optim.AdamW(dsr.parameters(), fused=True)
    small, large = torch.rand(batch, 3, 16, 16), torch.rand(batch, 3, 112, 112)
    with torch.no_grad():
        wanted = judge(large)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            faces = dsr(small).float()
        likeness = (judge(faces) * wanted).sum(1).mean()
        (torch.nn.functional.l1_loss(faces, large) - likeness).backward()
        optimiser.step()

    for _ in range(3):
        step()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        start, spent = time.perf_counter(), time.process_time()
        for _ in range(steps):
            step()
        sys.stdout.write(f"{time.perf_counter() - start} {time.process_time() - spent}\n")
        sys.stdout.flush()


class Way:
    """A process that does steps in one way of waiting."""

    def __init__(self, setting: dict[str, str], threads: int, words: list[str]) -> None:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, __file__, "--worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**plain, "OMP_NUM_THREADS": str(threads), **setting},
            text=True,
            bufsize=1,
        )

    def ready(self) -> None:
        self._pipe(self._process.stdout).readline()

    def burst(self) -> tuple[float, float]:
        """Seconds of a burst, by the clock and of the cores, and the share of the cores that other programs took."""
        before = use()
        self._pipe(self._process.stdin).write("go\n")
        wall, spent = (float(word) for word in self._pipe(self._process.stdout).readline().split())
        after = use()
        others = (after.busy - before.busy - spent) / max(1e-9, after.passed - before.passed)
        return wall, others

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=12, help="that count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8, help="of a burst")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--idle", type=float, default=1.0, help="largest share of the cores that others may take")
    parser.add_argument("--busy", type=int, default=0, help="programs that keep a core busy, beside it")
    parser.add_argument("--minutes", type=float, default=10.0, help="after which it ends with what it has")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.turns, options.threads, options.steps) < 1 or options.batch < 2 or options.busy < 0:
        parser.error("expected turns, threads and steps of 1 or more, a batch of 2 or more, busy of 0 or more")
    if options.worker:
        worker(options.steps, options.batch)
        return
    words = ["--steps", str(options.steps), "--batch", str(options.batch)]
    ways = {name: Way(setting, options.threads, words) for name, setting in WAYS.items()}
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(options.busy)]  # noqa: S603
    turns: list[dict[str, float]] = []
    others: list[float] = []
    ends = time.monotonic() + 60 * options.minutes
    try:
        for way in ways.values():
            way.ready()
        while len(turns) < options.turns and time.monotonic() < ends:
            found = {name: way.burst() for name, way in ways.items()}
            most = max(share for _, share in found.values())
            if most <= options.idle:
                turns.append({name: wall / options.steps for name, (wall, _) in found.items()})
                others.append(most)
                print(json.dumps({**turns[-1], "others": most}), flush=True)
    finally:
        for way in ways.values():
            way.end()
        for process in busy:
            process.kill()
            process.wait()
    if not turns:
        sys.exit(
            f"waiting: no turn in which others took {options.idle:.0%} of the cores or less; try a quieter machine"
        )
    first = next(iter(WAYS))
    print(f"{len(turns)} turns of {options.steps} steps; others took {np.median(others):.0%} of the cores (median)")
    for name in WAYS:
        ratios = np.array([turn[first] / turn[name] for turn in turns])
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        speed = 1 / np.median([turn[name] for turn in turns])
        print(f"{name:12} {speed:6.2f} steps/s, {middle:.3f} times as fast (quartiles {low:.3f} to {high:.3f})")
    if options.out:
        options.out.write_text(json.dumps(turns, indent=1) + "\n")


if __name__ == "__main__":
    main()
