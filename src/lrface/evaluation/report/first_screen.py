"""The first screen of a report: verdict, question, four arms, differences, faces; what a person needs to decide."""

import math
from collections.abc import Mapping, Sequence

from lrface.evaluation.figures.results import Results
from lrface.evaluation.figures.shown import shown
from lrface.evaluation.page import ABSENT, escaped, image_tag, table_tag
from lrface.evaluation.report.lead import ABOUT, HIGH, Lead
from lrface.evaluation.verdict.compare import Difference
from lrface.evaluation.verdict.decision import Verdict
from lrface.evaluation.verdict.gates import Gate, State
from lrface.evaluation.verdict.worth import NAMES, QUESTION, Worth, present

MARKS = {State.HOLDS: "&#10003;", State.FAILS: "&#10007;", State.UNTOLD: "?"}


def first_screen(
    verdict: Verdict | None, worth: Worth | None, results: Results, lead: Lead, pictures: Mapping[str, Sequence[bytes]]
) -> str:
    """Lays the first screen out, as HTML."""
    curve, *forest = pictures["plots"] or [b""]
    four = image_tag(curve, "rank-1 of the four arms by size") if curve else ""
    between = "".join(image_tag(plot, "what the pair gains, with intervals") for plot in forest)
    faces = "".join(image_tag(sheet, "a face at three sizes") for sheet in pictures["faces"])
    seen = f'<div class="card across"><h3>What is left of a face</h3><div class="people">{faces}</div></div>'
    return (
        f'<div class="first">{verdict_card(verdict)}'
        f"{worth_card(worth, asked=verdict is not None)}"
        f'<div class="card">{four}{four_table(results, lead)}</div>'
        f'<div class="card">{between}{legend(results, lead)}</div>{seen if faces else ""}</div>'
    )


def verdict_card(verdict: Verdict | None) -> str:
    """The verdict, and each gate in words with its figure, its bound and whether it holds."""
    if verdict is None:
        return '<div class="card across verdict"><h3>Verdict</h3><p>None: nothing was held against bicubic.</p></div>'
    word, kind = ("Promote", "yes") if verdict.promoted else ("Do not promote", "no")
    gates = "".join(map(_gate, verdict.gates))
    return (
        f'<div class="card across verdict {kind}"><h3>Verdict</h3><p><strong>{word}</strong></p>'
        f"<p>{escaped(verdict.sentence or verdict.lines[0])}</p>"
        '<table class="gates"><thead><tr><th>gate</th><th>found, points [95 % interval]</th><th>wanted</th><th></th>'
        f"</tr></thead><tbody>{gates}</tbody></table></div>"
    )


def _gate(held: Gate) -> str:
    kind = {State.HOLDS: "", State.FAILS: " class=failed", State.UNTOLD: " class=untold"}[held.state]
    return (
        f"<tr{kind}><td>{MARKS[held.state]} {escaped(held.about)} <small>{escaped(held.name)}</small></td>"
        f"<td>{escaped(held.found)}</td><td>{escaped(held.wanted)}</td><td>{escaped(held.answer)}</td></tr>"
    )


def worth_card(worth: Worth | None, *, asked: bool) -> str:
    """Whether super-resolution earns its place, as HTML; nothing where no super-resolver was measured."""
    if worth is None:
        return (
            f'<div class="card across verdict"><h3>{QUESTION}</h3><p>Not known: no recogniser that was shown small '
            "faces directly was measured beside the pair. <code>finetune dsr=none</code> trains one.</p></div>"
            if asked
            else ""
        )
    kind = "yes" if worth.earns else "no"
    soft = "".join(f"<p class=soft>{escaped(line)}</p>" for line in (worth.cost_line(), worth.seen_line()) if line)
    return (
        f'<div class="card across verdict {kind}"><h3>{QUESTION}</h3><p><strong>{escaped(worth.answer())}</strong> '
        f"&ensp; {escaped(worth.recommendation())}</p>{soft}</div>"
    )


def worth_table(worth: Worth) -> str:
    """The pair and direct at each size, and the difference with its interval, as HTML."""
    columns = {"all sizes": worth.whole} | {f"{size} px": found for size, found in worth.at.items()}
    rows = []
    for name in present(worth.whole):
        found = [comparison.differences.get(name) for comparison in columns.values()]
        rows += [
            [f"{escaped(NAMES[name])} %, {escaped(worth.pair)}", *(_share(item, "first") for item in found)],
            [f"{escaped(NAMES[name])} %, {escaped(worth.direct)}", *(_share(item, "second") for item in found)],
            ["difference, points", *(_change(item) for item in found)],
        ]
    return table_tag(["", *columns], rows)


def four_table(results: Results, lead: Lead) -> str:
    """Rank-1 of the arms with intervals, a size per row for the sake of telephones; HR is in the legend."""
    figures = {name: by_size for name, by_size in lead.figures(results).items() if name != HIGH}
    sizes = sorted({size for by_size in figures.values() for size in by_size})
    if not sizes:
        return ""
    rows = [
        [f"{size} px", *(shown(by_size[size]) if size in by_size else "" for by_size in figures.values())]
        for size in sizes
    ]
    return table_tag(["rank-1 %", *figures], rows)


def legend(results: Results, lead: Lead) -> str:
    """What each arm is, by which name it goes below, and the figure of HR."""
    figures = lead.figures(results)
    lines = []
    for name in figures:
        value = f", {shown(next(iter(figures[name].values())))} %" if name == HIGH else ""
        lines.append(
            f"<li><b>{escaped(name)}</b>: {escaped(ABOUT.get(name, 'what it is held against'))}{value} "
            f"<small>({escaped(lead.arms[name])})</small></li>"
        )
    return f"<ul class=soft>{''.join(lines)}</ul>"


def _share(found: Difference | None, side: str) -> str:
    return ABSENT if found is None else f"{100 * float(getattr(found, side)):.1f}"


def _change(found: Difference | None) -> str:
    if found is None:
        return ABSENT
    change = found.change
    interval = "" if math.isnan(change.low) else f" <small>[{100 * change.low:+.1f}, {100 * change.high:+.1f}]</small>"
    return f"{100 * change.value:+.1f}{interval}"
