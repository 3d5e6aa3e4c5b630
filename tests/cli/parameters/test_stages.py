"""The rival of every pair: a recogniser that was shown small faces alone, as a stage of the cycle."""

import pytest

from lrface.cli.parameters.stages import stage_configs, stages_of, work_of
from lrface.cli.terminal.journey import Journey
from lrface.config import MainSettings

GIVEN = {"preset": "smoke", "data": "", "source": "", "epochs": "", "batch_size": "", "overrides": ""}


def test_the_direct_stage_has_the_settings_of_finetune_and_its_own_on_top():
    overrides = "finetune_direct.loop.epochs=4 finetune.optim.anchor=7 finetune.loop.epochs=3"
    configs = stage_configs(MainSettings(direct=True), {**GIVEN, "overrides": overrides}).by_stage

    assert (configs["finetune"].loop.epochs, configs["finetune_direct"].loop.epochs) == (3, 4)
    assert configs["finetune"].optim.anchor == configs["finetune_direct"].optim.anchor == 7
    assert configs["finetune"].loop.batch_size == configs["finetune_direct"].loop.batch_size == 16


def test_the_judge_of_the_cycle_judges_every_stage_that_asks_one():
    configs = stage_configs(MainSettings(), {**GIVEN, "judge": "/data/them.onnx"}).by_stage
    asked = {name for name, config in configs.items() if getattr(config, "judge", None) == "/data/them.onnx"}
    assert asked == {"train_dsr", "evaluate", "promote"}


@pytest.mark.parametrize(
    ("order", "supervisor", "start", "seen"),
    [("cycle", "1", "1", 1), ("from_direct", "2", "2", 2), ("from_direct finetune.joint.lr=1e-3", "2", "2", 2)],
)
def test_the_rival_has_seen_as_many_faces_as_the_recogniser_of_the_pair(
    job, copy_project, cycle, tmp_path, order, supervisor, start, seen
):
    project = copy_project(tmp_path / "project")

    ended = job("main", "--preset", "smoke", "--overrides", f"direct=true order={order}", folder=project.root)

    assert ended.code == 0, ended.err
    direct, tuned = project.version("edgeface", "direct"), project.version("edgeface", "finetuned")
    assert direct.tags["faces_seen"] == tuned.tags["faces_seen"]
    assert direct.tags["faces_seen_in_all"] == tuned.tags["faces_seen_in_all"]
    assert direct.tags["super_resolver"] == "bicubic"
    assert project.version("dsr", "baseline").tags["supervisor"] == f"models:/edgeface/{supervisor}"
    assert tuned.tags["start"] == f"models:/edgeface/{start}"
    assert int(tuned.version) == 2 + seen
    assert [version.tags["cycle"] for version in (direct, tuned)] == ["0", "1"]
    assert project.version("dsr", "cycle").tags["supervisor"] == f"models:/edgeface/{tuned.version}"
    again = order.startswith("from_direct")
    # whoever is fine-tuned again stays near the first recogniser, the pair and its rival alike
    taught = "models:/edgeface/1" if again else None
    assert [version.tags.get("teacher") for version in (direct, tuned)] == [taught, taught]
    assert int(project.version("dsr", "cycle").version) == 2
    assert project.version("dsr", "cycle").tags["job"] == ("finetune" if "joint" in order else "train_dsr")
    figures = project.run("cycle").data.metrics
    assert "by_size/rank1_direct" in figures
    evaluated = project.run("evaluate").data.metrics
    assert "test/bicubic-direct/16/rank1" in evaluated
    assert ("test/bicubic-direct_start/16/rank1" in evaluated) == again
    # a stage more changes no draw of the others
    same = ("pack_digest",) if again else ("pack_digest", "weights_sha256")
    baselines = [place.version("dsr", "baseline").tags for place in (project, cycle.project)]
    assert len({tuple(tags[name] for name in same) for tags in baselines}) == 1


@pytest.mark.parametrize(
    "seconds",
    [
        # prepare, pretrain, direct, train_dsr, finetune, train_dsr, evaluate, promote: two runs beside other programs
        [70, 2, 63, 101, 54, 76, 69, 30],
        [179, 11, 135, 463, 152, 712, 590, 240],
    ],
)
def test_the_first_guess_of_a_demo_is_right_within_a_factor_of_two(seconds):
    settings = MainSettings(edgeface="drawn", direct=True)
    configs = stage_configs(settings, {**GIVEN, "preset": "demo"})
    names = stages_of(settings, configs)
    now = [0.0]
    way = Journey(names, work_of(configs, 1), lambda: now[0])
    for place, passed in enumerate(seconds[:-1]):
        way.begin(names[place])
        now[0] += passed
        way.end()
        left = sum(seconds[place + 1 :])
        assert left / 2 < way.left() < 2 * left, names[place]
