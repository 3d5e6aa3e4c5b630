"""The benchmarks run, loop by loop, on as little as they can: what they measure here means nothing."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOOPS = ["embed", "stage 1", "stage 2", "dsr pixel", "dsr real", "dsr full", "evaluate"]


def test_every_loop_runs_against_its_limit(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/bench.py", "--smoke", "--device", "cpu", "--out", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    records = json.loads((tmp_path / "latest.json").read_text())
    assert [record["loop"] for record in records] == LOOPS
    for record in records:
        assert record.keys() == {"loop", "images_per_s", "limit_images_per_s", "ratio", "peak_mb"}
        assert all(record[name] > 0 for name in record if name != "loop")
    table = (tmp_path / "latest.md").read_text()
    for name in ("load", "augment", "degrade", "log", "5 epochs of the head", "PSNR and SSIM"):
        assert f" {name} " in table, f"no time was taken of {name}"
