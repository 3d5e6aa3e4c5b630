"""What a person sees who gives something that cannot be used: one line, exit code 1, and nothing half-done."""

import json
import signal
import subprocess
import sys

import pytest
import torch
from PIL import Image

from lrface.cli.parameters.arguments import Parser
from lrface.errors import ConfigError, LrfaceError


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Folders that are no good, by name."""
    root = tmp_path_factory.mktemp("sources")
    face = Image.new("RGB", (112, 112), (120, 90, 80))
    for name in ("twice/Ann", "twice/ann", "broken/ann", "hollow/ann", "empty", "loose"):
        (root / name).mkdir(parents=True)
    for folder in ("twice/Ann", "twice/ann", "loose"):
        face.save(root / folder / "1.png")
    (root / "broken" / "ann" / "1.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    torch.save({"conv1.weight": torch.zeros(8, 3, 3, 3)}, root / "resnet.pt")
    return root


TABLE = [
    # what is wrong, the command, what the line has to name
    (
        "unknown key",
        "train_dsr --preset smoke --overrides loop.epoch=3",
        "unknown key loop.epoch (did you mean epochs?)",
    ),
    ("unknown key of a stage", "main --preset smoke --overrides finetune.loop.epoch=3", "unknown key loop.epoch"),
    ("unknown key of the cycle", "main --preset smoke --overrides cycle=1", "unknown key cycle (did you mean cycles?)"),
    ("unknown key of the data", "prepare --overrides data.faces.subject=4", "unknown key data.faces.subject"),
    ("no number", "main --preset smoke --epochs many", "loop.epochs"),
    ("out of range", "evaluate --preset smoke --threshold 7", "measure.threshold"),
    ("open quote", "prepare --overrides data.seed='1", "close the quote"),
    ("no key=value", "prepare --overrides smoke", "key=value"),
    ("unknown preset", "main --preset quick", "smoke"),
    ("undeclared parameter", "main --colour red", "--colour red"),
    ("unknown kind of data", "prepare --data photos", "folder"),
    ("folder without source", "prepare --data folder", "data.source"),
    ("source without folder", "prepare --source /photos", "data=procedural"),
    ("missing folder", "prepare --data folder --source /no/such/folder", "/no/such/folder"),
    ("empty folder", "prepare --data folder --source SOURCES/empty", "an empty folder"),
    ("images without people", "prepare --data folder --source SOURCES/loose", "one folder per subject"),
    ("person without images", "prepare --data folder --source SOURCES/hollow", "subject ann"),
    ("two spellings", "prepare --data folder --source SOURCES/twice", "Ann and ann"),
    ("broken image", "prepare --data folder --source SOURCES/broken", "ann/1.jpg"),
    ("no pack", "evaluate --data pack --source SOURCES/empty", "pack.json"),
    ("unknown device", "train_dsr --preset smoke --device tpu", "auto, cpu"),
    ("absent device", "train_dsr --preset smoke --device cuda:77", "cuda:77"),
    ("unknown alias", "evaluate --preset smoke --edgeface models:/edgeface@best", "@pretrained (version 1)"),
    ("unknown version", "evaluate --preset smoke --edgeface models:/edgeface/77", "versions 1, 2"),
    ("unknown model", "finetune --preset smoke --dsr models:/resolver@cycle", "dsr, edgeface, lrface"),
    ("malformed URI", "finetune --preset smoke --dsr models:/dsr", "models:/name@alias"),
    ("version of another model", "train_dsr --preset smoke --edgeface models:/dsr@cycle", "a version of dsr"),
    ("the other way round", "evaluate --preset smoke --dsr models:/edgeface@finetuned", "a version of edgeface"),
    ("weights of another network", "pretrain --edgeface SOURCES/resnet.pt", "resnet.pt"),
    ("no weights at all", "pretrain --edgeface SOURCES/nothing.pt", "nothing.pt: got a name that is no path here"),
    ("no model folder", "export --dsr SOURCES/nothing", "config.json"),
    ("second cycle", "main --preset smoke --overrides cycles=2", "allow_second_cycle=true"),
    ("unknown condition", "evaluate --preset smoke --overrides degradations=[fog]", "fog"),
    ("no way back", "promote --rollback true", "no earlier champion"),
    ("neither true nor false", "promote --rollback perhaps", "rollback"),
]


@pytest.mark.parametrize(("command", "named"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_cannot_be_used_ends_in_one_line(job, project, sources, command, named):
    before = project.registry()
    packs = {path.name for path in (project.root / "mlruns" / "packs").iterdir()}
    name, *words = command.split(" ")

    line = job(name, *(word.replace("SOURCES", str(sources)) for word in words)).refused()

    assert named in line
    assert project.registry() == before
    assert {path.name for path in (project.root / "mlruns" / "packs").iterdir()} == packs


def test_credentials_in_a_config_are_refused_and_not_shown(job):
    line = job("prepare", "--overrides", "tracking.uri=http://ann:s3cret@server:5000").refused()

    assert "MLFLOW_TRACKING_PASSWORD" in line
    assert "s3cret" not in line


def test_before_anything_was_trained_an_alias_is_missing_in_one_line(job, copy_project, tmp_path):
    fresh = copy_project(tmp_path / "fresh")

    line = job("train_dsr", "--preset", "smoke", folder=fresh.root).refused()

    assert "models:/edgeface@pretrained" in line
    assert fresh.registry() == {}
    assert fresh.runs() == []


def test_a_traceback_is_shown_where_asked_for(job, monkeypatch):
    monkeypatch.setenv("LRFACE_TRACEBACK", "1")

    with pytest.raises(LrfaceError):
        job("main", "--preset", "quick")


def test_an_empty_value_and_auto_count_as_not_given(job, project):
    ended = job("prepare", "--preset", "smoke", "--data", "auto", "--source", "", "--seed", "auto", "--overrides", "")

    assert ended.code == 0, ended.err
    assert project.run("prepare procedural").data.params["seed"] == "0"


def test_json_of_a_whole_job_is_an_object_a_line_and_ends_with_its_run(job, project):
    ended = job("prepare", "--preset", "smoke", "--log", "json")

    events = [json.loads(line) for line in ended.out.splitlines()]
    run = project.run("prepare procedural")
    assert (ended.code, ended.err) == (0, "")
    assert events[-1] == {"event": "result", "job": "prepare", "run_id": run.info.run_id, "versions": []}
    assert {"news"} <= {event["event"] for event in events}


def test_quiet_leaves_the_results(job, project):
    ended = job("prepare", "--preset", "smoke", "--log", "quiet")

    run = project.run("prepare procedural")
    assert ended.out.splitlines() == [f"prepare: done, run {run.info.run_id}"]


def test_what_is_refused_is_an_object_too(job):
    ended = job("main", "--preset", "quick", "--log=json")

    error = json.loads(ended.out)
    assert (ended.code, ended.err) == (1, "")
    assert (error["event"], error["what"], error["got"]) == ("error", "preset", "quick")


def test_a_cycle_tells_in_the_end_what_it_has_registered(cycle):
    last = cycle.ended.out.splitlines()[-1]

    assert last.startswith("main: done, run ")
    assert all(f"models:/{name}" in last for name in ("edgeface/1", "edgeface/2", "dsr/1", "dsr/2", "lrface/1"))


def test_mlflow_run_passes_the_line_and_the_exit_code_on(mlflow_run, copy_project, tmp_path):
    project = copy_project(tmp_path / "project")

    ended = mlflow_run(".", "-P", "colour=dark red", "-P", "preset=smoke", folder=project.root)

    assert ended.code == 1
    assert "error: parameters: got unrecognized arguments: --colour dark red" in ended.err
    assert "Traceback" not in ended.err
    assert project.registry() == {}


def test_ctrl_c_ends_with_130_and_a_killed_run(copy_project, person, tmp_path):
    project = copy_project(tmp_path / "project")
    line = [sys.executable, "-m", "lrface", "main", "--preset", "smoke"]

    with subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=project.root,
        env=person(PYTHONPATH="src"),
        # what a shell starts in the background is born deaf to Ctrl-C, and so would be its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        for text in process.stdout:
            if text.startswith("dsr epoch 1"):
                process.send_signal(signal.SIGINT)
                break
        _, errors = process.communicate(timeout=120)

    assert process.returncode == 130
    assert errors == "error: stopped; the same command goes on where it was\n"
    assert {run.info.status for run in project.runs("attributes.run_name = 'cycle'")} == {"KILLED"}


@pytest.mark.parametrize("name", ["-x", "--x", "-1", "-", "a=b", "-x y", ""])
def test_a_value_may_begin_with_a_dash(name):
    parser = Parser(allow_abbrev=False)
    parser.add_argument("--source", default="none")
    parser.add_argument("--out", default="")
    assert vars(parser.parse_args(["--source", name, "--out", "o"])) == {"source": name, "out": "o"}
    assert vars(parser.parse_args([f"--source={name}"])) == {"source": name, "out": ""}


@pytest.mark.parametrize("words", [["--source"], ["--source", "--out", "o"]])
def test_a_value_that_was_forgotten_is_told(words):
    parser = Parser(allow_abbrev=False)
    parser.add_argument("--source")
    parser.add_argument("--out")
    with pytest.raises(ConfigError, match="--source: expected one argument"):
        parser.parse_args(words)
