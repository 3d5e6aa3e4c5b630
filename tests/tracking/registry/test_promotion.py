import threading

import pytest

from lrface.errors import RegistryError
from lrface.tracking.names import DSR, EDGEFACE, PAIR
from lrface.tracking.registry import promotion
from lrface.tracking.registry.promotion import Gate, Verdict, audit_trail, champion, promote, record_refusal, rollback
from lrface.tracking.registry.versions import as_version
from lrface.tracking.runs.starting import start_run
from lrface.tracking.store.store import connect

from ..conftest import QUICK


def _verdict(against=None, /, **changes):
    gates = (Gate("gain", 0.08, 0.05, True), Gate("unknown_rate", 0.1, 0.15, True))
    values = {
        "decision": "promote",
        "reason": "8 points over bicubic",
        "gates": gates,
        "gain": 0.08,
        "interval": (0.02, 0.14),
        "figures": {"gain": 0.08},
        "against": getattr(against, "uri", None),
        "protocol": "p1",
    }
    return Verdict(**(values | changes))


@pytest.fixture
def make_pair(store):
    """Makes versions of both halves and of their pair, without the files: promotion moves names only."""

    def add(name, **tags):
        if not store.client.search_registered_models(f"name = '{name}'"):
            store.client.create_registered_model(name)
        return as_version(store, store.client.create_model_version(name, "/nowhere", tags=tags))

    def make(seed):
        edgeface = add(EDGEFACE, weights_sha256=f"e{seed}")
        dsr = add(DSR, weights_sha256=f"d{seed}", supervisor=edgeface.uri)
        tags = {"edgeface": edgeface.uri, "dsr": dsr.uri, "edgeface_sha256": f"e{seed}", "dsr_sha256": f"d{seed}"}
        pair = add(PAIR, weights_sha256=f"p{seed}", **tags)
        store.client.set_registered_model_alias(PAIR, "challenger", str(pair.version))
        return pair

    return make


def _aliases(store):
    return {alias: int(number) for alias, number in store.client.get_registered_model(PAIR).aliases.items()}


def test_promotion_keeps_the_one_before_and_leaves_a_trail(store, run, make_pair):
    one, two = make_pair(1), make_pair(2)
    assert champion(store) is None
    first = promote(one, _verdict(), run)
    assert "champion" in first.aliases
    second = promote(two, _verdict(one), run)
    assert _aliases(store) == {"challenger": 2, "champion": 2, "previous": 1}
    assert second.tags["verdict"] == "promote"
    assert second.tags["verdict_interval"] == "0.08 [0.02, 0.14]"
    assert second.tags["gate.unknown_rate"] == "passed: 0.1 against 0.15"
    assert second.tags["promote.run"] == run.run_id
    trail = audit_trail(store)
    assert [(entry.what, entry.version, entry.before) for entry in trail] == [("promote", 1, None), ("promote", 2, 1)]
    assert trail[1].why == "8 points over bicubic"
    assert trail[1].when.endswith("+00:00")
    assert trail[1].run_id == run.run_id
    assert trail[1].who
    assert run.flush()
    assert store.client.get_run(run.run_id).data.tags["verdict"] == "promote"
    assert promote(two, _verdict(one), run) == second
    assert len(audit_trail(store)) == 2


def test_back_and_forth(store, run, make_pair):
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback(run, "why not")
    one, two = make_pair(1), make_pair(2)
    promote(one, _verdict(), run)
    with pytest.raises(RegistryError, match="no earlier champion"):
        rollback(run, "why not")
    promote(two, _verdict(one), run)
    assert rollback(run, "it fails on Mondays").version == 1
    assert _aliases(store) == {"challenger": 2, "champion": 1, "previous": 2}
    assert audit_trail(store)[-1].why == "it fails on Mondays"
    assert rollback(run, "it was the camera").version == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"decision": "keep"}, r"does not promote \(keep\)"),
        ({"gates": (Gate("hr_accuracy", 0.9, 0.95, False),)}, r"does not promote \(hr_accuracy\)"),
        ({"against": "models:/lrface/9"}, "reached against models:/lrface/9"),
    ],
)
def test_a_verdict_that_does_not_promote_moves_nothing(store, run, make_pair, changes, message):
    pair = make_pair(1)
    with pytest.raises(RegistryError, match=message):
        promote(pair, _verdict(**changes), run)
    assert _aliases(store) == {"challenger": 1}


