import shutil

import pytest

from lrface.errors import RegistryError
from lrface.tracking.runs.run import Run
from lrface.tracking.store.store import connect
from lrface.tracking.upload import main, pending_spools, replay_spool

from .conftest import QUICK


@pytest.fixture
def left(store, monkeypatch):
    """A run whose store was away to its end."""

    def away(*arguments, **options):
        raise ConnectionError("away")

    run_id = store.client.create_run(store.experiment_id).info.run_id
    with monkeypatch.context() as patch:
        patch.setattr(store.client, "log_batch", away)
        run = Run(connect_hasty(store), run_id, "a")
        for step in range(5):
            run.log_metrics({"loss": step}, step)
        assert not run.finish("FINISHED")
    return run


def connect_hasty(store):
    hasty = connect(store.root, QUICK.model_copy(update={"drain_seconds": 0.1}))
    object.__setattr__(hasty, "client", store.client)
    return hasty


def test_what_was_left_is_uploaded(project, store, left, monkeypatch, capsys):
    monkeypatch.chdir(project)
    assert pending_spools(project) == [store.spools / left.run_id]
    assert main([]) == 0
    assert "delivered" in capsys.readouterr().out
    assert pending_spools(project) == []
    got = store.client.get_run(left.run_id)
    assert (got.info.status, got.data.metrics) == ("FINISHED", {"loss": 4.0})
    assert main([]) == 0


def test_a_project_that_was_moved_uploads_into_itself(project, store, left, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(project, elsewhere)
    (spool,) = pending_spools(elsewhere)
    replay_spool(spool)
    there = connect(elsewhere, QUICK)
    assert there.client.get_run(left.run_id).data.metrics == {"loss": 4.0}
    assert store.client.get_run(left.run_id).data.metrics == {}


def test_a_store_without_the_run_takes_and_loses_nothing(store, left, template):
    spool = store.spools / left.run_id
    with pytest.raises(RegistryError, match="expected the tracking store that has its run"):
        replay_spool(spool, f"sqlite:///{template}/mlruns/mlflow.db")
    assert not (spool / "refused.jsonl").exists()
    replay_spool(spool)
    assert store.client.get_run(left.run_id).data.metrics == {"loss": 4.0}


def test_no_spool_is_one_clear_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "got no spool there" in capsys.readouterr().err
