"""`lrface JOB ...`: the same jobs under one command, at once."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lrface
from lrface.cli import program as cli
from lrface.cli.process.environment import started

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"torch", "mlflow", "lightning", "kornia", "pandas", "cv2", "hydra"}
SCRIPT = f"""
import sys
from lrface.cli.program import main
for command in sys.argv[1:]:
    try:
        main(command.split())
    except SystemExit as left:
        print("left", left.code, *sorted({HEAVY!r} & set(sys.modules)))
"""


@pytest.fixture
def typed(monkeypatch, capsys):
    """What comes of a command line: exit code, output and error."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["/usr/bin/lrface", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


def test_it_knows_every_entry_point():
    entries = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]

    assert set(cli.JOBS) == {*entries, "info"}
    assert len(cli.JOBS) == len(set(cli.JOBS))


def test_alone_it_lists_them_with_a_line_each(typed):
    code, out, err = typed()

    rows = dict(line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  "))
    assert (code, err) == (0, "")
    assert list(rows) == list(cli.JOBS)
    assert rows["gallery"].startswith("enrol people, list them")
    assert typed("--help") == (0, out, "")


def test_lists_help_and_refusals_come_before_anything_heavy(person, tmp_path, request):
    """Hydra, which the parameters of a job need, is the one exception, and torch is not among them."""
    commands = ["", "--version", "nothing", "inspect --help", "info --help", "info --colour"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *commands],
        cwd=tmp_path,
        env=person(PYTHONPATH=str(request.config.rootpath / "src")),
        capture_output=True,
        text=True,
        check=True,
    )

    left = [line for line in done.stdout.splitlines() if line.startswith("left ")]
    assert left == ["left 0", "left 0", "left 1", "left 0", "left 0", "left 1"]
    assert f"lrface {lrface.__version__}" in done.stdout
    assert done.stderr.count("error: ") == 2


def test_a_job_that_is_none_is_one_line_with_what_may_be_meant(typed):
    code, out, err = typed("train-DSRs", "--log", "quiet")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "did you mean train_dsr?" in err

    code, out, err = typed("galery", "--log", "json")
    assert (code, err) == (1, "")
    assert json.loads(out)["remedy"].startswith("name a job")


def test_a_dash_is_as_good_as_a_line_below(typed):
    code, _, err = typed("train-dsr", "--epochs", "many")

    assert code == 1
    assert err.startswith("error: config of train_dsr")


def test_the_help_of_a_job_says_how_it_was_started(typed):
    assert typed("curve", "--help")[1].startswith("usage: lrface curve ")


def test_a_job_does_what_it_does_by_its_module(project, monkeypatch, typed):
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("LRFACE_GALLERY", str(project.root / "nobody.parquet"))

    code, out, err = typed("gallery", "--action", "list", "--log", "quiet")

    assert (code, err) == (0, "")
    assert out.startswith(f"{project.root / 'nobody.parquet'}: nobody was ever enrolled")


@pytest.mark.parametrize(
    ("words", "is_one"),
    [
        (["python", "/x/bin/lrface", "main"], True),
        (["python", "-m", "lrface", "main"], True),
        (["python", "-m", "lrface.jobs.main"], True),
        (["python", "-m", "pytest", "lrface"], False),
        (["python", "train.py", "/x/bin/lrface"], False),
    ],
)
def test_what_counts_as_started_from_a_command_line(monkeypatch, words, is_one):
    monkeypatch.setattr(sys, "orig_argv", words)

    assert started() == is_one


def test_the_package_itself_can_be_run(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lrface", "--version"])
    with pytest.raises(SystemExit):
        runpy.run_module("lrface", run_name="__main__")

    assert capsys.readouterr().out == f"lrface {lrface.__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["train_dsr", "--epochs", "many"], "epochs"), (["nothing"], "got 'nothing'"), (["info", "--colour"], "--colour")],
    ids=["job", "nothing", "own parser"],
)
def test_the_module_of_a_job_is_the_same_command(person, tmp_path, request, words, said):
    """`python -m lrface.jobs.NAME` stands in scripts; it must never end well with nothing done."""
    told = [
        subprocess.run(
            [sys.executable, "-m", *start, *words[1:]],
            cwd=tmp_path,
            env=person(PYTHONPATH=str(request.config.rootpath / "src")),
            capture_output=True,
            text=True,
            check=False,
        )
        for start in ([f"lrface.jobs.{words[0]}"], ["lrface", words[0]])
    ]

    assert [ended.returncode for ended in told] == [1, 1]
    assert told[0].stderr == told[1].stderr
    assert told[0].stderr.startswith("error: ")
    assert said in told[0].stderr
