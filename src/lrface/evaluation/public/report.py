"""The page of an evaluation on public sets: a table and a curve per set, the published figures beside."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lrface.evaluation.page import ABSENT, Report, escaped, image_tag, table_tag, whole_page
from lrface.evaluation.public.gain import OVER, drawn_of, gain_lines, gain_table
from lrface.evaluation.public.records import PublicRecord
from lrface.evaluation.report.plots import CEILING, SIDE, arm_colours, new_axes, png
from lrface.evaluation.report.several_page import TITLE as SEVERAL
from lrface.evaluation.report.several_page import several_section
from lrface.evaluation.verdict.worth import QUESTION
from lrface.images.sizes import FACE_SIZE

PAIR_FIGURES = ("accuracy", "eer", "tar_at_far_1e-1", "tar_at_far_1e-2", "tar_at_far_1e-3", "accuracy_best")
SEARCH_FIGURES = (
    *("rank1", "rank5", "rank20", "tpir_at_fpir_1e-1", "tpir_at_fpir_1e-2", "correct", "wrong", "unknown"),
    *("rank1_of_2", "rank1_of_4", "rank1_of_8"),
)
LEADING = {"accuracy": "ten-fold accuracy", "rank1": "rank-1"}


def _of_set(records: Sequence[PublicRecord], name: str) -> dict[tuple[str, int], dict[str, PublicRecord]]:
    """Groups the records of a set by arm and size, in order."""
    found: dict[tuple[str, int], dict[str, PublicRecord]] = {}
    for entry in records:
        if entry.set == name and not entry.metric.endswith(OVER):
            found.setdefault((entry.arm, entry.size), {})[entry.metric] = entry
    return found


def _shown(entries: Mapping[str, PublicRecord], metric: str) -> str:
    """Gives a figure in per cent, with its spread where it has one, as plain text."""
    entry = entries.get(metric)
    if entry is None or entry.value is None:
        return ""
    spread = entries.get(f"{metric}_deviation")
    text = f"{100 * entry.value:.2f}"
    return text if spread is None or spread.value is None else f"{text} +-{100 * spread.value:.2f}"


def _said(entries: Mapping[str, PublicRecord]) -> str:
    """Gives the published accuracy with its spread, as plain text; empty where there is none."""
    accuracy, spread = (entries.get(name) for name in ("accuracy", "accuracy_deviation"))
    if accuracy is None or spread is None or accuracy.published is None or spread.published is None:
        return ""
    return f"{100 * accuracy.published:.2f} +-{100 * spread.published:.2f}"


def wide_table(records: Sequence[PublicRecord], name: str) -> pd.DataFrame:
    """Gives what was found on a set, a row per arm and size, figures in per cent as text."""
    rows = _of_set(records, name)
    metrics = [
        metric
        for metric in (*PAIR_FIGURES, *SEARCH_FIGURES)
        if any(metric in entries and entries[metric].value is not None for entries in rows.values())
    ]
    table = pd.DataFrame(
        [
            {"arm": arm, "px": size, **{metric: _shown(entries, metric) for metric in metrics}}
            for (arm, size), entries in rows.items()
        ]
    )
    said = [_said(entries) for entries in rows.values()]
    if any(said):
        table.insert(3, "published", said)
    return table


def summary_lines(records: Sequence[PublicRecord]) -> list[str]:
    """Gives the tables of all sets as lines for a terminal."""
    lines = []
    for name in dict.fromkeys(entry.set for entry in records):
        table = wide_table(records, name)
        lines += [f"{name}, per cent:", *table.to_string(index=False).splitlines(), *gain_lines(records, name)]
    return lines


def accuracy_curve(records: Sequence[PublicRecord], name: str) -> Figure:
    """Draws accuracy (rank-1 of a search set) over the side of the faces, HR and the published figure across."""
    rows = _of_set(records, name)
    metric = next(wanted for wanted in LEADING if any(wanted in entries for entries in rows.values()))
    arms = list(dict.fromkeys(arm for arm, _ in rows))
    colours = arm_colours(arms)
    figure, axes = new_axes(f"{name}: {LEADING[metric]} by size", SIDE, LEADING[metric])
    sizes = sorted({size for (_, size) in rows if size != FACE_SIZE})
    for arm in arms:
        own = [entries[metric] for (other, _), entries in rows.items() if other == arm and metric in entries]
        for entry in own:
            if entry.size == FACE_SIZE and entry.value is not None:
                axes.axhline(entry.value, color=colours[arm], linestyle="--", linewidth=1.2, label=arm)
            if entry.published is not None:
                axes.axhline(entry.published, color=CEILING, linestyle=":", linewidth=1.0, label="published, HR")
        small = [entry for entry in own if entry.size != FACE_SIZE]
        if small:
            across = [entry.size for entry in small]
            values, low, high = (
                np.array([getattr(entry, name) for entry in small], np.float64) for name in ("value", "low", "high")
            )
            ends = np.nan_to_num(np.stack([values - low, high - values]))
            axes.errorbar(across, values, yerr=ends, marker="o", capsize=3, color=colours[arm], label=arm)
    if sizes:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9)
    return figure


def _gains(records: Sequence[PublicRecord], name: str) -> str:
    """Whether super-resolution earns its place, as the first card of a set."""
    table, lines = gain_table(records, name), gain_lines(records, name)
    if table.empty:
        return ""
    said = "".join(f"<p>{escaped(line)}</p>" for line in lines if line.startswith(QUESTION))
    rows = [[ABSENT if pd.isna(cell) else escaped(cell) for cell in row] for row in table.to_numpy()]
    drawn = drawn_of(records, name)
    note = f"<p class=soft>points over bicubic-direct; 95 % intervals by bootstrap over {drawn}</p>"
    return f'<div class="card verdict">{said}{table_tag(list(table.columns), rows)}{note}</div>'


def make_public_report(
    records: Sequence[PublicRecord],
    *,
    about: Mapping[str, str],
    versions: Mapping[str, str],
    licences: Sequence[str] = (),
    heading: str = "Public sets",
) -> Report:
    """Makes the page.

    Args:
        records: What was measured.
        about: A line about each set: kind, digest, how it was evaluated.
        versions: What was measured with what.
        licences: Terms, a line each.
        heading: Title of the page.
    """
    pictures: dict[str, bytes] = {}
    body = []
    for name in dict.fromkeys(entry.set for entry in records):
        table = wide_table(records, name)
        own = [entry for entry in records if entry.set == name]
        rows = [[escaped(cell).replace("+-", "&plusmn;") or ABSENT for cell in row] for row in table.to_numpy()]
        pictures[f"curve_{name}"] = png(accuracy_curve(records, name))
        reasons = dict.fromkeys(
            f"{entry.metric}: {entry.reason}" for entry in records if entry.set == name and entry.reason
        )
        notes = "".join(f"<li>{escaped(reason)}</li>" for reason in reasons)
        body.append(
            f"<h2>{escaped(name)}</h2>{_gains(records, name)}"
            f"<p class=soft>{escaped(about.get(name, ''))}; per cent; accuracy with its "
            f"standard deviation over the folds; bars are 95 % intervals of their mean</p>"
            f"<div class=card>{image_tag(pictures[f'curve_{name}'], name)}</div>"
            f"{table_tag(list(table.columns), rows)}"
            + (f"<h3>{SEVERAL}</h3>{several}" if (several := several_section(own)) else "")
            + (f"<ul>{notes}</ul>" if notes else "")
        )
    known = [[escaped(name), escaped(value)] for name, value in versions.items()]
    terms = "".join(f"<li>{escaped(line)}</li>" for line in licences)
    body.append(f"<h2>Versions</h2>{table_tag(['', ''], known)}<h2>Licences</h2><ul>{terms}</ul>")
    return Report(whole_page(heading, "".join(body)), pictures)
