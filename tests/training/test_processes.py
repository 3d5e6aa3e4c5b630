"""Two processes train as one does on the same total batch."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lrface.errors import ConfigError
from lrface.training.losses.terms import contrast_loss
from lrface.training.processes import Processes

SCRIPT = Path(__file__).with_name("together.py")
NAMES = ("dsr", "edgeface", "resumed", "skipped")


def torchrun(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", SCRIPT, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.fixture(scope="module")
def together(tiny_pack, tmp_path_factory):
    out = tmp_path_factory.mktemp("together")
    done = torchrun(tiny_pack.root, out)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def alone():
    spec = importlib.util.spec_from_file_location("together", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_end_where_one_does(together, alone, tiny_pack, tmp_path, name):
    history, state, told = alone.CASES[name](tiny_pack, tmp_path)
    for rank in range(2):
        ours = load_file(together / f"{name}_{rank}.safetensors")
        theirs, shown = json.loads((together / f"{name}_{rank}.json").read_text())
        assert ours.keys() == state.keys()
        for key, value in state.items():
            torch.testing.assert_close(
                ours[key], value, rtol=1e-3, atol=2e-5, msg=lambda text, key=key: f"{key} {text}"
            )
        assert [record.keys() for record in theirs] == [record.keys() for record in history]
        for record, wanted in zip(theirs, history, strict=True):
            assert record == pytest.approx(wanted, rel=5e-3, abs=1e-3, nan_ok=True)
        assert shown == (told if rank == 0 else 0)
    one, other = (load_file(together / f"{name}_{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_leader_alone_has_written_checkpoints(together):
    assert [path.name for path in (together / "dsr").iterdir()] == ["last.ckpt"]


def test_a_process_that_dies_ends_the_others(tiny_pack, tmp_path):
    """Soon after its death, which is soon after the first checkpoint, and not when somebody has waited long enough."""
    done = torchrun(tiny_pack.root, tmp_path, "1")
    ended, last = time.time(), tmp_path / "dying" / "last.ckpt"

    assert done.returncode != 0
    assert ended - last.stat().st_mtime < 40
    assert not list(tmp_path.glob("*.json"))
    assert len(torch.load(last, weights_only=True)["lrface"]["history"]) == 1


def test_a_batch_that_cannot_be_shared_out_is_refused():
    three = Processes()
    three.count, three.rank = 3, 1

    assert three.part(9) == slice(3, 6)
    with pytest.raises(ConfigError, match="a multiple of 3"):
        three.part(8)


def test_parts_of_the_contrast_term_average_to_the_whole():
    generator = torch.Generator().manual_seed(0)
    restored, target = (torch.randn(6, 16, generator=generator) for _ in range(2))
    share = torch.rand(6, generator=generator)

    parts = [
        contrast_loss(restored[place], target[place], share[place], batch=target, first=place.start)
        for place in (slice(0, 3), slice(3, 6))
    ]

    torch.testing.assert_close(torch.stack(parts).mean(), contrast_loss(restored, target, share))
