"""Jobs by several processes: the same end as by one, and one voice."""

import subprocess
import sys

import pytest

from lrface.cli.process.several import _told, count_wanted, device_of_process, lost
from lrface.cli.terminal.terminal import Terminal
from lrface.errors import ConfigError


def test_two_processes_make_one_version_that_is_as_good(job, project, person):
    arguments = ("--preset", "smoke", "--epochs", "1", "--device", "cpu", "--overrides")
    before = project.registry()["dsr"][0]
    alone = job("train_dsr", *arguments, "images_per_epoch=16")
    wanted = project.run("train_dsr baseline").data.metrics
    done = subprocess.run(
        [sys.executable, "-m", "lrface", "train_dsr", *arguments, "images_per_epoch=16 trainer.devices=2 seed=0"],
        cwd=project.root,
        env=person(PYTHONPATH="src"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert alone.code == 0, alone.err
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("dsr epoch 1/1") == 1
    runs = [run for run in project.runs() if run.info.run_name == "train_dsr baseline"]
    assert runs[-1].data.params["trainer.devices"] == "2"
    assert len(runs) == 3  # that of the cycle, and these two
    got = runs[-1].data.metrics
    assert got.keys() == wanted.keys()
    for name in ("train/loss", "val/psnr", "val/similarity", "val_best/psnr"):
        assert got[name] == pytest.approx(wanted[name], rel=1e-3)
    assert project.registry()["dsr"] == (before + 2, {"baseline": before + 2, "cycle": 2})


def test_two_processes_finetune_as_one_does(job, project, person):
    arguments = ("--preset", "smoke", "--epochs", "1", "--device", "cpu", "--overrides")
    alone = job("finetune", *arguments, "images_per_epoch=32")
    assert alone.code == 0, alone.err
    wanted = project.run("finetune pretrained").data
    before = project.registry()["edgeface"][0]
    done = subprocess.run(
        [sys.executable, "-m", "lrface", "finetune", *arguments, "images_per_epoch=32 trainer=ddp trainer.devices=2"],
        cwd=project.root,
        env=person(PYTHONPATH="src"),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finetune epoch 1/1") == 1
    got = project.run("finetune pretrained").data
    assert got.params["trainer.devices"] == "2"
    for name in ("train/loss", "val/similarity", "val/impostor"):
        assert got.metrics[name] == pytest.approx(wanted.metrics[name], rel=1e-3)
    assert project.registry()["edgeface"][0] == before + 1


def test_a_job_that_does_not_train_is_not_for_several(job, monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)

    assert "expected 1, since it does not train" in job("prepare").refused()


def test_a_wish_for_more_gpus_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)

    assert count_wanted("all", "auto") == 2
    assert count_wanted(2, "cuda") == 2
    assert count_wanted("all", "cpu") == 1
    assert count_wanted(4, "cpu") == 4
    with pytest.raises(ConfigError, match="at most 2"):
        count_wanted(3, "cuda")
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES"):
        count_wanted(2, "cuda:1")
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert str(device_of_process("cuda")) == "cuda:1"
    assert str(device_of_process("cpu")) == "cpu"


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        ({0: 3, 1: -9}, "process 1 of 2: got SIGKILL"),
        ({0: -15, 1: -9}, "process 1 of 2: got SIGKILL"),
        ({0: -11, 1: -15}, "process 0 of 2: got SIGSEGV"),
        ({0: 1, 1: 3}, ""),
        ({1: 1, 0: -15}, ""),
    ],
)
def test_one_line_names_the_process_that_ended_first(codes, said, capsys):
    assert _told(codes, 2, Terminal()) == 1

    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == bool(said)


def test_only_a_lost_neighbour_is_taken_for_one():
    assert lost(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3"))
    assert not lost(RuntimeError("shape mismatch"))
    assert not lost(ValueError("gloo"))