def test_a_champion_that_has_moved_since_is_not_pushed_aside(store, run, make_pair):
    one, two, three = make_pair(1), make_pair(2), make_pair(3)
    promote(one, _verdict(), run)
    promote(two, _verdict(one), run)
    with pytest.raises(RegistryError, match=r"reached against models:/lrface/1; .* of now \(models:/lrface/2\)"):
        promote(three, _verdict(one), run)
    assert _aliases(store)["champion"] == 2


def test_a_stale_half_is_refused(store, run, make_pair):
    pair = make_pair(1)
    store.client.set_model_version_tag(EDGEFACE, "1", "weights_sha256", "0" * 64)
    with pytest.raises(RegistryError, match="put the pair together again"):
        promote(pair, _verdict(), run)
    assert "champion" not in _aliases(store)


def test_a_refusal_is_written_down(store, run, make_pair):
    pair = make_pair(1)
    record_refusal(pair, _verdict(decision="tune", reason="3 points only"), run)
    tags = store.client.get_model_version(PAIR, "1").tags
    assert tags["verdict"] == "tune"
    assert tags["verdict_reason"] == "3 points only"
    assert [entry.what for entry in audit_trail(store)] == ["refuse"]
    failing = _verdict(gates=(Gate("gain", 0.08, 0.05, False),))
    record_refusal(pair, failing, run)
    assert store.client.get_model_version(PAIR, "1").tags["verdict"] == "refused"


class Killed(BaseException):
    """Stands for a kill: nothing in the package catches it."""


@pytest.mark.parametrize("call", range(1, 7))
def test_killed_anywhere_the_next_one_finds_a_whole_champion_and_repairs(store, run, make_pair, monkeypatch, call):
    one, two, three = make_pair(1), make_pair(2), make_pair(3)
    promote(one, _verdict(), run)
    promote(two, _verdict(one), run)
    calls = []
    for name in ("set_registered_model_alias", "set_registered_model_tag", "delete_registered_model_tag"):
        monkeypatch.setattr(store.client, name, _killed_at(call, calls, getattr(store.client, name)))
    try:
        promote(three, _verdict(two), run)
    except Killed:
        pass
    else:
        assert call > len(calls)
    monkeypatch.undo()
    now = _aliases(store)
    assert (now["champion"], now["previous"]) in {(2, 1), (2, 2), (3, 2)}
    # Whatever is asked next puts the aliases in order first.
    record_refusal(one, _verdict(decision="keep"), run)
    now = _aliases(store)
    assert (now["champion"], now["previous"]) in {(2, 1), (3, 2)}
    assert promotion._UNDER_WAY not in store.client.get_registered_model(PAIR).tags
    if now["champion"] == 3:
        assert [entry.version for entry in audit_trail(store) if entry.what == "promote"] == [1, 2, 3]
    else:
        assert promote(three, _verdict(two), run).version == 3


def _killed_at(call, calls, real):
    def wrapped(*arguments, **options):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return real(*arguments, **options)

    return wrapped


def test_two_at_once_one_wins_and_the_pair_is_whole(project, store, run, make_pair):
    one, two, three = make_pair(1), make_pair(2), make_pair(3)
    promote(one, _verdict(), run)
    outcomes, ready = [], threading.Barrier(2)

    def push(pair):
        with start_run(connect(project, QUICK), "promote", job="promote", params={}) as own:
            ready.wait()
            try:
                outcomes.append(promote(pair, _verdict(one), own).version)
            except RegistryError as error:
                outcomes.append(str(error))

    threads = [threading.Thread(target=push, args=(pair,)) for pair in (two, three)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, int)]
    (loser,) = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert "evaluate again against it" in loser
    aliases = _aliases(store)
    assert (aliases["champion"], aliases["previous"]) == (winner, 1)
