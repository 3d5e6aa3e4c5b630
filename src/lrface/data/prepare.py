"""From a source to a pack: read, check, split, write; or leave the disk as it was."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lrface.data.checks.checks import Checked, check_faces, check_splits
from lrface.data.checks.findings import Finding, by_severity, stop_on_errors
from lrface.data.faces.fit import Fit
from lrface.data.measure import Measured, measure
from lrface.data.pack.pack import Pack
from lrface.data.pack.splits import Row, SplitSummary, make_splits, summarize
from lrface.data.pack.writer import PackWriter
from lrface.data.settings import CheckSettings, SplitSettings
from lrface.data.source import Report, Source
from lrface.errors import ConfigError, DataError

_NAMED_IN_PACK = 100
_COLLECT_EVERY = 50_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Summary:
    """What came of a source, for a person to read and for a run to log.

    Attributes:
        splits: Subjects, images, shares, and who was left out and why.
        findings: What the checks found, errors first.
        report: What was skipped and how the faces were aligned.
        measured: The figures of each face, in row order.
        faces: How many faces there are of each subject.
    """

    splits: SplitSummary
    findings: tuple[Finding, ...]
    report: Report
    measured: tuple[Measured, ...]
    faces: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Gives the summary as plain JSON values, long lists cut short."""
        splits = self.splits.as_dict()
        left_out = splits.pop("left_out")
        return {
            **splits,
            "left_out_subjects": len(left_out),
            "left_out": dict(list(left_out.items())[:_NAMED_IN_PACK]),
            "aligned": dict(sorted(self.report.alignment.items())),
            "skipped": self.report.skipped(),
            "skipped_by_subject": dict(list(self.report.skipped_by_subject().items())[:_NAMED_IN_PACK]),
            "skipped_files": [problem.source for problem in self.report.problems[:_NAMED_IN_PACK]],
            "notes": list(self.report.notes),
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def lines(self) -> list[str]:
        """Gives the summary as lines of text; the findings speak for themselves."""
        lines = self.splits.lines()
        aligned = ", ".join(f"{count} {name}" for name, count in sorted(self.report.alignment.items()))
        lines.append(f"alignment: {aligned}")
        if self.report.problems:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.report.skipped().items())
            lines.append(f"skipped: {kinds}")
            by_subject = self.report.skipped_by_subject()
            lines.extend(f"  {subject}: {count} skipped" for subject, count in by_subject.items())
        lines.extend(self.report.notes)
        return lines


def prepare(
    source: Source,
    out: Path | str,
    splits: SplitSettings,
    checks: CheckSettings,
    *,
    licence: str = "",
    terms: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
    before_it_appears: Callable[[], None] | None = None,
) -> tuple[Pack, Summary]:
    """Makes a pack of a source.

    The faces stream through to a hidden folder beside ``out``; memory holds some hundred bytes per face. The
    pack appears in one rename at the end, and on any error nothing is left behind.

    Args:
        source: Where the faces come from.
        out: The folder that is to become the pack.
        splits: How subjects and images are dealt out.
        checks: What is checked, and what stops this.
        licence: Licence of the faces; travels in ``pack.json``.
        terms: What they may be used for; travels likewise.
        overwrite: Replace another pack at ``out``.
        progress: Called with (files done, files in all, or 0 where that is not known).
        before_it_appears: Called when all is read and checked; where it raises, there is no pack.

    Returns:
        The pack and what came of the source.

    Raises:
        DataError: The source is bad, a check found an error, or the pack cannot be written.
        ConfigError: ``out`` lies in the source, or the splits ask for more subjects than there are.
    """
    target = Path(out).absolute()
    _keep_apart(source, target)
    report = Report()
    with PackWriter(target, overwrite=overwrite) as writer:
        measured, fits = _stream(source, report, writer, progress)
        if not measured:
            raise _no_faces(source, report)
        table = writer.table()
        checked = Checked(table, measured, writer.face, fits)
        findings = check_faces(checked, report, checks)
        groups = checked.groups(checks)
        dealt = make_splits(_rows(table, groups), splits)
        findings = by_severity([*findings, *check_splits(checked, dealt, checks)])
        stop_on_errors(findings, f"source {describe_in_words(source)}")
        subjects = list(table["subject"])
        summary = Summary(summarize(subjects, dealt), tuple(findings), report, tuple(measured), dict(Counter(subjects)))
        made = {
            "source": source.describe(),
            "splits": splits.model_dump(mode="json"),
            "checks": checks.model_dump(mode="json"),
            "summary": summary.as_dict(),
        }
        if before_it_appears is not None:
            before_it_appears()
        pack = writer.commit(dealt.superres, dealt.recognition, made=made, licence=licence, terms=terms)
    return pack, summary


def _stream(
    source: Source, report: Report, writer: PackWriter, progress: Progress | None
) -> tuple[list[Measured], list[Fit | None]]:
    measured: list[Measured] = []
    fits: list[Fit | None] = []
    total = source.count() or 0
    with _seldom_collected(), closing(source.items(report)) as faces:
        for face in faces:
            figures = face.measured or measure(face.pixels)
            writer.append(face, figures.sha256)
            measured.append(figures)
            fits.append(face.fit)
            if progress is not None:
                progress(len(measured) + len(report.problems), total)
    return measured, fits


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Has the collector of cycles run seldom: faces form none, and each run walks all that was ever imported."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _rows(table: pd.DataFrame, groups: np.ndarray) -> list[Row]:
    columns = (table[name] for name in ("subject", "source", "superres", "recognition"))
    return [
        Row(subject, int(group), name, superres, recognition)
        for group, subject, name, superres, recognition in zip(groups, *columns, strict=True)
    ]


def _keep_apart(source: Source, target: Path) -> None:
    for folder in source.folders():
        root = folder.resolve()
        if target.resolve() == root or root in target.resolve().parents:
            raise ConfigError(
                f"pack {target}",
                got=f"a place inside the source {root}",
                expected="a place outside it, so that the pack is not read as faces next time",
                remedy="choose another folder",
            )


def _no_faces(source: Source, report: Report) -> DataError:
    kinds = ", ".join(f"{count} {kind}" for kind, count in report.skipped().items()) or "no files"
    first = f"; first: {report.problems[0].reason}" if report.problems else ""
    return DataError(
        f"source {describe_in_words(source)}",
        got=f"no face at all ({kinds}{first})",
        expected="one or more faces",
        remedy="check path, format and align",
    )


def describe_in_words(source: Source) -> str:
    """Names a source in a message: its kind, and its own name where it has one."""
    about = source.describe()
    return f"{about['kind']} {about.get('name', '')}".strip()
