"""`sweep`: what each threshold would give."""

import pandas as pd


def test_each_arm_has_a_table_and_a_best_threshold(job, project):
    ended = job(
        "sweep",
        *("--preset", "smoke", "--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle"),
        *("--overrides", "size=12 false_alarm=0.25 measure.replicates=100"),
    )

    assert ended.code == 0, ended.err
    run = project.run("sweep")
    assert project.artifacts(run, "sweep") >= {"bicubic.csv", "dsr.csv"}
    assert -1 <= run.data.metrics["sweep/dsr/threshold_by_correct"] <= 1
    table = pd.read_csv(f"{run.info.artifact_uri.removeprefix('file://')}/sweep/dsr.csv")
    assert (table[["correct", "wrong", "unknown"]].sum(axis=1).round(6) == 1).all()
    assert table["threshold"].is_monotonic_increasing
