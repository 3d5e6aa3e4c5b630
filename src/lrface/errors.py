"""The named errors of the package.

Each message is one line: what was got, what was expected, what to do. The jobs print it and leave with a
code that is not 0; a traceback is shown only when it is asked for.
"""

import re
from typing import Any

_ENDS = re.compile(r"\s*[\n\r]\s*")


class LrfaceError(Exception):
    """Something a user can mend.

    Args:
        what: What was being done or read, with its name ("manifest of /data/pack").
        got: What was found.
        expected: What would have been right.
        remedy: What to do about it.
    """

    def __init__(self, what: str, *, got: str, expected: str, remedy: str) -> None:
        # What libraries and people write has ends of lines in it.
        super().__init__(_ENDS.sub(" ", f"{what}: got {got}; expected {expected}; {remedy}"))
        self.what = what
        self.got = got
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel by pickle, from a worker of a cluster."""
        return _again, (type(self), str(self), self.__dict__)


def _again(kind: type[LrfaceError], text: str, parts: dict[str, Any]) -> LrfaceError:
    error = kind.__new__(kind)
    Exception.__init__(error, text)
    error.__dict__.update(parts)
    return error


class ConfigError(LrfaceError):
    """A parameter, a config key or a value that cannot be used."""


class DataError(LrfaceError):
    """A source, an image, a pack or a split that cannot be used."""


class WeightsError(LrfaceError):
    """A checkpoint that cannot be read, or does not fit the network it is meant for."""


class RegistryError(LrfaceError):
    """A run, a model version or an alias that is missing, stale or refused; a store that does not answer."""


class TrainingError(LrfaceError):
    """A training that was stopped because going on would have made things worse."""


class NonFiniteError(TrainingError):
    """A training whose losses or gradients stopped being numbers; gentler settings may help."""


class EvaluationError(LrfaceError):
    """A question that the given faces, probes or pairs cannot answer."""


class ClusterError(LrfaceError):
    """A cluster that does not answer, or whose workers die."""
