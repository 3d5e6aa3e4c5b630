"""Where arms fail: by light, sharpness and pose as far as a face tells them, by person, and face by face.

What a face tells is measured on its HR picture, before it is made small; age is not estimated.
"""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from lrface.evaluation.figures.measure import Ruler
from lrface.evaluation.figures.results import Cell, Results
from lrface.evaluation.page import ABSENT, escaped, table_tag
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison
from lrface.evaluation.verdict.worth import Worth
from lrface.images.stored import StoredFaces
from lrface.images.traits import traits_of
from lrface.metrics.statistics import Interval, mean_interval, paired_interval

THIRDS = {
    "brightness": ("darkest", "middle", "brightest"),
    "contrast": ("flattest", "middle", "strongest"),
    "sharpness": ("most blurred", "middle", "sharpest"),
    "asymmetry": ("most even", "middle", "turned, or lit from one side"),
}
"""What is measured of each face, and what its thirds are called."""
PEOPLE = 6


def where_it_fails(
    results: Results, faces: StoredFaces, headline: Cell, worth: Worth | None
) -> tuple[str, dict[str, str]]:
    """The section of a page on the pair and direct, or the headline arm alone, and the table of all probes as CSV."""
    if not results.protocol.mated.rows:
        return "", {}
    own = [cell for cell in results.cells if (cell.arm, cell.degradation) == (headline.arm, headline.degradation)]
    first, second = (worth.whole.first, worth.whole.second) if worth else (own, ())
    names = [cells[0].arm for cells in (first, second) if cells]
    table = failure_table(results, faces, first, second)
    section = failure_section(table, results, EvaluationSettings(), names, worth.whole if worth else None)
    return section, {"failures": table.to_csv(index=False)}


def failure_table(
    results: Results, faces: StoredFaces, first: Sequence[Cell], second: Sequence[Cell] = ()
) -> pd.DataFrame:
    """Every mated probe: row, subject, what its HR face tells, and its rank on both arms at each size.

    Columns are `row`, `subject`, those of `THIRDS`, `rank_ARM_SIZE` for each cell, and `first` and `second`: the share
    of its sizes at which it is ranked first on each side (`second` where there is one).

    Raises:
        EvaluationError: A cell was not evaluated.
    """
    mated = results.protocol.mated
    table = pd.DataFrame([asdict(item) for item in traits_of(faces, mated.rows)])
    table.insert(0, "row", list(mated.rows))
    table.insert(1, "subject", list(mated.subjects))
    for side, cells in (("first", first), ("second", second)):
        ranks = [results.cell(cell.arm, cell.size, cell.degradation).mated.rank for cell in cells]
        for cell, rank in zip(cells, ranks, strict=True):
            table[f"rank_{cell.arm}_{cell.size}"] = rank
        if ranks:
            table[side] = np.mean([rank == 1 for rank in ranks], axis=0)
    return table


def by_trait(table: pd.DataFrame, results: Results, settings: EvaluationSettings) -> pd.DataFrame:
    """Rank-1 of both arms, and their paired difference, in each third of each trait; intervals over people.

    A row is trait, third, from, to, probes, people, and `first`, `second`, `change` (intervals), the last two where
    there are two arms. A trait that is the same for all is left out.
    """
    about = {"seed": results.seed, "replicates": results.replicates}
    ruler = Ruler(results.protocol, settings.model_copy(update=about))
    subjects, rows = ruler.mated_subjects, []
    for trait, names in THIRDS.items():
        values = table[trait].to_numpy(np.float64)
        bounds = np.quantile(values, [1 / 3, 2 / 3])
        third = np.searchsorted(bounds, values, side="left")
        if len(np.unique(third)) < len(names):
            continue
        for number, name in enumerate(names):
            chosen = third == number
            own = {
                side: mean_interval(table[side].to_numpy()[chosen], subjects[chosen], ruler.weights, settings.level)
                for side in ("first", "second")
                if side in table
            }
            if len(own) > 1:
                one, other = (table[side].to_numpy()[chosen] for side in own)
                own["change"] = paired_interval(
                    one, other, subjects[chosen], ruler.weights, settings.level, shares=True
                )
            inside = values[chosen]
            rows.append(
                {
                    "trait": trait,
                    "third": name,
                    "from": float(inside.min()),
                    "to": float(inside.max()),
                    "probes": int(chosen.sum()),
                    "people": len(np.unique(subjects[chosen])),
                    **own,
                }
            )
    return pd.DataFrame(rows)


def failure_section(
    table: pd.DataFrame, results: Results, settings: EvaluationSettings, names: Sequence[str], over: Comparison | None
) -> str:
    """The section of a page: by trait, and by person where two arms are compared; as HTML.

    Args:
        table: As `failure_table` gives it.
        results: The evaluation.
        settings: Level of the intervals.
        names: The arm, and the one that it is held against where there is one.
        over: Their comparison.
    """
    found = by_trait(table, results, settings)
    if found.empty:
        return "<p>Too few probes, or all alike.</p>"
    sides = [side for side in ("first", "second", "change") if side in found]
    rows = [
        [
            escaped(f"{line['trait']}: {line['third']}"),
            f"{line['from']:.2f} to {line['to']:.2f}",
            f"{line['probes']} of {line['people']}",
            *(_points(line[side], signed=side == "change") for side in sides),
        ]
        for line in found.to_dict("records")
    ]
    heads = ["of the HR face", "", "probes of people", *(f"rank-1 %, {name}" for name in names)]
    text = table_tag(heads + (["difference, points"] if "change" in sides else []), rows)
    text += (
        "<p class=soft>thirds of the probes, mean over the sizes, 95 % intervals over people; asymmetry rises with a "
        "turned head and with light from one side; each probe stands in failures.csv</p>"
    )
    return text if over is None else text + _people(over.table, names)


def _people(table: pd.DataFrame, names: Sequence[str]) -> str:
    """The people whom one of two arms names rightly more often than the other."""
    parts = []
    for title, some in (
        (f"People whom {names[0]} gains most", table[table["change"] > 0].iloc[::-1]),
        (f"People whom {names[1]} gains most", table[table["change"] < 0]),
    ):
        shown = some.head(PEOPLE).to_dict("records")
        rows = [
            [
                escaped(line["subject"]),
                str(line["probes"]),
                *(f"{100 * line[side]:.0f}" for side in ("first", "second")),
                f"{100 * line['change']:+.0f}",
            ]
            for line in shown
        ]
        heads = ["person", "probes", *(f"right %, {name}" for name in names), "difference"]
        parts.append(
            f"<h3>{escaped(title)} ({len(some)})</h3>" + (table_tag(heads, rows) if rows else "<p>Nobody.</p>")
        )
    return "".join(parts)


def _points(interval: Interval, *, signed: bool) -> str:
    if not np.isfinite(interval.value):
        return ABSENT
    sign = "+" if signed else ""
    text = f"{100 * interval.value:{sign}.1f}"
    if not np.isfinite(interval.low):
        return text
    return f"{text} <small>[{100 * interval.low:{sign}.1f}, {100 * interval.high:{sign}.1f}]</small>"
