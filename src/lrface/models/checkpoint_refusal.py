"""Why a checkpoint is not read: the error that the readers raise and the doctor turns into a report."""

from lrface.errors import WeightsError


class CheckpointRefusedError(WeightsError):
    """A file that is no checkpoint, or none that may be read.

    Args:
        what: The file.
        kind: What the file is, as `Report.kind` names it.
        got: What was found in it.
        remedy: What to do about it.
    """

    def __init__(self, what: str, *, kind: str, got: str, remedy: str) -> None:
        super().__init__(what, got=got, expected="a readable checkpoint", remedy=remedy)
        self.kind = kind
