"""The report: one HTML page that holds everything, pictures included, and needs nothing from anywhere.

First screen: the verdict with each gate in words, whether the super-resolver earns its place, the four arms that answer
it, the differences with their intervals, faces at three sizes. One click away, in the same page: every arm, table and
figure, the worst failures, the protocol, what could not be told, versions and licences.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor

from lrface.evaluation.figures.curve import curve_table
from lrface.evaluation.figures.results import Cell, Record, Results
from lrface.evaluation.figures.shown import is_share, shown
from lrface.evaluation.figures.sweep import SweepSettings, sweep
from lrface.evaluation.page import ABSENT, Report, escaped, folded, image_tag, sheet_png, table_tag, whole_page
from lrface.evaluation.protocol.arms import Arm
from lrface.evaluation.protocol.conditions import Degrade, clean, described
from lrface.evaluation.report import plots as figures
from lrface.evaluation.report.first_screen import first_screen, worth_table
from lrface.evaluation.report.lead import Gain, Lead, gains, lead_of
from lrface.evaluation.report.lead_plots import face_pictures, lead_pictures
from lrface.evaluation.report.operating_page import TITLE as OPERATING
from lrface.evaluation.report.operating_page import operating_section
from lrface.evaluation.report.several_page import TITLE as SEVERAL
from lrface.evaluation.report.several_page import is_of_several, several_section
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison, title
from lrface.evaluation.verdict.decision import Verdict
from lrface.evaluation.verdict.failures import where_it_fails
from lrface.evaluation.verdict.worth import Worth
from lrface.images.stored import StoredFaces

HEADLINES = (
    "rank1",
    "rank5",
    "rank10",
    "tar_at_far_1e-1",
    "tar_at_far_1e-2",
    "tar_at_far_1e-3",
    "tar_at_far_1e-4",
    "correct",
    "wrong",
    "unknown",
    "false_alarm",
    "tpir_at_fpir_1e-1",
    "tpir_at_fpir_1e-2",
    "tpir_at_fpir_3e-3",
    "eer",
    "dprime",
    "similarity",
    "impostor",
    "effective_rank",
    "psnr",
    "ssim",
    "lpips_alexnet",
    "lpips_vgg16",
    "subjects_under_15",
)
ACROSS = 10  # faces beside each other


@dataclass(frozen=True)
class ReportInput:
    """What a report is made of.

    Attributes:
        results: The evaluation.
        headline: The cell that the first screen is about: the candidate at the size that matters.
        faces: All faces of the pack.
        arms: The arms that were evaluated, for pictures.
        heading: Title of the page.
        verdict: What was decided, if anything.
        comparisons: The comparisons behind it.
        embeddings: By arm, embeddings of the faces of `protocol.pairs`, for their picture.
        versions: What was evaluated with what: names and versions, commit, registry versions.
        licences: Terms of weights and faces, a line each.
        worth: The pair against the direct recogniser, where both were measured.
        extra: Sections of their own, as HTML by title; they come first.
        groups: Group of each subject, where somebody names them.
        settings: Rates of the operating points, and confidence.
        degrade: How the small faces of the headline were made.
        device: Where the networks are.
    """

    results: Results
    headline: Cell
    faces: StoredFaces
    arms: Sequence[Arm]
    heading: str = "Evaluation"
    verdict: Verdict | None = None
    comparisons: Sequence[Comparison] = ()
    embeddings: Mapping[str, Float[Tensor, "n d"]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    licences: Sequence[str] = ()
    worth: Worth | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    settings: EvaluationSettings = field(default_factory=EvaluationSettings)
    degrade: Degrade = clean
    device: torch.device | str = "cpu"


def _by_metric(results: Results, cells: Sequence[Cell]) -> str:
    """Lays out metrics down and cells across."""
    entries = {(Cell(entry.arm, entry.size, entry.degradation), entry.metric): entry for entry in results.records}
    present = {metric for cell, metric in entries if cell in cells}
    told = {metric for (cell, metric), entry in entries.items() if cell in cells and entry.value is not None}
    present &= told
    metrics = [metric for metric in HEADLINES if metric in present]
    metrics += sorted(metric for metric in present - set(HEADLINES) if not is_of_several(metric))
    rows = []
    for metric in metrics:
        unit = " %" if is_share(metric) else " dB" if metric == "psnr" else ""
        rows.append([escaped(metric + unit), *(shown(entries.get((cell, metric))) for cell in cells)])
    return table_tag(["metric", *(f"{cell.arm}, {cell.size} px" for cell in cells)], rows)


def _failures(given: ReportInput, pictures: dict[str, bytes]) -> str:
    worst = figures.worst_failures(given.results, given.headline, count=5)
    if worst.empty:
        return "<p>No probe of this arm is taken for somebody else.</p>"
    arm = [arm for arm in given.arms if arm.name == given.headline.arm]
    rows = [int(row) for row in worst["row"]]
    columns = figures.seen_by(given.faces, rows, arm, given.headline.size, degrade=given.degrade, device=given.device)
    columns["own, enrolled"] = given.faces[[figures.enrolled_face(given.results, name) for name in worst["subject"]]]
    columns["taken for"] = given.faces[[figures.enrolled_face(given.results, name) for name in worst["named"]]]
    names = [
        f"{subject} ({own:.2f})\nas {named} ({best:.2f})"
        for subject, named, own, best in zip(
            worst["subject"], worst["named"], worst["own"].to_numpy(), worst["best"].to_numpy(), strict=True
        )
    ]
    pictures["worst_failures"] = sheet_png(figures.face_sheet(columns, names))
    return (
        f'<div class="faces wide"><p class="soft">{escaped(given.headline)}; in brackets the cosine to the own '
        f"template and to the one that was taken</p>{image_tag(pictures['worst_failures'], 'worst failures')}</div>"
    )


def _plots(given: ReportInput, pictures: dict[str, bytes]) -> None:
    """Draws all figures but the faces."""
    results, size, condition = given.results, given.headline.size, given.headline.degradation
    for metric in ("rank1", "tar_at_far_1e-2"):
        if any(entry.metric == metric and entry.value is not None for entry in results.records):
            pictures[f"curve_{metric}"] = figures.png(figures.resolution_curve(results, metric, condition))
    kept = results.cell(given.headline.arm, size, condition)
    if kept.far.size:
        pictures["roc"] = figures.png(figures.roc_curves(results, size, condition))
        histogram = figures.score_histogram(kept, f"Scores of {given.headline}", results.threshold)
        pictures["scores"] = figures.png(histogram)
    if kept.mated.rank.size:
        pictures["cmc"] = figures.png(figures.cmc_curves(results, size, condition))
        swept = sweep(kept, SweepSettings(false_alarm=max(0.01, 1.0 / max(1, kept.strangers.size))))
        drawn = figures.sweep_curves(swept, f"Threshold of {given.headline}", results.threshold)
        pictures["sweep"] = figures.png(drawn)
    if given.embeddings:
        drawn = figures.embedding_picture(given.embeddings, results.protocol.pairs.subjects)
        pictures["embeddings"] = figures.png(drawn)


def _named(results: Results, rows: Sequence[int]) -> list[str]:
    """Gives the subjects of some mated probes."""
    subjects = dict(zip(results.protocol.mated.rows, results.protocol.mated.subjects, strict=True))
    return [subjects[row] for row in rows]


def _faces(given: ReportInput, pictures: dict[str, bytes]) -> str:
    """Shows some probes as every arm sees them."""
    rows = given.results.protocol.mated.rows
    chosen = [rows[place] for place in np.linspace(0, len(rows) - 1, min(ACROSS, len(rows))).astype(int)]
    columns = figures.seen_by(
        given.faces, chosen, given.arms, given.headline.size, degrade=given.degrade, device=given.device
    )
    names = _named(given.results, chosen)
    pictures["faces"] = sheet_png(figures.face_sheet(columns, names, across=True))
    return f'<div class="faces wide">{image_tag(pictures["faces"], "faces as the arms see them")}</div>'


def _comparison(given: ReportInput, comparison: Comparison, number: int, pictures: dict[str, bytes]) -> str:
    rows = []
    for metric, difference in comparison.differences.items():
        change = difference.change
        scale = 100.0 if is_share(metric) or metric in ("poor_subjects", "worst_tenth") else 1.0
        digits = 2 if scale > 1.0 else 4
        interval = f"[{scale * change.low:+.{digits}f}, {scale * change.high:+.{digits}f}]"
        rows.append(
            [
                escaped(metric + (" %" if scale > 1.0 else "")),
                f"{scale * difference.first:.{digits}f}",
                f"{scale * difference.second:.{digits}f}",
                f"{scale * change.value:+.{digits}f}",
                ABSENT if math.isnan(change.low) else interval,
            ]
        )
    table = table_tag(["metric", comparison.first[0].arm, comparison.second[0].arm, "change", "interval"], rows)
    test = comparison.test
    text = (
        f"<h3>{escaped(title(comparison.first))} against {escaped(title(comparison.second))}</h3>{table}"
        f"<p>Only the first finds {test.only_first}, only the second {test.only_second}; McNemar's exact "
        f"p = {test.probability:.3g}, searches taken as independent.</p>"
    )
    wanted = {cell.arm for cell in (*comparison.first, *comparison.second)}
    arms = [arm for arm in given.arms if arm.name in wanted]
    for which, found in (("first", comparison.only_first), ("second", comparison.only_second)):
        if found:
            columns = figures.seen_by(
                given.faces, found[:ACROSS], arms, given.headline.size, degrade=given.degrade, device=given.device
            )
            names = _named(given.results, found[:ACROSS])
            name = f"only_{which}_{number}"
            pictures[name] = sheet_png(figures.face_sheet(columns, names, across=True))
            count = len(found)
            text += f"<h3>Faces that the {which} finds more often than the other ({count})</h3>"
            text += f'<div class="faces wide">{image_tag(pictures[name], name)}</div>'
    return text


def _conditions(results: Results) -> str:
    """Lays out rank-1 by condition and size."""
    table = curve_table(results, "rank1") if any(entry.metric == "rank1" for entry in results.records) else None
    if table is None:
        return "<p>No probe of an enrolled subject.</p>"
    sizes = sorted(set(table["size"]))
    rows = []
    for key, group in table.groupby(["arm", "degradation"], sort=False):
        by_size = {int(entry["size"]): entry for _, entry in group.iterrows()}
        arm, condition = (str(part) for part in key)
        cells = [
            shown(_rank1(arm, condition, by_size[size])) if size in by_size else ABSENT for size in map(int, sizes)
        ]
        rows.append([escaped(f"{arm}, {condition}"), *cells])
    return table_tag(["rank-1 %", *(f"{size} px" for size in sizes)], rows)


def _rank1(arm: str, condition: str, entry: "pd.Series[float]") -> Record:
    low, high = (None if pd.isna(entry[end]) else float(entry[end]) for end in ("low", "high"))
    return Record(arm, int(entry["size"]), condition, "rank1", float(entry["value"]), low, high, int(entry["n"]))


def _subjects(results: Results, cell: Cell) -> str:
    """Lists the subjects that the headline arm fails most."""
    table = results.subjects
    own = table[
        (table["arm"] == cell.arm) & (table["size"] == cell.size) & (table["degradation"] == cell.degradation)
    ].sort_values(["accuracy", "rank1", "subject"])
    worst = own.head(12)
    shares = 100.0 * worst[["rank1", "accuracy", "wrong", "unknown"]].to_numpy(np.float64)
    rows = [
        [escaped(subject), str(probes), *(f"{value:.0f}" for value in values)]
        for subject, probes, values in zip(worst["subject"], worst["probes"], shares, strict=True)
    ]
    return table_tag(["subject", "probes", "rank-1 %", "right %", "wrong %", "unknown %"], rows)


def _protocol(results: Results) -> str:
    protocol = results.protocol
    parts = {
        "gallery": protocol.gallery,
        "mated probes": protocol.mated,
        "non-mated probes": protocol.non_mated,
        "faces compared in pairs": protocol.pairs,
        "calibration probes": protocol.calibration,
    }
    rows = [[name, str(len(part)), str(len(part.names))] for name, part in parts.items()]
    settings = ", ".join(f"{key} {value}" for key, value in protocol.settings.model_dump().items())
    notes = "".join(f"<li>{escaped(note)}</li>" for note in results.notes)
    return (
        f"<p>sha256 <code>{protocol.digest}</code></p><p>pack <code>{escaped(protocol.source)}</code></p>"
        f"<p class=soft>{escaped(settings)}; threshold {results.threshold:g}; {results.replicates} bootstrap "
        f"replicates over subjects, seed {results.seed}</p>{table_tag(['part', 'faces', 'subjects'], rows)}"
        f"<h3>What could not be told, and why</h3><ul>{notes or '<li>nothing</li>'}</ul>"
    )


def make_report(given: ReportInput) -> Report:
    """Makes the report of an evaluation.

    Raises:
        EvaluationError: The headline cell was not evaluated.
    """
    pictures: dict[str, bytes] = {}
    _plots(given, pictures)
    results, cell = given.results, given.headline
    same = [other for other in results.cells if (other.size, other.degradation) == (cell.size, cell.degradation)]
    ceiling = [other for other in results.cells if other not in same and results.kept[other].psnr.size == 0]
    failures = _failures(given, pictures) if results.protocol.mated.rows else ""
    rest = [
        name
        for name in ("curve_rank1", "curve_tar_at_far_1e-2", "roc", "cmc", "scores", "sweep", "embeddings")
        if name in pictures
    ]
    plots = "".join(f'<div class="card">{image_tag(pictures[name], name)}</div>' for name in rest)
    comparisons = "".join(
        _comparison(given, comparison, number, pictures) for number, comparison in enumerate(given.comparisons, start=1)
    )
    operating = operating_section(results, cell, given.groups, given.settings, pictures)
    where, tables = where_it_fails(results, given.faces, cell, given.worth)
    versions = table_tag(["", ""], [[escaped(name), escaped(value)] for name, value in given.versions.items()])
    licences = "".join(f"<li>{escaped(line)}</li>" for line in given.licences) or "<li>none were given</li>"
    lead = lead_of(results, given.arms, cell, given.worth, given.comparisons)
    found = gains(results, lead, given.verdict)
    first = first_screen(given.verdict, given.worth, results, lead, _lead_pictures(given, lead, found, pictures))
    sections = {
        "Pair and direct, size by size": worth_table(given.worth) if given.worth else "",
        **given.extra,
        OPERATING: operating,
        f"All arms at {cell.size} px": _by_metric(results, [*same, *ceiling]),
        SEVERAL: several_section(entry for entry in results.records if entry.degradation == cell.degradation),
        "All arms as curves": f'<div class="grid">{plots}</div>',
        "Worst failures": failures,
        "Faces as all arms see them": _faces(given, pictures) if results.protocol.mated.rows else "",
        "Where it fails": where,
        "Comparisons": comparisons,
        "Rank-1 of all arms by size and condition": _conditions(results),
        f"Subjects that fail most ({cell})": _subjects(results, cell),
        "Protocol, and what could not be told": _protocol(results),
        "Versions": versions if given.versions else "<p>none were given</p>",
        "Licences": f"<ul>{licences}</ul>",
    }
    body = "".join(folded(name, content) for name, content in sections.items() if content)
    about = (
        f"<p class=soft>{escaped(described(cell.degradation))} &middot; {len(results.protocol.mated)} probes of "
        f"{len(results.protocol.mated.names)} people, gallery of {len(results.protocol.gallery.names)} &middot; 95 % "
        f"intervals by bootstrap over people &middot; protocol <code>{results.protocol.digest[:12]}</code></p>"
    )
    return Report(whole_page(given.heading, f"{about}{first}<h2>All the rest</h2>{body}"), pictures, tables)


def _lead_pictures(
    given: ReportInput, lead: Lead, found: Sequence[Gain], pictures: dict[str, bytes]
) -> dict[str, list[bytes]]:
    """Draws the first screen: plots and faces, in order."""
    plots = lead_pictures(given.results, lead, found)
    faces = face_pictures(given.results, lead, given.faces, given.arms, given.degrade, given.device)
    pictures |= plots | faces
    return {"plots": list(plots.values()), "faces": list(faces.values())}
