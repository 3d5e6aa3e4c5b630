import subprocess
import sys

import pytest

from lrface.cli.process.waiting import Use, settle_waiting, use

BEFORE = Use(cores=2, passed=100.0, busy=40.0, own=1.0)


def after(others: float, own: float = 0.8, seconds: float = 1.0) -> Use:
    return Use(2, 100.0 + 2 * seconds, 40.0 + (others + own) * seconds, 1.0 + own * seconds)


@pytest.mark.parametrize(("others", "settled"), [(0.0, False), (0.4, False), (0.6, True), (1.2, True)])
def test_threads_wait_passively_where_others_want_the_cores(others, settled):
    environment: dict[str, str] = {}
    assert settle_waiting(BEFORE, after(others), environment) is settled
    assert environment == ({"OMP_WAIT_POLICY": "passive"} if settled else {})


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_what_the_user_has_settled_stays(name):
    environment = {name: "1"}
    assert not settle_waiting(BEFORE, after(1.2), environment)
    assert environment == {name: "1"}


def test_nothing_is_settled_on_a_moment():
    environment: dict[str, str] = {}
    assert not settle_waiting(BEFORE, after(1.2, seconds=0.05), environment)
    assert environment == {}


def test_what_the_cores_do_is_counted():
    before = use()
    for _ in range(20_000):
        sum(range(100))
    now = use()
    assert now.cores == before.cores >= 1
    assert now.own >= before.own > 0
    assert now.passed >= now.busy > 0


def test_it_is_settled_before_torch_is_imported():
    code = (
        "import sys; import lrface.cli.command as module;"
        "module.settle_waiting = lambda *_: print('torch' in sys.modules);"
        "module.imported = lambda _: sys.exit();"
        "module.command('compare', ['--log', 'quiet'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.stdout == "False\n", told.stderr
