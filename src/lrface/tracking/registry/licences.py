"""The licence ledger: under which terms each part of a model stands, and what holds for the whole."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from lrface.tracking.runs.lineage import UNKNOWN, joined_licences

# The start of a licence's name, upper case and joined by hyphens, so that "CC BY-NC-SA 4.0" is known too.
_TERMS: Final = (
    ("CC-BY-NC-SA", "no commercial use, name the makers, share alike"),
    ("CC-BY-NC", "no commercial use, name the makers"),
    ("CC-BY-SA", "name the makers, share alike"),
    ("CC-BY", "name the makers"),
    ("CC0", "free for any use"),
    ("APACHE-2", "keep the notices"),
    ("MIT", "keep the notice"),
    ("BSD-3", "keep the notice"),
    (UNKNOWN.upper(), "nobody has said; ask before any use"),
)


@dataclass(frozen=True)
class Licensed:
    """A part of a model and its licence.

    Attributes:
        part: What it is: a network, or the faces that one was trained on.
        origin: Where it is: a version's URI, or a name.
        licence: SPDX identifiers joined by AND, or ``unknown``.
        sha256: Of its weights; empty for faces.
    """

    part: str
    origin: str
    licence: str
    sha256: str = ""


def terms_of(licence: str) -> str:
    """Say in words what a licence, or several joined by AND, ask for."""
    return "; ".join(dict.fromkeys(_terms(part.strip()) for part in licence.split(" AND ")))


def _terms(licence: str) -> str:
    name = "-".join(re.split(r"[\s-]+", licence.upper()))
    return next((terms for start, terms in _TERMS if re.match(rf"{start}(-|\.|$)", name)), f"see the text of {licence}")


def whole_licence(ledger: Sequence[Licensed]) -> str:
    """Return the licences that hold for what is made of all parts."""
    return joined_licences([entry.licence for entry in ledger])


def ledger_lines(ledger: Sequence[Licensed]) -> list[str]:
    """Write the ledger as lines: the whole first, then each part."""
    whole = whole_licence(ledger)
    lines = [f"licence of the whole: {whole} ({terms_of(whole)})"]
    for entry in ledger:
        weights = f", sha256 {entry.sha256[:12]}" if entry.sha256 else ""
        lines.append(f"{entry.part} {entry.origin}{weights}: {entry.licence} ({terms_of(entry.licence)})")
    return lines


def ledger_metadata(ledger: Sequence[Licensed]) -> list[dict[str, str]]:
    """Return the ledger as plain values, for the metadata of a served model."""
    return [{**asdict(entry), "terms": terms_of(entry.licence)} for entry in ledger]
