import io
import json
import math
import re
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.store import connect
from lrface.tracking.upload import pending_spools

from ..conftest import QUICK


def _data(run):
    return run.store.client.get_run(run.run_id).data


def _text(run, name):
    with open(run.store.client.download_artifacts(run.run_id, name), encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def _paths(run, folder=None):
    return [item.path for item in run.store.client.list_artifacts(run.run_id, folder)]


def test_metrics_keep_order_and_number(run):
    for step in range(300):
        run.log_metrics({"train/loss": 1 / (step + 1), "stages[0].lr": np.float32(0.5)}, step)
    assert run.flush()
    history = run.store.client.get_metric_history(run.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(step, 1 / (step + 1)) for step in range(300)]
    assert _data(run).metrics["stages.0.lr"] == 0.5


def test_many_metrics_at_once(run):
    run.log_metrics({f"k{index}": index for index in range(1234)}, 1)
    assert run.flush()
    assert len(_data(run).metrics) == 1234


def test_what_is_not_finite_is_a_gap_and_is_told(store, caplog):
    with start_run(store, "a", job="test", params={}) as run:
        for step, value in enumerate([1.0, math.nan, math.inf, 2.0]):
            run.log_metrics({"loss": value}, step)
    history = store.client.get_metric_history(run.run_id, "loss")
    assert [math.isnan(point.value) for point in history] == [False, True, True, False]
    assert json.loads(_data(run).tags["lrface.nonfinite"]) == {"loss": {"count": 2, "first": "nan", "step": 1}}
    assert caplog.text.count("loss is nan at step 1") == 1


def test_artifacts(run, tmp_path):
    run.log_text("grüße", "notes/a.md")
    run.log_json({"b": [1, 2]}, "b.json")
    run.log_table(pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}), "tables/c")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "e.txt").write_text("e")
    run.log_artifact(folder, "in")
    run.log_artifact(folder / "e.txt")
    run.log_artifacts(folder, "out")
    assert run.flush()
    assert _text(run, "notes/a.md") == "grüße"
    assert json.loads(_text(run, "b.json")) == {"b": [1, 2]}
    table = pd.read_csv(io.StringIO(_text(run, "tables/c.csv")), float_precision="round_trip")
    assert table.to_dict("list") == {"x": [1, 2], "y": ["a", "b"]}
    assert "e.txt" in _paths(run)
    assert _paths(run, "in/folder") == ["in/folder/e.txt"]
    assert _paths(run, "out") == ["out/e.txt"]
    assert not list((run.store.spools / run.run_id / "blobs").iterdir())


def test_json_of_what_json_cannot_say_is_an_error(run):
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.log_json({"a": math.nan}, "a.json")


def test_pictures_are_named_as_mlflow_names_its_own(run):
    image = np.random.default_rng(0).integers(0, 256, (40, 80, 3), np.uint8)
    run.store.client.log_image(run.run_id, image, key="val/theirs", step=7, timestamp=9)
    run.log_image("val/ours", image, 7)
    assert run.flush()
    theirs, ours = ([path for path in _paths(run, "images") if who in path] for who in ("theirs", "ours"))

    def plain(path):
        return re.sub(r"[0-9a-f-]{36}|theirs|ours|(?<=timestamp\+)\d+", "_", path)

    assert sorted(map(plain, ours)) == sorted(map(plain, theirs))
    assert _data(run).tags["mlflow.loggedImages"] == "True"
    full = next(path for path in ours if path.endswith(".png"))
    with Image.open(run.store.client.download_artifacts(run.run_id, full)) as picture:
        assert np.array_equal(np.asarray(picture), image)


