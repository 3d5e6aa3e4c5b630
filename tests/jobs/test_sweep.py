"""`sweep`: what each threshold would give."""

import pandas as pd


def test_each_arm_has_a_table_and_a_best_threshold(job, project, tmp_path):
    ended = job(
        "sweep",
        *("--preset", "smoke", "--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle"),
        *("--overrides", "size=12 false_alarm=0.25 measure.replicates=100"),
        *("--out", str(tmp_path)),
    )

    assert ended.code == 0, ended.err
    run = project.run("sweep")
    assert project.artifacts(run, "sweep") >= {"bicubic.csv", "dsr.csv"}
    assert -1 <= run.data.metrics["sweep/dsr/threshold_by_correct"] <= 1
    table = pd.read_csv(f"{run.info.artifact_uri.removeprefix('file://')}/sweep/dsr.csv", float_precision="round_trip")
    assert (table[["correct", "wrong", "unknown"]].sum(axis=1).round(6) == 1).all()
    assert table["threshold"].is_monotonic_increasing


def test_calibrated_threshold_and_the_one_in_use_stand_beside_the_best(job, project, tmp_path):
    ended = job(
        "sweep",
        *("--preset", "smoke", "--edgeface", "models:/edgeface@finetuned", "--dsr", "none", "--out", str(tmp_path)),
        *("--overrides", "size=12 false_alarm=0.25 measure.replicates=100 measure.threshold=0.2"),
    )

    assert ended.code == 0, ended.err
    table = pd.read_csv(tmp_path / "thresholds.csv", float_precision="round_trip")
    assert list(table["rule"]) == ["most_correct", "false_alarm", "calibrated", "in_use"]
    rows = table.set_index("rule")
    assert rows.loc["in_use", "threshold"] == 0.2
    assert rows.loc["most_correct", "correct"] == rows["correct"].max()
    assert rows.loc["false_alarm", "false_alarm"] <= 0.25
    assert {"bicubic.csv", "bicubic.png", "thresholds.csv"} == {path.name for path in tmp_path.iterdir()}
    protocol = project.read_json(project.run("evaluate"), "evaluation/protocol.json")
    calibrating, evaluated = (
        {name for part in parts for name in protocol[part]["subjects"]}
        for parts in (["calibration"], ["gallery", "mated", "non_mated", "pairs"])
    )
    assert calibrating
    assert not calibrating & evaluated
