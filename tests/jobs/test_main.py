"""`mlflow run .`: the whole cycle, what it leaves behind, and how it goes on after a kill."""

import re
import signal
import subprocess
import sys
from urllib.parse import unquote

import pytest
from PIL import Image

STAGES = [
    "prepare procedural",
    "pretrain from drawn",
    "train_dsr baseline",
    "finetune v1",
    "train_dsr cycle",
    "evaluate",
    "promote",
]


def test_the_cycle_is_one_run_with_a_child_for_each_stage(cycle):
    (parent,) = cycle.project.runs("attributes.run_name = 'cycle'")
    children = cycle.project.children(parent)

    assert [child.info.run_name for child in children] == STAGES
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert len(cycle.project.runs()) == len(STAGES) + 1


def test_nothing_is_written_beside_mlruns(cycle):
    made = {path.name for path in cycle.project.root.iterdir()}

    assert made == {"MLproject", "conda.yaml", "conf", "src", "mlruns"}
    experiments = {item.name: item.artifact_location for item in cycle.project.client.search_experiments()}
    assert experiments["lrface"] == (cycle.project.root / "mlruns" / "artifacts").as_uri()


def test_the_registry_holds_every_stage_under_its_alias(cycle):
    registry = cycle.project.registry()

    assert registry["edgeface"] == (2, {"pretrained": 1, "finetuned": 2})
    assert registry["dsr"] == (2, {"baseline": 1, "cycle": 2})
    assert registry["lrface"][0] == 1


def test_each_version_names_what_it_was_made_with(cycle):
    baseline, last = cycle.project.version("dsr", "baseline"), cycle.project.version("dsr", "cycle")
    tuned = cycle.project.version("edgeface", "finetuned")

    assert baseline.tags["supervisor"] == "models:/edgeface/1"
    assert tuned.tags["super_resolver"] == f"models:/dsr/{baseline.version}"
    assert last.tags["supervisor"] == f"models:/edgeface/{tuned.version}"
    assert last.tags["supervisor_sha256"] == tuned.tags["weights_sha256"]
    assert [baseline.tags["cycle"], tuned.tags["cycle"], last.tags["cycle"]] == ["0", "1", "1"]
    assert {version.tags["licence"] for version in (baseline, tuned, last)} == {"CC0-1.0"}
    assert len({version.tags["pack_digest"] for version in (baseline, tuned, last)}) == 1


def test_the_pair_is_champion_or_its_refusal_is_recorded(cycle):
    (count, aliases) = cycle.project.registry()["lrface"]
    pair = cycle.project.client.get_model_version("lrface", "1")
    parent = cycle.project.run("cycle")

    assert count == 1
    assert pair.tags["edgeface"] == "models:/edgeface/2"
    assert pair.tags["dsr"] == "models:/dsr/2"
    promoted = parent.data.tags["promoted"] == "True"
    assert aliases.get("champion" if promoted else "challenger") == 1
    assert promoted or "champion" not in aliases
    assert pair.tags["verdict"] == "promote" if promoted else pair.tags["verdict"] != "promote"
    assert pair.tags["verdict_reason"] in cycle.ended.out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train_dsr cycle", {"train/loss", "train/loss_l1", "train/loss_identity", "train/loss_feature"}),
        ("train_dsr cycle", {"train/loss_tv", "val/loss", "val/psnr", "val/ssim"}),
        ("finetune v1", {"train/loss", "train/loss_arcface", "train/accuracy", "stage1/loss_arcface"}),
        ("evaluate", {"test/bicubic-pretrained/16/rank1", "test/dsr_cycle-finetuned/16/tar_at_far_1e-2"}),
        ("evaluate", {"test/hr-finetuned/112/rank1", "test/dsr_baseline-pretrained/8/psnr"}),
        ("cycle", {"by_size/rank1_bicubic", "by_size/rank1_pair", "full_size/rank1", "dsr_cycle/psnr"}),
    ],
)
def test_metrics_bear_the_names_of_the_design(cycle, name, expected):
    assert expected <= set(cycle.project.run(name).data.metrics)


def test_the_parent_run_has_few_charts_and_the_first_are_figures_by_size(cycle):
    run = cycle.project.run("cycle")
    groups = sorted({name.split("/")[0] for name in run.data.metrics})
    assert groups[0] == "by_size"
    assert "test" not in groups
    history = cycle.project.client.get_metric_history(run.info.run_id, "by_size/rank1_pair")
    whole = cycle.project.run("evaluate").data.metrics
    assert {point.step: point.value for point in history} == {
        size: whole[f"test/dsr_cycle-finetuned/{size}/rank1"] for size in {point.step for point in history}
    }
    assert len(history) > 1


def test_the_charts_of_a_stage_are_curves_first_and_single_figures_last(cycle):
    run = cycle.project.run("train_dsr cycle")
    assert sorted({name.split("/")[0] for name in run.data.metrics}) == ["train", "val", "val_best", "val_start"]


