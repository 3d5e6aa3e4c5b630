"""Why a checkpoint is not read: the error that the readers raise and the doctor turns into a report."""

from lrface.errors import WeightsError

_LONGEST = 300


def printable(text: str, limit: int = _LONGEST) -> str:
    """A text out of a foreign file as one line of bounded length, without control characters."""
    plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:limit])
    return plain + ("..." if len(text) > limit else "")


class CheckpointRefusedError(WeightsError):
    """A file that is no checkpoint, or none that may be read.

    Args:
        what: The file.
        kind: What the file is, as `Report.kind` names it.
        got: What was found in it.
        remedy: What to do about it.
    """

    def __init__(self, what: str, *, kind: str, got: str, remedy: str) -> None:
        super().__init__(what, got=printable(got), expected="a readable checkpoint", remedy=remedy)
        self.kind = kind
