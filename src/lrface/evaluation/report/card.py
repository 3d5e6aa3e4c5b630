"""The model card: what a version is, what it was made of, what it can do and for whom it fails, on a page.

After Mitchell et al. 2019, "Model Cards for Model Reporting". Everything in it is taken from the run; nothing in it
names a person of the test.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from lrface.errors import EvaluationError
from lrface.evaluation.figures.results import Record, Results
from lrface.evaluation.verdict.decision import Verdict
from lrface.images.sizes import FACE_SIZE

SHOWN: Final = ("rank1", "tar_at_far_1e-2", "tar_at_far_1e-3", "correct", "wrong", "unknown", "false_alarm")
POOR: Final = 0.15

USE: Final = {
    "edgeface": "Turns an aligned face of 112 x 112 pixels into an embedding of unit length, for comparing faces.",
    "dsr": "Brings a face of 8 to 32 pixels to 112 x 112 so that the recogniser it was trained with recognises it.",
    "lrface": "Super-resolves and embeds faces of 8 to 32 pixels, and names people who are enrolled in a gallery.",
}
NOT_FOR: Final = (
    "Not for decisions about a person without a human who looks at the evidence.",
    "Not for finding people who have not agreed to it, nor for guessing age, sex, origin, health or mood.",
    "Not without consent: embeddings and templates of faces are biometric data (docs/responsible-use.md).",
    "A super-resolved face is what the network takes for likely. It is no photograph and no evidence of looks.",
)
LIMITS: Final = (
    "The figures hold for faces like those of the test; other cameras, poses and light give others.",
    "Nothing is known about differences between groups of people (age, sex, skin): the data does not say who is what.",
)


@dataclass(frozen=True)
class CardInput:
    """What a card is made of.

    Attributes:
        model: Registered model: edgeface, dsr or lrface.
        heading: What this version is, in a line.
        made: How it was made: run, commit, parts, by name.
        data: The faces it was trained on, a line each.
        licences: Licences and what they ask for, a line each.
        validation: Best figures of the training, on validation faces, without intervals.
        results: An evaluation on people who were in no training; None where there was none yet.
        arms: Arms of it to show, by the words for them: the version's own first, then what it is held against.
        verdict: What was decided.
        points: The operating points of a pair, a line each.
    """

    model: str
    heading: str
    made: Mapping[str, str]
    data: Sequence[str]
    licences: Sequence[str]
    validation: Mapping[str, float] = field(default_factory=dict)
    results: Results | None = None
    arms: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    points: Sequence[str] = ()


def model_card(given: CardInput) -> str:
    """Write the card as Markdown.

    Raises:
        EvaluationError: An arm was not evaluated.
    """
    parts = [f"# {given.heading}", USE[given.model]]
    parts.append(_section("Not for", NOT_FOR))
    parts.append(_section("Licences", given.licences))
    parts.append(_section("How it was made", [f"{name}: {value}" for name, value in given.made.items()]))
    parts.append(_section("Trained on", given.data or ["nothing is recorded"]))
    if given.results is not None:
        parts += _evaluated(given, given.results)
    elif given.validation:
        lines = [f"{name}: {value:.4g}" for name, value in given.validation.items()]
        parts.append(_section("On validation faces", ["selected by these, so they flatter; no intervals", *lines]))
        parts.append("Figures on people who were in no training stand in the card of the pair that it becomes part of.")
    if given.points:
        parts.append(_section("Operating points: cosine from which a face is named", given.points))
    parts.append(_section("Limits", _limits(given)))
    return "\n\n".join(parts) + "\n"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {line}" for line in lines)])


def _evaluated(given: CardInput, results: Results) -> list[str]:
    if missing := sorted(set(given.arms.values()) - set(results.arms)):
        raise EvaluationError(
            "model card",
            got=f"no arm {', '.join(missing)}",
            expected=f"arms of {', '.join(results.arms)}",
            remedy="evaluate it",
        )
    return [
        _verdict(given.verdict),
        "\n".join(["## Figures", "", _about(results), "", *_table(given.arms, results)]),
        _section("Whom it fails", _failures(given.arms, results)),
    ]


def _verdict(verdict: Verdict | None) -> str:
    lines = verdict.lines if verdict else ("nothing was decided",)
    return _section("Verdict", lines)


def _about(results: Results) -> str:
    people = results.subjects["subject"].nunique()
    return (
        f"{people} people who were in no training, HR gallery; threshold {results.threshold:g}; 95 % intervals from "
        f"{results.replicates} bootstrap replicates over people; protocol {results.protocol.digest[:12]}."
    )


def _table(arms: Mapping[str, str], results: Results) -> list[str]:
    table: dict[tuple[str, int], dict[str, str]] = {}
    for words, arm in arms.items():
        for entry in results.records:
            if entry.arm == arm and entry.degradation == "clean" and entry.metric in SHOWN:
                table.setdefault((words, entry.size), {})[entry.metric] = _cell(entry)
    columns = [name for name in SHOWN if any(name in row for row in table.values())]
    lines = [f"| probes | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for (words, size), row in sorted(table.items(), key=lambda item: (item[0][1], list(arms).index(item[0][0]))):
        probe = "HR" if size == FACE_SIZE else f"{size} px"
        lines.append(f"| {probe}, {words} | {' | '.join(row.get(name, '') for name in columns)} |")
    return lines


def _cell(entry: Record) -> str:
    if entry.value is None:
        return "cannot be told"
    interval = "" if entry.low is None or entry.high is None else f" [{entry.low:.3f}, {entry.high:.3f}]"
    return f"{entry.value:.3f}{interval}"


def _failures(arms: Mapping[str, str], results: Results) -> list[str]:
    own = next(iter(arms.values()))
    people = results.subjects[(results.subjects["arm"] == own) & (results.subjects["degradation"] == "clean")]
    return [_failure(size, people[people["size"] == size]) for size in sorted(set(people["size"]))]


def _failure(size: int, rows: pd.DataFrame) -> str:
    right = rows["accuracy"].dropna().sort_values()
    if right.empty:
        return f"{size} px: cannot be told, nobody of the test is enrolled"
    worst = right.iloc[: max(1, len(right) // 10)].mean()
    poor = int((right < POOR).sum())
    return (
        f"{size} px: {poor} of {len(right)} people are named rightly in under {POOR:.0%} of their pictures; "
        f"the worst tenth in {worst:.0%}, the median person in {right.median():.0%}"
    )


def _limits(given: CardInput) -> list[str]:
    lines = list(LIMITS)
    if given.results is not None:
        sizes = sorted({cell.size for cell in given.results.cells if cell.size != FACE_SIZE})
        lines.append(f"Measured at {', '.join(map(str, sizes))} pixels; between and beyond them nothing is known.")
        # What single figures lack stands in the table; here is what concerns them all.
        cells = tuple(f"{cell} " for cell in given.results.cells)
        lines += [note for note in given.results.notes if not note.startswith(cells)]
    return lines
