"""The figures of the first screen: four arms by size, differences with their intervals, and faces at three sizes.

They are narrow, so that their words are readable on a telephone too.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrface.evaluation.figures.results import Results
from lrface.evaluation.page import sheet_png
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.conditions import Degrade
from lrface.evaluation.report.lead import BICUBIC, DIRECT, HIGH, METRIC, PAIR, Gain, Lead
from lrface.evaluation.report.plots import face_sheet, png, seen_by
from lrface.evaluation.verdict.decision import shown_metric
from lrface.images.stored import StoredFaces

WIDTH = 4.9  # inches
DPI = 160
LEAD_PLOTS = ("lead_rank1", "gains")
"""Names of the two plots: four arms by size, and differences with their intervals."""
COLOURS = {BICUBIC: "#8a8a8a", DIRECT: "#e08e0b", PAIR: "#1b6ca8", HIGH: "#222222"}
OTHER = "#8d5a97"
BETTER, WORSE, UNTOLD = "#2e8b57", "#d1495b", "#5b6672"
PEOPLE = 3
SIZES = 3


def _new(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(color="#e3e6ea", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def lead_curve(results: Results, lead: Lead, metric: str = METRIC) -> Figure | None:
    """Draws the four arms over the side of the face, each with its 95 % intervals; None where no figure was told."""
    figures = lead.figures(results, metric)
    if not figures:
        return None
    figure, axes = _new(3.1)
    apart = np.linspace(-0.012, 0.012, max(2, len(figures)))  # bars of one size stand beside each other
    for (name, by_size), shift in zip(figures.items(), apart, strict=False):
        colour = COLOURS.get(name, OTHER)
        if name == HIGH:
            value = 100.0 * float(next(iter(by_size.values())).value or 0.0)
            axes.axhline(value, color=colour, linestyle="--", linewidth=1.2, label=f"{name} {value:.0f}")
            continue
        sizes = np.array(sorted(by_size), np.float64)
        entries = [by_size[int(size)] for size in sizes]
        values = np.array([100.0 * float(entry.value or 0.0) for entry in entries])
        ends = np.array([[100.0 * float(end) if end is not None else np.nan for end in (entry.low, entry.high)]
                         for entry in entries])  # fmt: skip
        reach = np.nan_to_num(np.abs(ends.T - values))
        axes.errorbar(
            sizes * (1.0 + shift), values, yerr=reach, color=colour, marker="o", markersize=4, capsize=2.5,
            linewidth=1.6, elinewidth=1.0, label=name,
        )  # fmt: skip
    if lead.sizes:
        axes.set_xscale("log", base=2)
        axes.set_xticks(lead.sizes, [str(size) for size in lead.sizes], fontsize=8 if len(lead.sizes) > 8 else None)
        axes.minorticks_off()
    axes.set_title(f"{shown_metric(metric)} by size of the face", loc="left", fontsize=11)
    axes.set_xlabel("side of the face, pixels")
    axes.set_ylabel(f"{shown_metric(metric)}, %")
    axes.legend(frameon=False, fontsize=9)
    return figure


def forest(found: Sequence[Gain], own: str = PAIR) -> Figure:
    """Draws differences with their intervals, a line each: green above 0, red below, grey where 0 is inside."""
    rows = 1.3 * len({gain.over for gain in found}) + len(found)
    figure, axes = _new(0.9 + 0.2 * rows)
    place, ticks, names, before = 0.0, [], [], ""
    for gain in found:
        if gain.over != before:
            place += 1.3
            # the line at zero ends at the words, and does not go through them
            behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}
            axes.text(
                0.0,
                place - 0.95,
                gain.over,
                transform=axes.get_yaxis_transform(),
                fontsize=9,
                weight="bold",
                va="center",
                zorder=3,
                bbox=behind,
            )
            before = gain.over
        low, value, high = (100.0 * end for end in (gain.change.low, gain.change.value, gain.change.high))
        colour = BETTER if low > 0.0 else WORSE if high < 0.0 else UNTOLD
        if np.isfinite([low, high]).all():
            axes.plot([low, high], [place, place], color=colour, linewidth=3.2 if gain.whole else 1.8)
        axes.plot([value], [place], "D" if gain.whole else "o", color=colour, markersize=7 if gain.whole else 5)
        ticks.append(place)
        names.append(gain.at)
        place += 1.0
    axes.axvline(0.0, color="#222222", linewidth=1.0)
    axes.set_yticks(ticks, names, fontsize=9)
    axes.set_ylim(place - 0.3, -0.2)
    axes.grid(visible=False, axis="y")
    axes.set_title(f"Points of rank-1 that the {own} gains", loc="left", fontsize=11)
    axes.set_xlabel("difference with its paired 95 % interval")
    return figure


def lead_pictures(results: Results, lead: Lead, found: Sequence[Gain]) -> dict[str, bytes]:
    """Gives the two plots as PNG, by name, as far as there is something to draw."""
    curve = lead_curve(results, lead)
    pictures = {} if curve is None else {LEAD_PLOTS[0]: png(curve)}
    if found:
        pictures[LEAD_PLOTS[1]] = png(forest(found, lead.own))
    return pictures


def shown_sizes(sizes: Sequence[int]) -> list[int]:
    """Gives three of the sizes: the least, one in the middle, the greatest up to 32 pixels."""
    small = sorted(size for size in sizes if size <= 32) or sorted(sizes)
    places = np.linspace(0, len(small) - 1, min(SIZES, len(small))).round().astype(int)
    return [small[place] for place in places]


def face_pictures(
    results: Results, lead: Lead, faces: StoredFaces, arms: Sequence[Arm], degrade: Degrade, device: object
) -> dict[str, bytes]:
    """Gives a sheet per person, as PNG: a row per size; small face, bicubic, what the pair makes of it, original.

    The people are the first, the middle and the last of the protocol: nobody chose them.
    """
    rows = results.protocol.mated.rows
    sizes = shown_sizes(lead.sizes)
    if not rows or not sizes:
        return {}
    first = {
        subject: row for row, subject in zip(reversed(rows), reversed(results.protocol.mated.subjects), strict=True)
    }
    people = list(first)
    chosen = [people[place] for place in np.linspace(0, len(people) - 1, min(PEOPLE, len(people))).round().astype(int)]
    pair = [arm for arm in arms if arm.name == lead.arms[lead.own] and arm.upscaler is not bicubic]
    ways = [Arm(BICUBIC, lambda images: images, bicubic), *pair]
    pictures = {}
    for number, subject in enumerate(chosen, start=1):
        seen = [seen_by(faces, [first[subject]], ways, size, degrade=degrade, device=str(device)) for size in sizes]
        titles = {"vlr": "small face", BICUBIC: BICUBIC, **{arm.name: lead.own for arm in pair}, "hr": "original"}
        columns = {
            title: np.concatenate([one[way] for one in seen])
            for way, title in titles.items()
            if all(way in one for one in seen)
        }
        pictures[f"faces_{number}"] = sheet_png(face_sheet(columns, [f"{size} px" for size in sizes]))
    return pictures
