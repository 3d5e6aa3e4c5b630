"""The benchmarks run, loop by loop, on as little as they can: what they measure here means nothing."""

import json
import re
import subprocess
import sys
import tarfile
from argparse import Namespace
from pathlib import Path

import pytest

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


@pytest.fixture
def lfw(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import lfw

    return lfw


def listed(folder, folds=3, each=2):
    lines = [f"A{fold}\t1\t{number}" for fold in range(folds) for number in range(2 * each)]
    (folder / "pairs.txt").write_text("\n".join([f"{folds}\t{each}", *lines]) + "\n")
    return folder


def test_some_folds_are_a_list_of_their_own(lfw, tmp_path):
    source = listed(tmp_path)

    found = lfw.some_folds(source, "2-3", tmp_path / "out").read_text().splitlines()

    assert found[0] == "2\t2"
    assert found[1:] == [f"A{fold}\t1\t{number}" for fold in (1, 2) for number in range(4)]
    assert lfw.some_folds(source, None, tmp_path) == source


@pytest.mark.parametrize("folds", ["2", "0-2", "2-4", "3-2", "all", "1-"])
def test_folds_that_are_not_there_are_refused(lfw, tmp_path, folds):
    with pytest.raises(SystemExit, match="expected two folds or more"):
        lfw.some_folds(listed(tmp_path), folds, tmp_path / "out")


@pytest.mark.skipif(not hasattr(tarfile, "data_filter"), reason="tars are unpacked by Python 3.11.4 and later")
def test_tars_are_unpacked_side_by_side_and_once(lfw, tmp_path):
    for name in ("one", "two"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "1.txt").write_text(name)
        with tarfile.open(tmp_path / f"{name}.tar", "w") as archive:
            archive.add(tmp_path / "train" / name, f"train/{name}")
    tars = [tmp_path / "one.tar", tmp_path / "two.tar"]

    found = lfw.unpacked(tars, tmp_path / "out")
    (found / "kept").touch()

    assert {path.name for path in found.iterdir()} == {"one", "two", "kept"}
    assert (lfw.unpacked(tars, tmp_path / "out") / "kept").exists()
    assert lfw.unpacked([tmp_path / "train"], tmp_path / "out") == tmp_path / "train"
    with pytest.raises(SystemExit, match="files that are there"):
        lfw.unpacked([tmp_path / "none"], tmp_path / "out")


def test_a_python_that_cannot_unpack_safely_does_not_unpack(lfw, tmp_path, monkeypatch):
    with tarfile.open(tmp_path / "one.tar", "w") as archive:
        archive.add(Path(__file__), "train/one/1.txt")
    monkeypatch.delattr(tarfile, "data_filter", raising=False)

    with pytest.raises(SystemExit, match=r"3\.11\.4 or later"):
        lfw.unpacked([tmp_path / "one.tar"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_seed_at_once_is_refused_before_anything_is_made(lfw, tmp_path, monkeypatch):
    words = ["--train", "t", "--lfw", "l", "--edgeface", "e", "--out", str(tmp_path / "out"), "--beside", "0"]
    monkeypatch.setattr("sys.argv", ["lfw.py", *words])
    with pytest.raises(SystemExit, match="--beside: got 0; expected 1 or more"):
        lfw.main()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--seeds": ["0", "1", "0"]}, "--seeds: got 0 1 0; expected different ones"),
        ({"--edgeface": ["nowhere.pt"]}, "--edgeface: got nowhere.pt; expected a file or folder that is there"),
        ({"--judge": ["nowhere.onnx"]}, "--judge: got nowhere.onnx"),
        ({"--conditions": ["clean", "fog"]}, "--conditions: got fog; expected some of clean, "),
        ({"--sizes": ["4"]}, "--sizes: got 4; expected 8 to 111"),
        ({"--lfw": ["PLACE"]}, "without pairs.txt"),
    ],
)
def test_what_would_be_refused_after_the_training_is_refused_before(lfw, tmp_path, monkeypatch, changed, said):
    place = str(tmp_path)
    words = {"--train": [place], "--lfw": [place], "--edgeface": [place], "--out": [f"{place}/out"]} | changed
    flat = [word.replace("PLACE", place) for name, values in words.items() for word in (name, *values)]
    monkeypatch.setattr("sys.argv", ["lfw.py", *flat])
    with pytest.raises(SystemExit, match=re.escape(said)):
        lfw.main()
    assert not (tmp_path / "out" / "pack").exists()


def test_a_step_is_done_as_long_as_what_it_reads_is_the_same(lfw, tmp_path, monkeypatch):
    """Once the table of a new training was made of the figures of the one before."""
    ran, weights, faces = [], tmp_path / "weights.pt", tmp_path / "lfw"
    faces.mkdir()
    weights.write_bytes(b"one")
    monkeypatch.setattr(
        lfw.subprocess, "run", lambda words, **_: ran.append(words[3]) or subprocess.CompletedProcess(words, 0)
    )
    project = lfw.Project(tmp_path / "seed0")

    def all_of_it(*words):
        ran.clear()
        project.job("main", "main", list(words), [weights])
        project.job("verify-clean", "verify", ["--sizes", "8"], [faces])
        return list(ran)

    assert all_of_it("a") == ["main", "verify"]
    assert all_of_it("a") == []
    assert all_of_it("b") == ["main", "verify"]
    weights.write_bytes(b"two")
    assert all_of_it("b") == ["main", "verify"]
    (faces / "1.jpg").touch()
    assert all_of_it("b") == ["verify"]


def test_another_picture_is_another_state(lfw, tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "1.jpg").write_bytes(b"one")
    before = lfw.state_of(tmp_path)
    assert lfw.state_of(tmp_path) == before
    (tmp_path / "ann" / "2.jpg").write_bytes(b"one")
    after = lfw.state_of(tmp_path)
    assert after != before
    (tmp_path / "ann" / "2.jpg").write_bytes(b"other")
    assert lfw.state_of(tmp_path) not in {before, after}


def test_the_table_has_the_mean_of_the_seeds_and_the_pair_over_direct(lfw, tmp_path):
    def record(arm, size, metric, value, low=None, high=None):
        return {
            "set": "lfw",
            "arm": arm,
            "size": size,
            "metric": metric,
            "value": value,
            "low": low,
            "high": high,
            "n": 600,
        }

    for seed, accuracy in ((0, 0.80), (1, 0.84)):
        folder = tmp_path / f"seed{seed}" / "clean"
        folder.mkdir(parents=True)
        both = record("bicubic-direct", 8, "accuracy", 0.7) | {"set": "lfw_both_small"}
        records = [
            both,
            record("bicubic-direct", 8, "accuracy", 0.80),
            record("dsr_cycle-finetuned", 8, "accuracy", accuracy),
            record("dsr_cycle-finetuned", 8, "accuracy_over_direct", accuracy - 0.8, accuracy - 0.82, accuracy - 0.78),
            record("hr-direct", 112, "accuracy", 0.99),
        ]
        (folder / "metrics.json").write_text(json.dumps(records))
        named = tmp_path / f"seed{seed}" / "people-clean"
        named.mkdir()
        people = [
            record("dsr_cycle-finetuned", 8, "rank1", accuracy - 0.4),
            record("dsr_cycle-finetuned", 8, "rank1_over_direct", 0.03, 0.01, 0.05),
        ]
        (named / "metrics.json").write_text(json.dumps(people))

    text, _ = lfw.lfw_figures.told(
        [tmp_path / "seed0", tmp_path / "seed1"], Namespace(conditions=["clean", "blur"], verify=[])
    )

    assert "| **DSR cycle, finetuned: the pair** | 82.0 ±2.8 |" in text
    assert "| accuracy | +2.0 (+0.0 to +4.0) |" in text
    assert "direct 99.0 ±0.0" in text
    assert "## lfw, clean: shrunk by antialiased bicubic" in text
    assert "600 pairs, both faces small;" in text.partition("## lfw_both_small, clean")[2]
    assert "| **bicubic, direct** | 70.0 ±0.0 |" in text
    naming = text.partition("## Naming, clean")[2]
    assert "600 probes among everybody" in naming
    assert "| **DSR cycle, finetuned: the pair** | 42.0 ±2.8 |" in naming
    assert "| rank-1 | +3.0 (+1.0 to +5.0) |" in naming
    assert "blur" not in text


@pytest.fixture
def check(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu_check

    return gpu_check


def test_a_figure_that_is_further_off_than_it_may_be_is_told(check):
    theirs = {("run", "val/psnr"): 20.0, ("run", "train/loss"): 1.0, ("run", "system/cpu"): 3.0, ("run", "data/a"): 4.0}
    assert check.off({**theirs, ("run", "val/psnr"): 20.1, ("run", "system/cpu"): 9.0}, theirs) == (3, [])
    compared, wrong = check.off({("run", "val/psnr"): 20.2, ("run", "train/loss"): float("nan")}, theirs)
    assert compared == 3
    assert [text.split(":")[0] for text in wrong] == ["run train/loss", "run data/a", "run val/psnr"]


def test_without_a_gpu_the_check_is_one_line(check, monkeypatch):
    monkeypatch.setattr(check.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu_check.py"])
    with pytest.raises(SystemExit, match="got no GPU that torch can use; expected one"):
        check.main()


@pytest.fixture
def session(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import gpu_session

    return gpu_session


SCRIPT = """
import json, sys, time
from pathlib import Path
what, out = sys.argv[1:3]
Path(out).with_name("calls").open("a").write(what)
print("said", what)
if what == "slow":
    time.sleep(600)
if what == "wrong":
    sys.exit("got nothing")
Path(out).write_text(json.dumps({"images_per_s": 12.5, "card": "none"}))
"""


def measure(session, monkeypatch, tmp_path, *words, seconds=60.0):
    script = tmp_path / "part.py"
    script.write_text(SCRIPT)
    steps = [
        session.Step(name, 0.5 if name == "slow" else seconds, (str(script), name, "{out}"))
        for name in ("good", "slow", "wrong", "last")
    ]
    monkeypatch.setattr(session, "STEPS", tuple(steps))
    monkeypatch.setattr("sys.argv", ["gpu_session.py", "--device", "cpu", "--out", str(tmp_path / "out"), *words])
    with pytest.raises(SystemExit) as left:
        session.main()
    calls = {path.parent.name: path.read_text() for path in (tmp_path / "out" / "scratch").glob("*/calls")}
    return left.value.code, calls, (tmp_path / "out" / "table.md").read_text()


def test_a_session_on_a_card_saves_each_step_and_goes_on_with_those_that_are_left(session, monkeypatch, tmp_path):
    code, calls, table = measure(session, monkeypatch, tmp_path)
    assert code == 1
    assert calls == {"good": "good", "wrong": "wrong", "last": "last"} | ({"slow": "slow"} if "slow" in calls else {})
    for row in (
        "| good | well |",
        "| slow | cut off |",
        "| wrong | code 1 |",
        "images_per_s 12.5",
        "said wrong; got not",
    ):
        assert row in table
    assert json.loads((tmp_path / "out" / "good.json").read_text())["figures"]["images_per_s"] == 12.5

    code, calls, _ = measure(session, monkeypatch, tmp_path, "--again", "last", "--steps", "good,last")
    assert (code, calls["good"], calls["last"]) == (0, "good", "lastlast"), "what is there is not done again"


def test_a_step_for_which_no_time_is_left_is_not_begun_and_told(session, monkeypatch, tmp_path):
    code, calls, table = measure(session, monkeypatch, tmp_path, "--minutes", "0.1", "--steps", "good,last")
    assert (code, calls) == (1, {})
    assert "| good | no time left |" in table
    assert "| wrong | not begun |" in table


def test_a_session_without_a_card_or_of_an_unknown_step_is_one_line(session, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu_session.py"])
    with pytest.raises(SystemExit, match="got no GPU that torch can use; expected one"):
        session.main()
    monkeypatch.setattr("sys.argv", ["gpu_session.py", "--steps", "bensch"])
    with pytest.raises(SystemExit, match="got bensch; expected gpu_check, bench,"):
        session.main()


def test_every_entry_point_is_in_the_check(check):
    entries = set(re.findall(r"^  (\w+):$", (ROOT / "MLproject").read_text(), flags=re.MULTILINE))
    assert {job[0] for job in check.JOBS} == entries
