"""A picture of what is in a pack: contact sheet, histograms, and one HTML page that needs nothing else."""

import base64
import html
import io
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from lrface.data.checks.findings import Finding
from lrface.data.naming import natural_key
from lrface.data.pack.loaders import epoch_order
from lrface.data.pack.pack import Pack
from lrface.data.prepare import Summary
from lrface.images.sheet import contact_sheet

_BINS = 24
_LISTED = 200

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { font-size: 13px; color: #555; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
svg text { font: 11px system-ui, sans-serif; fill: #555; }
.error { color: #b00020; font-weight: 600; } .warning { color: #8a5a00; font-weight: 600; } .note { color: #456; }
figure { display: inline-block; margin: .5rem 1.5rem .5rem 0; } figcaption { font-size: 13px; color: #555; }
img { max-width: 100%; image-rendering: auto; }
code { background: #f3f3f3; padding: 0 .2rem; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True)
class Histogram:
    """Counts of a figure.

    Attributes:
        title: What is counted, with its unit.
        edges: The bins' edges, one more than counts.
        counts: How many fall into each bin.
    """

    title: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


def histograms(pack: Pack, summary: Summary) -> list[Histogram]:
    """Counts what tells a good source from a bad one.

    Args:
        pack: The pack.
        summary: What came of its source.

    Returns:
        Images per subject, shorter side before alignment, brightness, contrast, warmth of the skin.
    """
    manifest = pack.manifest
    shorter = np.minimum(manifest["width"].to_numpy(), manifest["height"].to_numpy())
    measured = summary.measured
    return [
        _histogram("images per subject", manifest["subject"].value_counts().to_numpy()),
        _histogram("shorter side before alignment, pixels", shorter),
        _histogram("mean level, 0 to 255", np.array([face.mean for face in measured])),
        _histogram("contrast (standard deviation), 0 to 255", np.array([face.contrast for face in measured])),
        _histogram("warmth of the skin (red less blue)", np.array([face.warmth for face in measured])),
    ]


def sample_rows(pack: Pack, subjects: int, images: int, seed: int = 0) -> list[Int64[np.ndarray, " images"]]:
    """Draws some subjects and some images of each, the same ones for the same seed.

    Args:
        pack: The pack.
        subjects: How many subjects at most.
        images: How many images of each at most.
        seed: Seed of the draw.

    Returns:
        Rows of each subject, in the natural order of names.
    """
    labels, names = pack.labels(pack.rows())
    drawn = epoch_order(np.arange(len(names)), seed, 0)[:subjects]
    return [
        np.sort(epoch_order(np.flatnonzero(labels == label), seed, 1)[:images])
        for label in sorted(drawn.tolist(), key=lambda label: natural_key(names[label]))
    ]


def pack_sheet(pack: Pack, subjects: int = 12, images: int = 8, seed: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """Lays out some faces, a row per subject.

    Args:
        pack: The pack.
        subjects: How many subjects at most.
        images: How many images of each at most.
        seed: Seed of the draw.

    Returns:
        The sheet, RGB.
    """
    rows = sample_rows(pack, subjects, images, seed)
    columns = max(map(len, rows))
    blank = np.full((columns, *pack.faces.shape[1:]), 255, dtype=np.uint8)
    lines = [np.concatenate([pack.batch(some), blank])[:columns] for some in rows]
    superres = pack.manifest["superres"].to_numpy(dtype=object)
    titles = [f"{pack.subjects(some[:1])[0]}\n{superres[some[0]]}" for some in rows]
    return contact_sheet(np.concatenate(lines), columns, row_titles=titles)


def pack_page(pack: Pack, summary: Summary, title: str = "") -> str:
    """Writes the page.

    Args:
        pack: The pack.
        summary: What came of its source.
        title: Heading; the pack's name where empty.

    Returns:
        HTML with everything in it: no script, no style or picture from elsewhere.
    """
    title = title or f"Faces of {pack.name}"
    about = [["digest", pack.digest], ["faces", str(len(pack))], ["subjects", str(pack.info.subjects)]]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _table([*about, *_about(pack), *_alignment(summary)]),
        "<h2>Splits</h2>",
        _splits(summary),
        _left_out(summary),
        "<h2>Findings</h2>",
        "".join(map(_finding, summary.findings)) or "<p>None.</p>",
        _skipped(summary),
        "<h2>Faces</h2>",
        f'<img alt="contact sheet" src="{_data_address(pack_sheet(pack))}">',
        "<h2>Figures</h2>",
        "".join(map(_drawing, histograms(pack, summary))),
        "<h2>How it was read</h2>",
        _table(_source(pack)),
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _histogram(title: str, values: np.ndarray) -> Histogram:
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer) and high - low < _BINS:
        edges = np.arange(low - 0.5, high + 1.5)
    else:
        edges = np.linspace(low, high, _BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    counts = np.histogram(values, edges)[0]
    return Histogram(title, tuple(edges.tolist()), tuple(counts.tolist()))


def _drawing(histogram: Histogram) -> str:
    width, height, foot = 320, 120, 16
    step, top = width / len(histogram.counts), max(histogram.counts)
    bars = "".join(
        f'<rect x="{place * step:.1f}" y="{height - height * count / top:.1f}" width="{max(step - 1, 1):.1f}"'
        f' height="{height * count / top:.1f}" fill="#4a6fa5"><title>{histogram.edges[place]:.4g} to'
        f" {histogram.edges[place + 1]:.4g}: {count}</title></rect>"
        for place, count in enumerate(histogram.counts)
    )
    ends = "".join(
        f'<text x="{place}" y="{height + foot - 3}" text-anchor="{anchor}">{edge:.4g}</text>'
        for place, anchor, edge in ((0, "start", histogram.edges[0]), (width, "end", histogram.edges[-1]))
    )
    caption = f"{html.escape(histogram.title)}; at most {top} in a bin"
    svg = f'<svg width="{width}" height="{height + foot}" role="img">{bars}{ends}</svg>'
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _about(pack: Pack) -> list[list[str]]:
    return [["licence", pack.info.licence or "not given"], ["terms", pack.info.terms or "not given"]]


def _source(pack: Pack) -> list[list[str]]:
    source: dict[str, Any] = pack.info.made.get("source", {})
    return [[key, value] for key, value in _flat(source)]


def _flat(values: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Lists nested values under dotted names."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        lines += _flat(value, f"{above}{key}.") if isinstance(value, dict) else [(f"{above}{key}", str(value))]
    return lines


def _alignment(summary: Summary) -> list[list[str]]:
    counts = ", ".join(f"{count} {name}" for name, count in sorted(summary.report.alignment.items()))
    return [["came to 112x112", counts]]


def _splits(summary: Summary) -> str:
    rows = [["split", "", "subjects", "images", "share"]]
    for name, split in (("superres", summary.splits.superres), ("recognition", summary.splits.recognition)):
        rows += [
            [name, part, f"{counts['subjects']:.0f}", f"{counts['images']:.0f}", f"{100 * counts['ratio']:.1f} %"]
            for part, counts in split.items()
        ]
    return _table(rows, head=True, numbers=(2, 3, 4))


def _left_out(summary: Summary) -> str:
    left_out = summary.splits.left_out
    if not left_out:
        return ""
    rows = [["subject left out of recognition", "why"], *map(list, list(left_out.items())[:_LISTED])]
    return f"<p>{len(left_out)} subjects are left out of recognition.</p>{_table(rows, head=True)}"


def _finding(finding: Finding) -> str:
    examples = ", ".join(f"<code>{html.escape(example)}</code>" for example in finding.examples)
    message = html.escape(finding.message)
    if finding.count > len(finding.examples) > 0:
        examples += f" and {finding.count - len(finding.examples)} more"
    remedy = f"<br>{html.escape(finding.remedy)}" if finding.remedy else ""
    return f'<p><span class="{finding.severity}">{finding.severity}</span> {message}{remedy}<br>{examples}</p>'


def _skipped(summary: Summary) -> str:
    problems = summary.report.problems
    if not problems:
        return ""
    files = [["file", "subject", "kind", "reason"]]
    files += [[problem.source, problem.subject, problem.kind, problem.reason] for problem in problems[:_LISTED]]
    more = len(problems) - _LISTED
    return (
        f"<h2>Skipped</h2><p>{len(problems)} files gave no face.</p>{_skipped_subjects(summary)}"
        f"{_table(files, head=True)}{f'<p>and {more} more.</p>' if more > 0 else ''}"
    )


def _skipped_subjects(summary: Summary) -> str:
    """A line per subject: how many of its files gave no face, of which kind, and how many faces are left."""
    problems = summary.report.problems
    kinds = sorted({problem.kind for problem in problems})
    counts = Counter((problem.subject, problem.kind) for problem in problems)
    worst = sorted(summary.report.skipped_by_subject().items(), key=lambda entry: (-entry[1], natural_key(entry[0])))
    rows = [["subject", *kinds, "faces left"]]
    rows += [
        [
            subject or "unknown",
            *(str(counts[subject, kind] or "") for kind in kinds),
            str(summary.faces.get(subject, 0)),
        ]
        for subject, _ in worst[:_LISTED]
    ]
    return _table(rows, head=True, numbers=range(1, len(kinds) + 2))


def _table(rows: Sequence[Sequence[str]], *, head: bool = False, numbers: Collection[int] = ()) -> str:
    """A table; the first row names the columns where there is a head, and some columns hold numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        marked = (' class="number"' if place in numbers else "" for place in range(len(cells)))
        return "".join(f"<{tag}{mark}>{html.escape(cell)}</{tag}>" for cell, mark in zip(cells, marked, strict=True))

    body = "".join(f"<tr>{line(row, 'th' if head and not place else 'td')}</tr>" for place, row in enumerate(rows))
    return f"<table>{body}</table>"


def _data_address(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
