"""Failures of MLflow and its stores: which pass by themselves, and how they are told in one line."""

import re
from typing import Final

import requests
from mlflow.exceptions import MlflowException

from lrface.errors import RegistryError

_CREDENTIALS: Final = re.compile(r"://[^/\s@]+@")
# 401 and 403 are kept for later as well: the points are good, only the credentials are not.
_PASSING_CODES: Final = frozenset({401, 403, 408, 425, 429})


def http_status(error: MlflowException) -> int:
    """Return the HTTP status that MLflow gives an error, also where no server was asked."""
    return int(error.get_http_status_code())  # type: ignore[no-untyped-call]


def passes_by_itself(error: Exception) -> bool:
    """Tell whether the same call may succeed later: the server is away, busy, full or shut to us for now."""
    if isinstance(error, MlflowException):
        code = http_status(error)
        return code >= 500 or code in _PASSING_CODES
    if isinstance(error, requests.HTTPError) and error.response is not None:
        code = error.response.status_code
        return code >= 500 or code in _PASSING_CODES
    return True


def first_line(error: BaseException, length: int = 500) -> str:
    """Return the first line of an error's message that says something, without credentials in it.

    A line that only announces others ("the following failures occurred:") says nothing, and neither does a heading.
    Where no line says anything it is the name of the error's kind.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("#####")]
    said = [line for line in lines if not line.endswith(":")] or lines or [type(error).__name__]
    return _CREDENTIALS.sub("://", said[0])[:length]


def refusal(what: str, error: Exception, *, expected: str, remedy: str) -> RegistryError:
    """Return the one-line error for a call that MLflow or its store has refused."""
    return RegistryError(what, got=first_line(error), expected=expected, remedy=remedy)
