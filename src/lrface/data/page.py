"""A picture of what is in a pack: contact sheet, histograms, and one HTML page that needs nothing else."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from lrface.data.checks import Finding
from lrface.data.loaders import epoch_order
from lrface.data.naming import natural_key
from lrface.data.pack import Pack
from lrface.data.prepare import Summary
from lrface.images.sheet import contact_sheet

_BINS = 24
_LISTED = 200

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
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


def pack_page(pack: Pack, summary: Summary, title: str = "Faces") -> str:
    """Writes the page.

    Args:
        pack: The pack.
        summary: What came of its source.
        title: Heading.

    Returns:
        HTML with everything in it: no script, no style or picture from elsewhere.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _table([["digest", f"<code>{pack.digest}</code>"], *_about(pack)], raw=True),
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
    ]
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'


def _histogram(title: str, values: np.ndarray) -> Histogram:
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(values.dtype, np.integer) and high - low < _BINS:
        edges = np.arange(low - 0.5, high + 1.5)
    else:
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    counts = np.histogram(values, edges)[0]
    return Histogram(title, tuple(edges.tolist()), tuple(counts.tolist()))


def _drawing(histogram: Histogram) -> str:
    width, height = 320, 120
    step, top = width / len(histogram.counts), max(histogram.counts)
    bars = "".join(
        f'<rect x="{place * step:.1f}" y="{height - height * count / top:.1f}" width="{max(step - 1, 1):.1f}"'
        f' height="{height * count / top:.1f}"><title>{histogram.edges[place]:g} to {histogram.edges[place + 1]:g}:'
        f" {count}</title></rect>"
        for place, count in enumerate(histogram.counts)
    )
    first, last = histogram.edges[0], histogram.edges[-1]
    caption = f"{html.escape(histogram.title)}: {first:.4g} to {last:.4g}, at most {top} in a bin"
    svg = f'<svg width="{width}" height="{height}" fill="#4a6fa5" role="img">{bars}</svg>'
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _about(pack: Pack) -> list[list[str]]:
    info = pack.info
    source: dict[str, Any] = info.made.get("source", {})
    rows = [["licence", info.licence or "not given"], ["terms", info.terms or "not given"]]
    rows += [[f"source {key}", str(value)] for key, value in source.items()]
    return [[name, html.escape(value)] for name, value in rows]


def _splits(summary: Summary) -> str:
    rows = [["split", "", "subjects", "images", "share"]]
    for name, split in (("superres", summary.splits.superres), ("recognition", summary.splits.recognition)):
        rows += [
            [name, part, f"{counts['subjects']:.0f}", f"{counts['images']:.0f}", f"{100 * counts['ratio']:.1f} %"]
            for part, counts in split.items()
        ]
    return _table(rows)


def _left_out(summary: Summary) -> str:
    left_out = summary.splits.left_out
    if not left_out:
        return ""
    rows = [["subject left out of recognition", "why"], *map(list, list(left_out.items())[:_LISTED])]
    return f"<p>{len(left_out)} subjects are left out of recognition.</p>{_table(rows)}"


def _finding(finding: Finding) -> str:
    examples = ", ".join(f"<code>{html.escape(example)}</code>" for example in finding.examples)
    message = html.escape(finding.message)
    return f'<p><span class="{finding.severity}">{finding.severity}</span> {message}<br>{examples}</p>'


def _skipped(summary: Summary) -> str:
    problems = summary.report.problems
    if not problems:
        return ""
    rows = [["file", "subject", "kind", "reason"]]
    rows += [[problem.source, problem.subject, problem.kind, problem.reason] for problem in problems[:_LISTED]]
    return f"<h2>Skipped</h2><p>{len(problems)} files gave no face.</p>{_table(rows)}"


def _table(rows: Sequence[Sequence[str]], *, raw: bool = False) -> str:
    body = "".join(
        "<tr>" + "".join(f"<td>{cell if raw else html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table>{body}</table>"


def _data_address(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
