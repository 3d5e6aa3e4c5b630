"""The benchmarks run, loop by loop, on as little as they can: what they measure here means nothing."""

import json
import time
from pathlib import Path

import pytest
import torch

from lrface.losses import perceptual

LOOPS = ("embed", "stage 1", "stage 2", "dsr pixel", "dsr real", "dsr full", "evaluate")


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "benchmarks"))
    monkeypatch.setattr(perceptual, "SHA256_PREFIX", perceptual.SHA256_PREFIX)  # they allow weights that nobody trained
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    import bench
    import loops
    import packs

    return bench, loops, packs


@pytest.mark.filterwarnings("ignore")
def test_every_loop_runs_against_its_limit(modules, tmp_path):
    bench, loops, packs = modules
    assert tuple(loops.LOOPS) == LOOPS
    pack = packs.drawn_pack(tmp_path / "pack", subjects=5, images=3, workers=1)
    with bench.start_run(bench.own_store(tmp_path), "bench", job="bench", params={}) as run:
        small = loops.Bench(
            tmp_path, pack, run, torch.device("cpu"), steps=4, batch=2, finetune_batch=2, embed_batch=8, val_faces=4
        )
        found = [measure(small) for measure in loops.LOOPS.values()]
    sizes = bench.loading(tmp_path / "large", pack, images=32)
    text = bench.write(tmp_path / "out", found, sizes, torch.device("cpu"), time.monotonic())

    records = json.loads((tmp_path / "out" / "latest.json").read_text())
    assert [record["loop"] for record in records] == list(LOOPS)
    for record in records:
        assert record.keys() == {"loop", "images_per_s", "limit_images_per_s", "ratio", "peak_mb"}
        assert all(record[name] > 0 for name in record if name != "loop")
    assert (tmp_path / "out" / "latest.md").read_text() == text
    for name in ("augment", "degrade", "log", "5 epochs of the head", "PSNR and SSIM"):
        assert f"{name} " in text
