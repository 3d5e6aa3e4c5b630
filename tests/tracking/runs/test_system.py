import threading

from lrface.tracking.runs.starting import start_run
from lrface.tracking.runs.system import SystemSampler
from lrface.tracking.store.store import connect

from ..conftest import QUICK


def test_samples_are_numbered_and_end_with_the_block():
    got, enough = [], threading.Event()

    def log(metrics, step):
        got.append((step, metrics))
        if step == 2:
            enough.set()

    with SystemSampler(log, 0.01):
        assert enough.wait(10)
    count = len(got)
    assert [step for step, _ in got] == list(range(count))
    assert got[0][1]["system/process_memory_megabytes"] > 1
    assert all(key.startswith("system/") for key in got[0][1])


def test_only_the_outer_run_is_sampled(project):
    store = connect(project, QUICK.model_copy(update={"system_seconds": 0.02}))
    with (
        start_run(store, "a", job="test", params={}) as outer,
        start_run(store, "b", job="test", params={}, parent=outer) as inner,
    ):
        threading.Event().wait(0.2)
    assert "system/cpu_utilization_percentage" in store.client.get_run(outer.run_id).data.metrics
    assert store.client.get_run(inner.run_id).data.metrics == {}
