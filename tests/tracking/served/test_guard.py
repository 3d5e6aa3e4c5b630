from types import SimpleNamespace
from typing import NamedTuple

import pytest

from lrface.tracking.served import guard as served_guard
from lrface.tracking.served.guard import guard_server, guarded


class Response(NamedTuple):
    response: str
    status: int
    mimetype: str


def server(handler):
    return SimpleNamespace(InvocationsResponse=Response, invocations=handler)


def nested(data, content_type, model, input_schema):
    raise RecursionError


@pytest.mark.parametrize(
    ("handler", "data", "content_type", "status"),
    [
        (lambda *given: Response("fine", 200, "application/json"), b"{}", "application/json", 200),
        (lambda *given: pytest.fail("it was handed on"), b"{}", None, 415),
        (lambda *given: pytest.fail("it was handed on"), b"x" * 101, "application/json", 413),
        (nested, b"[" * 100, "application/json", 400),
    ],
)
def test_what_mlflow_would_fall_over_is_a_4xx(monkeypatch, handler, data, content_type, status):
    monkeypatch.setattr(served_guard, "MOST_BODY", 100)
    answer = guarded(server(handler), handler)(data, content_type, None, None)
    assert answer.status == status
    assert status == 200 or ("got" in answer.response and "expected" in answer.response)


def test_the_server_of_this_process_is_wrapped_once(monkeypatch):
    running = server(nested)
    monkeypatch.setitem(served_guard.sys.modules, served_guard.SERVER, running)
    assert guard_server()
    first = running.invocations
    assert guard_server()
    assert running.invocations is first
    assert first(b"[", "application/json", None, None).status == 400


def test_without_a_server_nothing_is_wrapped(monkeypatch):
    monkeypatch.delitem(served_guard.sys.modules, served_guard.SERVER, raising=False)
    assert not guard_server()


def test_mlflow_still_has_what_is_wrapped():
    from mlflow.pyfunc import scoring_server

    assert callable(scoring_server.invocations)
    assert set(Response._fields) <= set(scoring_server.InvocationsResponse._fields)
