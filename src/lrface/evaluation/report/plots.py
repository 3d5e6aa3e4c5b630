"""Figures of an evaluation, by matplotlib's object interface: nothing global is touched and no window is opened."""

import io
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.evaluation.figures.curve import curve_table
from lrface.evaluation.figures.results import HISTOGRAM_BINS, Cell, Kept, Results
from lrface.evaluation.figures.sweep import Sweep
from lrface.evaluation.protocol.arms import BICUBIC, HIGH_RESOLUTION, Arm
from lrface.evaluation.protocol.conditions import CLEAN, KERNEL, Degrade, clean
from lrface.images.ranges import to_float, to_uint8
from lrface.images.sheet import contact_sheet
from lrface.images.stored import StoredFaces
from lrface.metrics.identification import cmc

COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8d5a97", "#e08e0b", "#00a6a6", "#9c4221", "#5c6b73")
CEILINGS = ("#222222", "#7a5c3e")
FLOORS = ("#8a8a8a", "#c2a878")
CEILING, FLOOR = CEILINGS[0], FLOORS[0]
SIDE = f"side of the face, pixels ({KERNEL})"
LABELS = {
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "tar_at_far_1e-1": "TAR at FAR 0.1",
    "tar_at_far_1e-2": "TAR at FAR 0.01",
    "tar_at_far_1e-3": "TAR at FAR 0.001",
    "correct": "named rightly",
}


def new_axes(title: str, across: str, up: str, width: float = 7.0, height: float = 3.7) -> tuple[Figure, Axes]:
    """Makes a figure with one pair of axes in the style of the reports."""
    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _style(axes, title, across, up)
    return figure, axes


