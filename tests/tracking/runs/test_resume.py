import pytest

from lrface.errors import RegistryError
from lrface.tracking.runs.resume import fingerprint, work_folder
from lrface.tracking.runs.starting import start_run

KEY = fingerprint("train", {"lr": 0.1}, {"pack": "abc"})


def test_the_fingerprint_tells_work_apart():
    assert fingerprint("train", {"b": 1, "a": 2}, {}) == fingerprint("train", {"a": 2, "b": 1}, {})
    others = [
        ("test", {"lr": 0.1}, {"pack": "abc"}),
        ("train", {"lr": 0.2}, {"pack": "abc"}),
        ("train", {"lr": 0.1}, {"pack": "abd"}),
    ]
    assert KEY not in {fingerprint(*other) for other in others}


def test_work_that_was_killed_is_gone_on_with_and_finished_work_is_not(store):
    with work_folder(store, KEY) as work:
        assert work.run_id is None
        with start_run(store, "train", job="train", params={}) as run:
            work.begin(run)
            (work.path / "last.ckpt").write_text("1")
    with work_folder(store, KEY) as work:
        assert work.run_id == run.run_id
        assert (work.path / "last.ckpt").read_text() == "1"
        with start_run(store, "train", job="train", params={}, resume=work.run_id) as again:
            work.begin(again)
        work.finish()
    assert again.run_id == run.run_id
    with work_folder(store, KEY) as work:
        assert work.run_id is None
        assert list(work.path.iterdir()) == []


def test_what_never_began_or_lost_its_run_starts_afresh(store):
    with work_folder(store, KEY) as work:
        (work.path / "last.ckpt").write_text("of nothing")
    with work_folder(store, KEY) as work:
        assert work.run_id is None
        assert list(work.path.iterdir()) == []
        with start_run(store, "train", job="train", params={}) as run:
            work.begin(run)
    store.client.delete_run(run.run_id)
    with work_folder(store, KEY) as work:
        assert work.run_id is None
        assert list(work.path.iterdir()) == []


def test_two_at_once_are_refused(store):
    with work_folder(store, KEY), pytest.raises(RegistryError, match="another process at it"), work_folder(store, KEY):
        pass
