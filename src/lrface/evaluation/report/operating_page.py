"""The section of a report that says whether the rate asked for is the rate had, and what it costs."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from lrface.evaluation.figures.operating import GroupRate, by_group
from lrface.evaluation.figures.results import AUTO, ONE, Cell, Held, Results
from lrface.evaluation.page import ABSENT, escaped, image_tag, table_tag
from lrface.evaluation.report.plots import COLOURS, new_axes, png
from lrface.evaluation.settings import EvaluationSettings
from lrface.metrics.statistics import Interval

TITLE: Final = "Operating points: is the rate asked for the rate had?"
_FLOOR: Final = 3e-4


def operating_section(
    results: Results,
    headline: Cell,
    groups: Mapping[str, str],
    settings: EvaluationSettings,
    pictures: dict[str, bytes],
) -> str:
    """Gives the section as HTML, and its pictures; nothing where no calibration people were there.

    Args:
        results: The evaluation.
        headline: Its arm and condition are shown.
        groups: Group of each subject; empty where nobody names any.
        settings: Rates and confidence.
        pictures: Gets `calibration` and `det`.
    """
    operating = results.operating
    if operating is None or headline.arm not in operating.points:
        return ""
    held = [item for item in operating.held if item.cell.arm == headline.arm]
    held = [item for item in held if item.cell.degradation == headline.degradation]
    lines = "".join(f"<li>{escaped(line)}</li>" for line in operating.points[headline.arm].lines(settings.open_fpirs))
    text = f"<p class=soft>{escaped(headline.arm)}, {escaped(headline.degradation)}</p>"
    if held:
        pictures["calibration"] = png(calibration_plot(held))
        pictures["det"] = png(det_curves(results, headline))
        cards = "".join(f'<div class="card">{image_tag(pictures[name], name)}</div>' for name in ("calibration", "det"))
        text += f'<div class="grid">{cards}</div>{_table(held, results, headline)}'
    text += f"<ul>{lines}</ul>"
    if groups:
        strangers = (results.protocol.non_mated if results.protocol.non_mated.rows else results.protocol.mated).subjects
        rates = by_group(operating, results.kept, headline.arm, strangers, groups, settings)
        text += "<h3>Strangers who are named, by group</h3>" + group_table(rates)
    return text


def calibration_plot(held: Sequence[Held]) -> Figure:
    """Draws the rate had over the rate asked for, by size; filled with a threshold by size, hollow with one for all."""
    figure, axes = new_axes("Rate asked for, rate had", "FPIR asked for", "FPIR had on people who did not calibrate")
    axes.set_xscale("log")
    axes.set_yscale("log")
    asked = sorted({item.asked for item in held})
    ends = np.array([asked[0] / 3, min(1.0, asked[-1] * 3)])
    axes.plot(ends, ends, color="#222222", linewidth=0.9)
    sizes = sorted({item.cell.size for item in held})
    for place, size in enumerate(sizes):
        colour = COLOURS[place % len(COLOURS)]
        spread = 1.09 ** (place - (len(sizes) - 1) / 2)
        for way, face in ((AUTO, colour), (ONE, "white")):
            mine = [item for item in held if item.cell.size == size and item.way == way]
            mine = [item for item in mine if math.isfinite(item.had.value)]
            across = [item.asked * spread * (1 if way == AUTO else 1.035) for item in mine]
            values = np.array([max(item.had.value, _FLOOR) for item in mine])
            if not mine:
                continue
            if way == AUTO and all(math.isfinite(item.had.high) for item in mine):
                low = values - np.array([max(item.had.low, _FLOOR) for item in mine])
                high = np.array([max(item.had.high, _FLOOR) for item in mine]) - values
                bars = [low.clip(0), high.clip(0)]
                axes.errorbar(across, values, yerr=bars, fmt="none", ecolor=colour, elinewidth=1, capsize=2)
            label = f"{size} px" if way == AUTO else None
            axes.plot(across, values, "o", color=colour, markerfacecolor=face, markersize=5, label=label)
    axes.set_ylim(bottom=_FLOOR)
    axes.legend(frameon=False, fontsize=8)
    return figure


def det_curves(results: Results, headline: Cell) -> Figure:
    """Draws the detection error trade-off of an arm by size: mated probes not named rightly over strangers named."""
    figure, axes = new_axes("Detection error trade-off", "FPIR", "FNIR: mated probes not named rightly")
    axes.set_xscale("log")
    axes.set_yscale("log")
    cells = [cell for cell in results.cells if (cell.arm, cell.degradation) == (headline.arm, headline.degradation)]
    for place, cell in enumerate(sorted(cells, key=lambda cell: cell.size)):
        kept = results.kept[cell]
        if not (kept.strangers.size and kept.mated.rank.size):
            continue
        limits = np.unique(kept.strangers)[::-1]
        falling = np.sort(kept.strangers)
        false = 1 - np.searchsorted(falling, limits, side="left") / falling.size
        right = np.sort(kept.mated.best[kept.mated.rank == 1])
        missed = 1 - (right.size - np.searchsorted(right, limits, side="left")) / kept.mated.rank.size
        colour = COLOURS[place % len(COLOURS)]
        axes.plot(false, np.maximum(missed, 1e-4), color=colour, label=f"{cell.size} px", linewidth=1.4)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _table(held: Sequence[Held], results: Results, headline: Cell) -> str:
    """Lays out each rate at each size, both ways, with the fixed threshold beside."""
    rows = []
    paired: dict[tuple[float, int], dict[str, Held]] = {}
    for item in held:
        paired.setdefault((item.asked, item.cell.size), {})[item.way] = item
    for (asked, size), ways in sorted(paired.items(), key=lambda entry: (-entry[0][0], entry[0][1])):
        own, one = ways[AUTO], ways[ONE]
        rows.append(
            [
                f"{asked:g}",
                f"{size} px",
                f"{own.threshold:.3f}",
                f"<strong>{_share(own.had)}</strong>",
                _share(own.named),
                ABSENT if math.isnan(one.threshold) else f"{one.threshold:.3f}",
                _share(one.had),
                _share(one.named),
                _fixed(results, headline, size, "false_alarm"),
                _fixed(results, headline, size, "correct"),
            ]
        )
    fixed = f"at {results.threshold:g}"
    heads = ["FPIR asked", "side", "threshold", "FPIR had %", "TPIR %", "one for all sizes", "FPIR had %", "TPIR %"]
    return table_tag([*heads, f"FPIR {fixed} %", f"TPIR {fixed} %"], rows)


def _fixed(results: Results, headline: Cell, size: int, metric: str) -> str:
    for entry in results.records:
        same = (entry.arm, entry.size, entry.degradation) == (headline.arm, size, headline.degradation)
        if same and entry.metric == metric and entry.value is not None:
            return f"{100 * entry.value:.1f}"
    return ABSENT


def _share(found: Interval) -> str:
    if math.isnan(found.value):
        return ABSENT
    ends = "" if math.isnan(found.low) else f" <small>[{100 * found.low:.2f}, {100 * found.high:.2f}]</small>"
    return f"{100 * found.value:.2f}{ends}"


def group_table(rates: Sequence[GroupRate]) -> str:
    """Gives who is falsely named more often than others, as HTML; over all sizes of the arm together."""
    if not rates:
        return "<p>No group among the strangers, or no rate that could be told.</p>"
    rows = [
        [escaped(rate.group), f"{rate.asked:g}", _share(rate.had), str(rate.searches), str(rate.people)]
        for rate in rates
    ]
    return table_tag(["group", "FPIR asked", "FPIR had %", "searches", "people"], rows)


def operating_lines(results: Results, arm: str) -> list[str]:
    """Gives for the terminal what the rates asked for came to, a line for each rate of an arm."""
    if results.operating is None:
        return []
    lines = []
    held = [item for item in results.operating.held if item.cell.arm == arm and item.way == AUTO]
    for asked in dict.fromkeys(item.asked for item in held):
        parts = [
            f"{item.cell.size} px {item.had.value:.4f} [{item.had.low:.4f}, {item.had.high:.4f}] "
            f"at {item.threshold:.3f}"
            for item in held
            if item.asked == asked and item.cell.degradation == held[0].cell.degradation
        ]
        lines.append(f"{arm}: FPIR {asked:g} asked for, had " + ", ".join(parts))
    return lines
