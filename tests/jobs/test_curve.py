"""`curve`: sizes crossed with conditions, one plot and one table."""

import pandas as pd
from PIL import Image


def test_all_sizes_and_conditions_are_in_one_table_and_one_plot(job, project, tmp_path):
    ended = job(
        "curve",
        *("--preset", "smoke", "--edgeface", "models:/edgeface@finetuned", "--dsr", "models:/dsr@cycle"),
        *("--overrides", "sizes=[8,12,40] wanted=0.01", "--out", str(tmp_path)),
    )

    assert ended.code == 0, ended.err
    table = pd.read_csv(tmp_path / "curve.csv", float_precision="round_trip")
    small = table[table["arm"] != "hr"]
    cells = set(small[["arm", "degradation", "size"]].itertuples(index=False, name=None))
    conditions = ("clean", "all")
    assert cells == {("bicubic", name, size) for name in conditions for size in (8, 12, 40)} | {
        ("dsr", name, size) for name in conditions for size in (8, 12)
    }
    assert ((small["low"] <= small["value"]) & (small["value"] <= small["high"])).all()
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.width > 500
    run = project.run("curve")
    history = project.client.get_metric_history(run.info.run_id, "curve/bicubic/clean/rank1")
    assert [point.step for point in history] == [8, 12, 40]
    assert "bicubic, all: rank1 of 0.01 or more" in ended.out
    assert {"curve.png", "curve.csv", "protocol.json"} <= project.artifacts(run, "curve")