def test_data_sets_are_inputs(run):
    for _ in range(2):
        run.log_dataset("pack", "d" * 64, source="/data", rows=9, context="training", licence="CC0", terms="none")
    assert run.flush()
    (item,) = run.store.client.get_run(run.run_id).inputs.dataset_inputs
    assert (item.dataset.name, item.dataset.digest) == ("pack", "d" * 36)
    assert json.loads(item.dataset.profile) == {"rows": 9}
    tags = {tag.key: tag.value for tag in item.tags}
    assert tags == {"mlflow.data.context": "training", "digest": "d" * 64, "licence": "CC0", "terms": "none"}


def test_tags_are_cut_to_what_mlflow_takes(run):
    run.set_tags({f"t{index}": index for index in range(150)} | {"long": "x" * 9000})
    assert run.flush()
    tags = _data(run).tags
    assert tags["t149"] == "149"
    assert len(tags["long"]) == 8000


def test_headline_figures_stand_on_the_parents_too(store):
    with (
        start_run(store, "cycle", job="main", params={}) as cycle,
        start_run(store, "evaluate", job="evaluate", params={}, parent=cycle) as stage,
    ):
        stage.log_headline({"test/rank1": 0.9})
        stage.log_metrics({"detail": 1})
    assert _data(cycle).metrics == {"test/rank1": 0.9}
    assert _data(stage).metrics == {"test/rank1": 0.9, "detail": 1.0}
    assert _data(stage).tags["mlflow.parentRunId"] == cycle.run_id


def test_nothing_is_left_in_the_spool(project, store):
    with start_run(store, "a", job="test", params={}) as run:
        run.log_metrics({"a": 1})
    assert pending_spools(project) == []
    assert list(store.spools.iterdir()) == []


@pytest.mark.parametrize("delivered", [True, False])
def test_a_run_that_is_gone_on_with_does_not_log_its_last_points_twice(project, monkeypatch, delivered):
    """A training that was stopped at its registration logs its last epoch and its headline again."""
    store = connect(project, QUICK.model_copy(update={"drain_seconds": 20 if delivered else 0.1}))

    def train(run, epochs):
        for epoch in epochs:
            run.log_metrics({"train/loss": 1 / (epoch + 1), "train/gap": math.nan}, epoch)
        run.log_headline({"dsr_baseline/psnr": 21.5})

    run_id = _stopped(store, train, None if delivered else monkeypatch)
    monkeypatch.undo()
    store = connect(project, QUICK)
    with start_run(store, "train", job="test", params={}, resume=run_id) as again:
        train(again, (2, 3))
        again.log_metrics({"dsr_baseline/psnr": 22.0})
    history = {
        key: [(point.step, point.value) for point in store.client.get_metric_history(run_id, key)]
        for key in ("train/loss", "train/gap", "dsr_baseline/psnr")
    }
    assert history["train/loss"] == [(epoch, 1 / (epoch + 1)) for epoch in range(4)]
    assert [step for step, _ in history["train/gap"]] == [0, 1, 2, 3]
    assert history["dsr_baseline/psnr"] == [(0, 21.5), (0, 22.0)]


def _stopped(store, train, away):
    """Three epochs of a run that then fails, and with ``away`` delivers none of them."""
    with suppress(RuntimeError), start_run(store, "train", job="test", params={}) as run:
        if away is not None:
            away.setattr(store.client, "log_batch", _away)
        train(run, (0, 1, 2))
        raise RuntimeError("no registry")
    return run.run_id


def _away(*_, **__):
    raise ConnectionError("away")


def test_points_wait_while_the_store_is_away(run, monkeypatch, caplog):
    real, calls = run.store.client.log_batch, []

    def away(*arguments, **options):
        calls.append(1)
        if len(calls) < 4:
            raise ConnectionError("away")
        return real(*arguments, **options)

    monkeypatch.setattr(run.store.client, "log_batch", away)
    for step in range(50):
        run.log_metrics({"loss": step}, step)
    assert run.flush(10)
    assert [point.value for point in run.store.client.get_metric_history(run.run_id, "loss")] == list(range(50))
    assert caplog.text.count("tracking is away") == 1
    assert caplog.text.count("tracking is back") == 1
