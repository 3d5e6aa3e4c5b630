"""What a cycle says of itself while it runs and at its end, with stages that do nothing."""

from types import SimpleNamespace

import pytest

from lrface.cli.program import main as command
from lrface.jobs import main
from lrface.jobs.promote import Promotion

TABLE = (("rank-1 %", "8 px"), ("bicubic", "41.0"), ("direct", "50.0"), ("pair", "52.0"), ("HR", ""))
SENTENCE = "Not promoted: +2.0 points of rank-1 over bicubic [-1.0, +5.0], and promotion asks for more than 5."
STAGES = (
    "prepare",
    "pretrain",
    "direct",
    "train_dsr baseline",
    "finetune 1",
    "train_dsr cycle 1",
    "evaluate",
    "promote",
)


@pytest.fixture
def idle(monkeypatch):
    """Stages that are over at once; whoever waits for one of them sees the clock go on by ten seconds."""
    version = SimpleNamespace(uri="models:/edgeface/1", edgeface=SimpleNamespace(uri="models:/edgeface/2"), dsr=None)
    pair = SimpleNamespace(uri="models:/lrface/1", name="lrface", version=1)
    ended = Promotion(pair, False, (), SENTENCE, TABLE, "b" * 32)
    for name, made in {
        "prepare": SimpleNamespace(location="/nowhere"),
        "pretrain": version,
        "train_dsr": SimpleNamespace(uri="models:/dsr/1"),
        "finetune": version,
        "evaluate": SimpleNamespace(run_id="a" * 32),
        "promote": ended,
    }.items():
        monkeypatch.setattr(getattr(main, name), "run", lambda *_, made=made, **__: made)
    monkeypatch.setattr(main.finetune, "run_both", lambda *_, **__: version)


def test_it_counts_its_stages_and_ends_with_a_table_a_sentence_and_addresses(
    idle, copy_project, tmp_path, monkeypatch, capsys
):
    project = copy_project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    with pytest.raises(SystemExit) as left:
        command(["main", "--preset", "smoke", "--overrides", "direct=true"])
    told = capsys.readouterr()
    assert left.value.code == 0, told.err
    lines = told.out.splitlines()
    begun = [line for line in lines if line.startswith("stage ")]
    assert begun == [f"stage {place} of {len(STAGES)}: {name}" for place, name in enumerate(STAGES, start=1)]
    run = project.run("cycle")
    assert lines[-12:-7] == ["rank-1 %  8 px", "bicubic   41.0", "direct    50.0", "pair      52.0", "HR"]
    assert lines[-7] == SENTENCE
    runs = "http://127.0.0.1:5000/#/experiments/1/runs"
    assert lines[-6] == "look: `make ui` opens MLflow; then"
    assert [line.partition("?")[0] for line in lines[-5:-1]] == [
        f"cycle: {runs}/{run.info.run_id}",
        f"curves: {runs}/{run.info.run_id}/model-metrics",
        f"losses: {runs}",
        f"report: {runs}/{'b' * 32}/artifacts/evaluation/report.html",
    ]
    note = run.data.tags["mlflow.note.content"]
    assert f"**{SENTENCE}**" in note
    assert "| pair | 52.0 |" in note
    assert "#/models/lrface/versions/1" in note