def test_notes_say_what_is_what_and_where_to_go_on(cycle):
    client, parent = cycle.project.client, cycle.project.run("cycle")
    note = parent.data.tags["mlflow.note.content"]
    assert "| pair |" in note
    assert "romoted: " in note
    assert note.startswith("**")
    for name in ("evaluate", "promote"):
        child = cycle.project.run(name)
        assert child.info.run_id in note
        assert parent.info.run_id in child.data.tags["mlflow.note.content"]
    for name in ("cycle", "promote", "train_dsr baseline", "train_dsr cycle"):
        shown = cycle.project.run(name).data.tags["mlflow.note.content"]
        pictures = re.findall(r"!\[\w+\]\(get-artifact\?path=(note%2F\w+\.png)&run_uuid=(\w+)\)", shown)
        assert pictures
        for path, owner in pictures:
            with Image.open(client.download_artifacts(owner, unquote(path))) as picture:
                assert picture.width <= 800
    # links hold within the UI, wherever it is served
    assert "127.0.0.1" not in note
    assert "#/models/lrface/versions/1" in note
    for name in ("edgeface", "dsr", "lrface"):
        assert "@" in client.get_registered_model(name).description


def test_the_terminal_says_where_the_cycle_is_and_ends_with_what_matters(cycle):
    lines = cycle.ended.out.splitlines()
    stages = [line for line in lines if re.match(r"stage \d of \d", line)]
    numbers = [re.match(r"stage (\d) of (\d)", line).groups() for line in stages]
    count = len(numbers)
    assert numbers == [(str(place), str(count)) for place in range(1, count + 1)]
    assert any("left in all: " in line for line in stages)
    table = [(line.split() or [""])[0] for line in lines[:-7]]
    table = table[len(table) - table[::-1].index("rank-1") :]
    assert table in (["bicubic", "pair", "HR"], ["bicubic", "direct", "pair", "HR"])
    assert lines[-7].startswith(("Promoted: ", "Not promoted: "))
    assert [line.split(": ")[0] for line in lines[-6:-1]] == ["look", "cycle", "curves", "losses", "report"]
    assert all(cycle.project.run("cycle").info.run_id in line for line in lines[-5:-2])
    assert "/evaluation/report.html?" in lines[-2]
    assert lines[-1].startswith("main: done")


@pytest.mark.parametrize("name", ["train_dsr baseline", "finetune v1"])
def test_similarity_never_stands_alone(cycle, name):
    metrics = cycle.project.run(name).data.metrics

    assert {"val/similarity", "val/impostor", "val/effective_rank", "val/dprime"} <= set(metrics)


def test_params_are_the_resolved_config(cycle):
    params = cycle.project.run("train_dsr cycle").data.params

    assert params["loop.epochs"] == "2"
    assert params["loss.identity"] == "0.5"
    assert params["data.kind"] == "pack"


def test_children_log_pictures_and_tables(cycle):
    project = cycle.project
    sheets = project.artifacts(project.run("prepare procedural"), "images")
    faces = project.artifacts(project.run("train_dsr cycle"), "images")
    evaluation = project.artifacts(project.run("evaluate"), "evaluation")

    assert any(name.startswith("contact_sheet") and name.endswith(".png") for name in sheets)
    assert any(name.startswith("validation_faces") and name.endswith(".png") for name in faces)
    assert {"metrics.json", "table.csv", "faces.png", "protocol.json"} <= evaluation


def test_the_environment_is_asked_for_nothing_but_the_projects_own_store(cycle):
    assert cycle.ended.err == ""
    assert "Traceback" not in cycle.ended.out


def test_a_killed_cycle_goes_on_in_the_same_run_and_ends_with_the_same_figures(cycle, copy_project, person, tmp_path):
    again = copy_project(tmp_path / "again")
    line = [sys.executable, "-m", "lrface", "main", "--preset", "smoke"]
    how = {"cwd": again.root, "env": person(PYTHONPATH="src"), "text": True}

    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **how) as process:
        seen = []
        for text in process.stdout:
            seen.append(text)
            if text.startswith("finetune epoch 1"):
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL, "".join(seen)
    (begun,) = again.runs("attributes.run_name = 'cycle'")
    assert again.registry()["edgeface"] == (1, {"pretrained": 1})

    ended = subprocess.run(line, capture_output=True, check=False, **how)

    assert ended.returncode == 0, ended.stderr
    assert f"main: going on with run {begun.info.run_id}" in ended.stdout
    (parent,) = again.runs("attributes.run_name = 'cycle'")
    assert parent.info.run_id == begun.info.run_id
    assert [child.info.run_name for child in again.children(parent)] == STAGES
    assert again.registry() == cycle.project.registry()
    registered = [text.splitlines()[-1].partition(", registered ")[2] for text in (cycle.ended.out, ended.stdout)]
    assert registered[0] == registered[1]
    assert registered[0].startswith("models:/edgeface/1, models:/dsr/1, ")
    for name in STAGES:
        expected, found = cycle.project.run(name).data.metrics, again.run(name).data.metrics
        assert found == expected, name
    assert parent.data.metrics == cycle.project.run("cycle").data.metrics
    weights = [
        [item.version("dsr", alias).tags["weights_sha256"] for alias in ("baseline", "cycle")]
        for item in (cycle.project, again)
    ]
    assert weights[0] == weights[1]


def test_the_same_command_again_is_a_new_cycle_and_not_the_old_one(cycle):
    """What is finished is not taken for unfinished: the record of the work says so."""
    work = cycle.project.root / "mlruns" / "work"

    assert all('"done": null' not in record.read_text() for record in work.glob("*/run.json"))