def _style(axes: Axes, title: str, across: str, up: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def png(figure: Figure) -> bytes:
    """Gives a figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def arm_colours(arms: Sequence[str]) -> dict[str, str]:
    """Gives each arm one colour in all figures: HR black and brown, bicubic greys, the others in order."""
    ceilings, floors, others = cycle(CEILINGS), cycle(FLOORS), cycle(COLOURS)
    kinds = {HIGH_RESOLUTION: ceilings, BICUBIC: floors}
    return {arm: next(kinds.get(arm.partition("-")[0], others)) for arm in arms}


def resolution_curve(results: Results, metric: str = "rank1", degradation: str = CLEAN) -> Figure:
    """Draws a metric over the side of the face, with intervals; HR as a line across.

    Raises:
        EvaluationError: No arm has that metric.
    """
    label = LABELS.get(metric, metric)
    figure, axes = new_axes(f"{label} by size of the face ({degradation})", SIDE, label)
    _draw_curve(axes, results, metric, degradation)
    axes.legend(frameon=False, fontsize=9)
    return figure


def curve_panels(results: Results, metric: str = "rank1") -> Figure:
    """Draws a metric over the side of the face, a panel per condition, on one scale; HR as a line across.

    Raises:
        EvaluationError: No arm has that metric.
    """
    small = [cell for cell in results.cells if not _is_ceiling(results, cell.arm)]
    conditions = list(dict.fromkeys(cell.degradation for cell in small)) or [CLEAN]
    across = min(3, len(conditions))
    down = -(-len(conditions) // across)
    figure = Figure(figsize=(5.2 * across, 3.5 * down), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(down, across, sharey=True, squeeze=False).ravel()
    for axes, condition in zip(panels, conditions, strict=False):
        _style(axes, condition, SIDE, LABELS.get(metric, metric))
        _draw_curve(axes, results, metric, condition)
    for axes in panels[len(conditions) :]:
        axes.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    place = {"loc": "center"} if len(panels) > len(conditions) else {"loc": "lower right"}
    panels[-1].legend(handles, names, frameon=False, fontsize=10, **place)
    return figure


def _draw_curve(axes: Axes, results: Results, metric: str, degradation: str) -> None:
    """Draws one condition: a line with its intervals per arm, HR across."""
    table = curve_table(results, metric)
    colours = arm_colours(results.arms)
    for arm in results.arms:
        rows = table[table["arm"] == arm]
        if _is_ceiling(results, arm):
            for value in rows["value"]:
                axes.axhline(value, color=colours[arm], linestyle="--", linewidth=1.2, label=arm)
            continue
        rows = rows[rows["degradation"] == degradation]
        if rows.empty:
            continue
        across = rows["size"].to_numpy(np.float64)
        axes.plot(across, rows["value"], marker="o", markersize=4, color=colours[arm], label=arm)
        axes.fill_between(
            across,
            rows["low"].to_numpy(np.float64),
            rows["high"].to_numpy(np.float64),
            color=colours[arm],
            alpha=0.13,
            linewidth=0,
        )
    sizes = sorted({cell.size for cell in results.cells if not _is_ceiling(results, cell.arm)})
    if sizes:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes], fontsize=8 if len(sizes) > 8 else None)
        axes.minorticks_off()


def _is_ceiling(results: Results, arm: str) -> bool:
    return all(results.kept[cell].psnr.size == 0 for cell in results.cells if cell.arm == arm)


def _selected(results: Results, size: int, degradation: str) -> list[tuple[Cell, Kept]]:
    chosen = [
        (cell, kept)
        for cell, kept in results.kept.items()
        if (cell.size == size and cell.degradation == degradation) or _is_ceiling(results, cell.arm)
    ]
    if not chosen:
        raise EvaluationError(
            "figure",
            got=f"no cell at {size} px {degradation}",
            expected="one of " + ", ".join(map(str, results.cells)),
            remedy="choose a size and condition that were evaluated",
        )
    return chosen


def roc_curves(results: Results, size: int, degradation: str = CLEAN) -> Figure:
    """Draws TAR over FAR (logarithmic) of all arms at one size.

    Raises:
        EvaluationError: Nothing was evaluated there.
    """
    chosen = _selected(results, size, degradation)
    figure, axes = new_axes(f"ROC at {size} px ({degradation})", "false accept rate", "true accept rate")
    colours = arm_colours(results.arms)
    for cell, kept in chosen:
        shown = kept.far > 0
        axes.step(kept.far[shown], kept.tar[shown], where="post", color=colours[cell.arm], label=cell.arm)
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize=9)
    return figure


def cmc_curves(results: Results, size: int, degradation: str = CLEAN, up_to: int = 20) -> Figure:
    """Draws the cumulative match curves of all arms at one size.

    Raises:
        EvaluationError: Nothing was evaluated there, or no mated probe.
    """
    chosen = _selected(results, size, degradation)
    last = min(up_to, len(results.protocol.gallery.names))
    figure, axes = new_axes(f"Cumulative match at {size} px ({degradation})", "rank", "share of probes found")
    colours = arm_colours(results.arms)
    for cell, kept in chosen:
        axes.plot(range(1, last + 1), cmc(kept.mated, last), color=colours[cell.arm], marker=".", label=cell.arm)
    axes.set_ylim(None, 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
    return figure


def score_histogram(kept: Kept, title: str, threshold: float) -> Figure:
    """Draws how genuine and impostor scores are spread, and the threshold."""
    figure, axes = new_axes(title, "cosine", "density")
    _draw_scores(axes, kept, threshold)
    return figure


def score_histograms(panels: Mapping[str, Kept], threshold: float) -> Figure:
    """Draws genuine and impostor scores of several cells beside each other, on the same axes."""
    figure = Figure(figsize=(5.2 * len(panels), 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (name, kept) in zip(
        figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0], panels.items(), strict=True
    ):
        _draw_scores(axes, kept, threshold)
        axes.set_title(name, loc="left", fontsize=11)
        axes.set_xlabel("cosine")
    return figure


def _draw_scores(axes: Axes, kept: Kept, threshold: float) -> None:
    edges = np.linspace(-1.0, 1.0, HISTOGRAM_BINS + 1)
    for name, counts, colour in (
        ("impostor", kept.impostor_counts, COLOURS[1]),
        ("genuine", kept.genuine_counts, COLOURS[0]),
    ):
        density = counts / max(1, counts.sum()) / (edges[1] - edges[0])
        axes.stairs(density, edges, fill=True, alpha=0.45, color=colour, label=f"{name} ({int(counts.sum()):,})")
    axes.axvline(threshold, color=CEILING, linestyle="--", linewidth=1.2, label=f"threshold {threshold:g}")
    axes.legend(frameon=False, fontsize=9)


def sweep_curves(found: Sweep, title: str, threshold: float | None = None) -> Figure:
    """Draws correct, wrong, unknown and false alarms over the threshold, with both best thresholds marked."""
    figure, axes = new_axes(title, "threshold", "share")
    table = found.table
    names = {"correct": COLOURS[2], "wrong": COLOURS[1], "unknown": FLOOR, "false_alarm": COLOURS[4]}
    for name, colour in names.items():
        axes.plot(table["threshold"], table[name], color=colour, label=name.replace("_", " "))
    marks = [("most correct", found.by_correct, CEILING)]
    if found.by_false_alarm is not None:
        marks.append((f"false alarm {found.by_false_alarm.false_alarm:.3g}", found.by_false_alarm, COLOURS[0]))
    for name, point, colour in marks:
        label = f"{name}: {point.threshold:.3f}"
        axes.axvline(point.threshold, color=colour, linewidth=1.2, linestyle="--")
        axes.plot([point.threshold], [point.correct], "o", color=colour, label=label)
    if threshold is not None:
        axes.axvline(threshold, color="#bbbbbb", linewidth=1.0, linestyle=":", label=f"in use: {threshold:g}")
    axes.legend(frameon=False, fontsize=9)
    return figure


def embedding_picture(
    embeddings: Mapping[str, Float[Tensor, "n d"]], subjects: Sequence[str], shown: int = 8
) -> Figure:
    """Draws embeddings of some subjects on their first two principal components, one panel per arm.

    The axes are those of the first arm given (HR, say), so that panels can be compared.

    Args:
        embeddings: By arm, of the same faces.
        subjects: Subject of each face.
        shown: Number of subjects drawn, the first that appear.

    Raises:
        EvaluationError: No arm, or fewer than two faces.
    """
    names = list(dict.fromkeys(subjects))[:shown]
    rows = [place for place, subject in enumerate(subjects) if subject in names]
    if not embeddings or len(rows) < 2:
        raise EvaluationError(
            "picture of embeddings",
            got=f"{len(embeddings)} arms, {len(rows)} faces",
            expected="an arm and two faces",
            remedy="give more faces",
        )
    first = next(iter(embeddings.values()))[rows].double()
    centre = first.mean(dim=0)
    axes_of_all = torch.linalg.svd(first - centre, full_matrices=False).Vh[:2]
    figure = Figure(figsize=(3.4 * len(embeddings), 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(embeddings), sharex=True, sharey=True, squeeze=False)[0]
    palette = dict(zip(names, cycle(COLOURS), strict=False))
    for axes, (arm, values) in zip(panels, embeddings.items(), strict=True):
        places = ((values[rows].double() - centre) @ axes_of_all.T).numpy()
        axes.scatter(places[:, 0], places[:, 1], s=16, c=[palette[subjects[row]] for row in rows])
        axes.set_title(arm, loc="left", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def seen_by(
    faces: StoredFaces,
    rows: Sequence[int],
    arms: Sequence[Arm],
    size: int,
    *,
    degrade: Degrade = clean,
    device: torch.device | str = "cpu",
) -> dict[str, UInt8[np.ndarray, "r 112 112 3"]]:
    """Shows what arms make of some faces: `vlr` (pixels enlarged), each arm with an upscaler, `hr`.

    Arms of the same upscaler give one column, under the name of the first.
    """
    chosen = list(rows)
    images = to_float(faces[chosen], device)
    with torch.inference_mode():
        vlr = degrade(images, size)
        columns = {"vlr": to_uint8(torch.nn.functional.interpolate(vlr, size=images.shape[-2:], mode="nearest"))}
        shown = set()
        for arm in arms:
            if arm.upscaler is None or arm.upscaler in shown or not arm.takes(size):
                continue
            shown.add(arm.upscaler)
            columns[arm.name] = to_uint8(arm.upscaler(vlr))
    columns[HIGH_RESOLUTION] = np.asarray(faces[chosen])
    return columns


def face_sheet(
    columns: Mapping[str, UInt8[np.ndarray, "r 112 112 3"]],
    titles: Sequence[str] | None = None,
    *,
    across: bool = False,
) -> UInt8[np.ndarray, "H W 3"]:
    """Lays faces out: a row per face and a column per way of seeing it, or, across, the other way round.

    Raises:
        EvaluationError: Nothing to show.
    """
    if not columns or not len(next(iter(columns.values()))):
        raise EvaluationError("face sheet", got="no face", expected="at least one", remedy="choose some rows")
    pictures = np.stack(list(columns.values()), axis=0 if across else 1)
    ways, faces = list(columns), list(titles) if titles is not None else None
    return contact_sheet(
        pictures.reshape(-1, *pictures.shape[2:]),
        columns=pictures.shape[1],
        row_titles=ways if across else faces,
        column_titles=faces if across else ways,
    )


def worst_failures(results: Results, cell: Cell, count: int = 8) -> pd.DataFrame:
    """Finds the mated probes that fail worst: the own template furthest below the one that was taken.

    Returns:
        row, subject, named (who was taken), own (cosine to the own template), best; worst first.
    """
    found = results.cell(cell.arm, cell.size, cell.degradation).mated
    wrong = np.flatnonzero(found.rank > 1)
    order = wrong[np.argsort(-(found.best - found.mate)[wrong], kind="stable")][:count]
    names = results.protocol.gallery.names
    return pd.DataFrame(
        {
            "row": [results.protocol.mated.rows[place] for place in order],
            "subject": [results.protocol.mated.subjects[place] for place in order],
            "named": [names[int(found.named[place])] for place in order],
            "own": found.mate[order],
            "best": found.best[order],
        }
    )


def enrolled_face(results: Results, subject: str) -> int:
    """Gives the row of the first enrolled picture of a subject."""
    gallery = results.protocol.gallery
    return gallery.rows[gallery.subjects.index(subject)]
