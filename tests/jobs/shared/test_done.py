"""What a killed cycle takes for done when it goes on."""

import torch

from lrface.cli.context import Context
from lrface.cli.terminal.terminal import Terminal
from lrface.jobs.shared import done
from lrface.jobs.shared.done import Done


class Store:
    """Knows the runs that it is told of."""

    def __init__(self, *runs: str) -> None:
        self.runs = set(runs)

    def has_run(self, run_id: str) -> bool:
        return run_id in self.runs


def made(monkeypatch, tmp_path, gone):
    """Three stages done, and a later call that finds one of them gone."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.json").write_text("{}")
    monkeypatch.setattr(done, "is_there", lambda _store, uri: uri not in gone)
    context = Context(tmp_path, Store("abc"), Terminal(), torch.device("cpu"), {})
    first = Done(tmp_path / "stages.json", context)
    for name, what in (("prepare", str(pack)), ("pretrain", "models:/edgeface/1"), ("evaluate", "abc")):
        assert first.once(name, lambda what=what: what) == what
    if str(pack) in gone:
        (pack / "pack.json").unlink()
    context.store.runs -= gone
    again = Done(tmp_path / "stages.json", context)
    redone = []
    for name in ("prepare", "pretrain", "evaluate"):
        again.once(name, lambda name=name: redone.append(name) or name)
    return redone


def test_what_is_there_is_not_made_again(monkeypatch, tmp_path):
    assert made(monkeypatch, tmp_path, set()) == []


def test_a_pack_that_was_deleted_is_made_again_and_all_that_came_of_it(monkeypatch, tmp_path):
    assert made(monkeypatch, tmp_path, {str(tmp_path / "pack")}) == ["prepare", "pretrain", "evaluate"]


def test_a_version_that_was_deleted_is_made_again_and_all_that_came_of_it(monkeypatch, tmp_path):
    assert made(monkeypatch, tmp_path, {"models:/edgeface/1"}) == ["pretrain", "evaluate"]


def test_a_run_that_was_deleted_is_made_again(monkeypatch, tmp_path):
    assert made(monkeypatch, tmp_path, {"abc"}) == ["evaluate"]
