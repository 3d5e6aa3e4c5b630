"""What the checks of a source find: of which kind, how grave, how often, where, and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lrface.data.settings import CheckSettings, FindingKind
from lrface.errors import DataError

Severity = Literal["error", "warning", "note"]

_NOTES: tuple[FindingKind, ...] = ("all_grey", "duplicate", "near_duplicate")
_EXAMPLES = 20
_TOLD = 5


@dataclass(frozen=True)
class Finding:
    """One kind of thing that a check found.

    Attributes:
        kind: Its short name.
        severity: ``error`` stops ``prepare``, ``warning`` should be read, ``note`` is to be known.
        count: How many faces, subjects or pairs.
        message: One line.
        examples: The first of them: files, or pairs of files.
        remedy: What to do about it, where that is not plain.
    """

    kind: FindingKind
    severity: Severity
    count: int
    message: str
    examples: tuple[str, ...]
    remedy: str = ""

    @property
    def told(self) -> str:
        """The message with the first files, as a terminal shows it."""
        return told(self.message, self.examples, self.count)

    def as_dict(self) -> dict[str, Any]:
        """Gives the finding as plain JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "count": self.count,
            "message": self.message,
            "examples": list(self.examples),
            "remedy": self.remedy,
        }


def told(message: str, examples: Sequence[str], count: int) -> str:
    """Puts the first examples behind a message, and says how many more there are."""
    if not examples:
        return message
    more = f" and {count - _TOLD} more" if count > _TOLD else ""
    return f"{message}: {', '.join(examples[:_TOLD])}{more}"


class Collector:
    """Gathers findings, each with the severity that the settings give its kind.

    Args:
        settings: What stops ``prepare``, and what is not looked for.
    """

    def __init__(self, settings: CheckSettings) -> None:
        self._settings = settings
        self._findings: list[Finding] = []

    def add(self, kind: FindingKind, count: int, message: str, examples: Sequence[str], remedy: str = "") -> None:
        """Takes in a finding, unless there is nothing of it or nobody wants to know."""
        if not count or kind in self._settings.ignore:
            return
        severity: Severity = "warning"
        if kind in self._settings.errors:
            severity = "error"
        elif kind in _NOTES:
            severity = "note"
        self._findings.append(Finding(kind, severity, count, message, tuple(examples[:_EXAMPLES]), remedy))

    def sorted(self) -> list[Finding]:
        """Gives the findings, errors first."""
        return by_severity(self._findings)


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Sorts findings: errors, warnings, notes."""
    order = get_args(Severity)
    return sorted(findings, key=lambda finding: order.index(finding.severity))


def stop_on_errors(findings: Sequence[Finding], what: str) -> None:
    """Raises when a finding is an error.

    Raises:
        DataError: With the first files of each.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return
    got = "; ".join(finding.told for finding in errors)
    kinds = ", ".join(sorted({finding.kind for finding in errors}))
    mend = "; ".join(dict.fromkeys(finding.remedy for finding in errors if finding.remedy)) or "mend the source"
    raise DataError(what, got=got, expected="none of these", remedy=f"{mend}, or take {kinds} out of checks.errors")
