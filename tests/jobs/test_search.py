"""`search`: a run for each trial below one parent, and the best of them."""

import json
import math
from types import SimpleNamespace

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lrface.cli.terminal.terminal import Terminal
from lrface.config import HyperSearchSettings
from lrface.jobs import search as searching
from lrface.jobs import train_dsr
from lrface.jobs.shared import trials
from lrface.jobs.shared.trials import Search

SMALL = ("--preset", "smoke", "--epochs", "1", "--metric", "psnr")
GRID = ("--overrides", "loss.l1=1,3 images_per_epoch=16")


def test_a_killed_grid_goes_on_with_the_trials_that_are_left(job, project, monkeypatch, tmp_path):
    before, plain, calls = project.registry()["dsr"], train_dsr.run, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(train_dsr, "run", killed)
    assert job("search", *SMALL, *GRID).code == 130
    assert project.run("search train_dsr").info.status == "KILLED"
    ended = job("search", *SMALL, *GRID, "--out", str(tmp_path))

    assert ended.code == 0, ended.err
    assert len(calls) == 3
    assert ended.out.count("done before") == 1
    (parent,) = [run for run in project.runs() if run.info.run_name == "search train_dsr"]
    trials = project.children(parent)
    assert parent.info.status == "FINISHED"
    assert [trial.data.params["loss.l1"] for trial in trials] == ["1.0", "3.0"]
    table = pd.read_csv(tmp_path / "trials.csv", float_precision="round_trip")
    assert set(table["run"]) == {trial.info.run_id for trial in trials}
    assert table["psnr"].tolist() == sorted(table["psnr"], reverse=True)
    assert parent.data.metrics["search/psnr"] == table["psnr"][0]
    assert parent.data.tags["best.run"] == table["run"][0]
    assert parent.data.tags["best.loss.l1"] == str(table["loss.l1"][0])
    assert table["version"][0] in ended.out.splitlines()[-1]
    assert {"trials.csv"} <= project.artifacts(parent)
    assert project.registry()["dsr"] == (before[0] + 2, before[1]), "trials move no alias"


def test_trials_are_spread_over_a_cluster_and_are_those_of_a_grid(job, project, ray_cluster, tmp_path):
    words = f"loss.l1=1,3 images_per_epoch=16 seed=5 cluster.engine=ray cluster.address={ray_cluster.address}"
    ended = job("search", *SMALL, "--overrides", words, "--out", str(tmp_path))

    assert ended.code == 0, ended.err
    assert sorted(line.split(":")[0] for line in ended.out.splitlines() if line.startswith("trial ")) == [
        "trial loss.l1=1",
        "trial loss.l1=3",
    ]
    parent = project.runs("tags.`lrface.job` = 'search'")[-1]
    trials = project.children(parent)
    assert sorted(trial.data.params["loss.l1"] for trial in trials) == ["1.0", "3.0"]
    runs = pd.read_csv(tmp_path / "trials.csv", float_precision="round_trip")["run"]
    assert set(runs) == {trial.info.run_id for trial in trials}


def test_a_launcher_and_a_cluster_are_one_too_many(job):
    words = "loss.l1=1,3 cluster.engine=ray hydra/launcher=joblib"
    assert "expected one way of spreading trials" in job("search", *SMALL, "--overrides", words).refused()


