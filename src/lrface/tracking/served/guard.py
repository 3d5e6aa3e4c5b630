"""What MLflow's scoring server lets through to its own parsers, bounded and answered with a 4xx.

MLflow 3.17 answers 500 to a request without a content type and to JSON that is nested too deeply, and parses a body
of any size. The server looks its handler up by name for each request, so the handler is wrapped when a pair is
loaded inside of it.
"""

import functools
import sys
from collections.abc import Callable
from http import HTTPStatus
from types import ModuleType
from typing import Any, Final

SERVER: Final = "mlflow.pyfunc.scoring_server"
MOST_BODY: Final = 32 * 1024**2

Handler = Callable[..., Any]


def guard_server() -> bool:
    """Wrap the handler of the scoring server that this process runs; tell whether there is one."""
    server: Any = sys.modules.get(SERVER)
    if server is None:
        return False
    if not hasattr(server.invocations, "guards"):
        server.invocations = guarded(server, server.invocations)
    return True


def guarded(server: ModuleType, handler: Handler) -> Handler:
    """Return a handler that refuses what ``handler`` would fall over.

    Args:
        server: MLflow's module, for its type of an answer.
        handler: Takes the body, the content type, the model and its input schema.
    """

    @functools.wraps(handler)
    def invocations(data: bytes, content_type: str | None, model: object, input_schema: object) -> object:
        if len(data) > MOST_BODY:
            got, expected = f"{len(data):,} bytes", f"at most {MOST_BODY:,}"
            return _refuse(server, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, got, expected, "send fewer pictures at once")
        if content_type is None:
            got, expected = "no content type", "application/json"
            return _refuse(server, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, got, expected, "set the header Content-Type")
        try:
            return handler(data, content_type, model, input_schema)
        except RecursionError:
            return _refuse(
                server, HTTPStatus.BAD_REQUEST, "a body nested too deeply", "a table of pictures", "correct it"
            )

    invocations.guards = True  # type: ignore[attr-defined]
    return invocations


def _refuse(server: ModuleType, status: HTTPStatus, got: str, expected: str, remedy: str) -> object:
    text = f"request: got {got}; expected {expected}; {remedy}\n"
    return server.InvocationsResponse(response=text, status=int(status), mimetype="text/plain")