def test_a_search_by_mlflow_run_has_its_trials_below_it(project, mlflow_run):
    arguments = {"preset": "smoke", "epochs": "1", "metric": "psnr", "overrides": "seed=3,4 images_per_epoch=16"}
    given = [word for name, value in arguments.items() for word in ("-P", f"{name}={value}")]
    ended = mlflow_run(".", "-e", "search", *given, folder=project.root)

    assert ended.code == 0, ended.err
    parent = project.runs("tags.`lrface.job` = 'search'")[-1]
    trials = project.children(parent)
    assert [trial.data.params["seed"] for trial in trials] == ["3", "4"]
    assert parent.data.tags["best.run"] in {trial.info.run_id for trial in trials}
    assert parent.data.metrics["search/psnr"] > 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--overrides", "loss.l1=1"), "no key with several values"),
        (("--overrides", "loss.l1=interval(1,2)"), "a grid over the interval of loss.l1"),
        (("--overrides", "seed=range(1,10,0)"), "search over seed: got range(1,10,0"),
        (("--overrides", f"seed=range(1,{10**400})"), "expected a step, an end, and 10000 values or fewer"),
        (("--overrides", "seed=range(10,1)"), "a range without a value in it"),
        (("--overrides", "seed=range(1,1e18)"), "expected a step, an end, and 10000 values or fewer"),
        (("--overrides", "seed=1,2 loss.l1=glob(*)"), "search over loss.l1: got Glob"),
        (("--sampler", "optuna", "--overrides", "seed=tag(int,interval(0,inf))"), "expected an interval with two ends"),
        (("--sampler", "optuna", "--overrides", "loss.l1=1,2 hydra/launcher=joblib"), "hydra/launcher=joblib"),
        (("--overrides", "loss.l1=1,2 loss.ll=3"), "unknown key loss.ll"),
        (("--overrides", "loss.l1=1,2 trainer.devices=2"), "several in a search"),
        (("--overrides", "loss.l1=1,a"), "loss.l1: Input should be a valid number"),
        (("--overrides", "loss.ll=1,2"), "got unknown key loss.ll;"),
        (("--sampler", "optuna", "--overrides", "optim.lr=interval(0.1,7)"), "optim.lr: Input should be less than"),
        (("--job", "evaluate", "--overrides", "seed=1,2"), "'pretrain', 'finetune' or 'train_dsr'"),
    ],
)
def test_what_cannot_be_searched_is_refused(job, arguments, said):
    assert said in job("search", *arguments).refused()


def test_a_figure_that_a_training_does_not_have_is_refused_with_those_that_it_has(job, project):
    line = job("search", *SMALL[:-1], "beauty", "--overrides", "images_per_epoch=16 seed=1,1").refused()

    assert "got beauty" in line
    assert "psnr" in line


@pytest.fixture
def tries(monkeypatch):
    """Stands for the trainings: (x - 3)^2, and what was tried; a kill or a failure where asked for."""
    notes = SimpleNamespace(tried=[], kill_at=None)

    def try_out(search, config, tried):
        if len(notes.tried) == notes.kill_at:
            notes.kill_at = None
            raise KeyboardInterrupt
        notes.tried.append(dict(tried))
        assert config["optim"]["lr"] == float(tried["optim.lr"])
        value = float(tried["optim.lr"]) * 1000
        return math.nan if tried["loss.l1"] == "7" else -((value - 3) ** 2)

    monkeypatch.setattr(trials, "try_out", try_out)
    return notes


def sample(path, **settings):
    words = ["++optim.lr=tag(log,interval(1e-4,1e-1))", "++loss.l1=1,7"]
    sweeps = OverridesParser.create().parse_overrides(words)
    search = Search("train_dsr", ".", {}, "", "", "", "psnr")
    searching._sampled(search, HyperSearchSettings(**settings), [], sweeps, path, Terminal())


@pytest.mark.parametrize("sampler", ["random", "optuna"])
def test_a_killed_sampler_tries_the_cut_one_again_and_goes_on(tries, tmp_path, sampler):
    tries.kill_at = 4
    with pytest.raises(KeyboardInterrupt):
        sample(tmp_path / "journal", sampler=sampler, trials=8)
    cut = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    asked = [line["param_value_internal"] for line in cut if line.get("param_name") == "optim.lr"]
    sample(tmp_path / "journal", sampler=sampler, trials=8)

    assert float(tries.tried[4]["optim.lr"]) == pytest.approx(asked[4])
    failed = sum(tried["loss.l1"] == "7" for tried in tries.tried[:4])
    assert failed
    assert len(tries.tried) == 8 + failed, "another call makes up for trials that failed"
    assert len({tried["optim.lr"] for tried in tries.tried}) == len(tries.tried)


def test_the_same_seed_tries_the_same(tries, tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        sample(tmp_path / name, sampler="optuna", trials=1, seed=seed)
    kept = tries.tried
    assert kept[0] in kept[1:]
