"""What pages of figures are made of: style, tables, pictures inside the page, and the files beside it."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

ABSENT = "&ndash;"
STYLE = """
:root { color-scheme: light; --ink: #1d2530; --soft: #5b6672; --line: #dfe3e8; --paper: #fff; --tint: #f5f7f9; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1320px; padding: 20px 28px 60px; background: var(--paper); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 16px; margin: 34px 0 8px; padding-top: 10px;
  border-top: 1px solid var(--line); } h3 { font-size: 13px; margin: 14px 0 6px; }
p { margin: 4px 0; } .soft { color: var(--soft); }
.first { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; margin-top: 10px;
  align-items: start; }
.across { grid-column: 1 / -1; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; background: var(--paper); }
.card h3 { margin-top: 0; } .card ul { font-size: 12px; margin-top: 8px; }
.first .card > img { width: 100%; max-width: 620px; margin: 0 auto; }
.verdict { border-left: 6px solid #8a8a8a; } .verdict.yes { border-left-color: #2e8b57; }
.verdict.no { border-left-color: #d1495b; }
.verdict strong { font-size: 18px; }
.gates { width: 100%; margin-top: 8px; } .gates td, .gates th { white-space: normal; text-align: left;
  vertical-align: top; } .gates td:nth-child(2), .gates td:nth-child(3) { white-space: nowrap; }
.gates small { color: var(--soft); } .untold td { color: #8a5a00; font-weight: 600; }
.people { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 10px 18px; }
.people img { width: 100%; max-width: 520px; }
details { border-top: 1px solid var(--line); padding: 2px 0; }
summary { cursor: pointer; font-weight: 600; padding: 6px 0; } details[open] { padding-bottom: 14px; }
.wide { overflow-x: auto; }
img { max-width: 100%; height: auto; display: block; }
.faces img { width: auto; image-rendering: auto; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 14px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 12.5px; }
th, td { padding: 3px 9px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--tint); border-bottom: 1px solid #c6ccd3; }
td small { color: var(--soft); } .failed td { color: #a3203a; font-weight: 600; }
code { font-size: 12px; word-break: break-all; } ul { margin: 4px 0; padding-left: 18px; }
@media screen and (max-width: 760px) { body { padding: 12px 14px 40px; } h1 { font-size: 18px; }
  .first { grid-template-columns: minmax(0, 1fr); } .card { padding: 10px; } .verdict strong { font-size: 16px; }
  .grid { grid-template-columns: minmax(0, 1fr); } th, td { padding: 3px 5px; }
  .gates thead { display: none; } .gates tr { display: block; padding: 5px 0; border-bottom: 1px solid var(--line); }
  .gates td, .gates td:nth-child(2), .gates td:nth-child(3) { display: block; border: 0; padding: 0 2px;
    white-space: normal; }
  .gates td:nth-child(3)::before { content: "wanted "; } .gates small { display: none; }
  td small { display: block; } }
@media print { @page { margin: 12mm; } body { padding: 0; max-width: none; font-size: 10pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .first { grid-template-columns: repeat(2, minmax(0, 1fr)); } .card, tr, img { break-inside: avoid; }
  summary, h1, h2, h3 { break-after: avoid; } details:not([open]) { display: none; }
  .people { grid-template-columns: repeat(3, minmax(0, 1fr)); } .wide { overflow: visible; }
  td small { white-space: nowrap; } }
"""


@dataclass(frozen=True)
class Report:
    """A report and the figures in it.

    Attributes:
        page: The HTML.
        figures: The same figures as PNG files, by name.
        tables: Tables that belong to it, as CSV, by name.
    """

    page: str
    figures: Mapping[str, bytes]
    tables: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> list[Path]:
        """Writes report.html, and figures and tables beside it; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        tables = {f"{name}.csv": text.encode() for name, text in self.tables.items()}
        for name, content in {"report.html": self.page.encode(), **_files(self.figures), **tables}.items():
            partial = folder / f"{name}.partial"
            partial.write_bytes(content)
            written.append(partial.replace(folder / name))
        return written


def _files(pictures: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.png": content for name, content in pictures.items()}


def escaped(text: object) -> str:
    """Gives a text as HTML."""
    return html.escape(str(text))


def image_tag(content: bytes, description: str) -> str:
    """Puts a PNG inside the page."""
    encoded = base64.b64encode(content).decode()
    return f'<img alt="{escaped(description)}" src="data:image/png;base64,{encoded}">'


def sheet_png(sheet: np.ndarray) -> bytes:
    """Gives an array of pixels as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="PNG")
    return buffer.getvalue()


def table_tag(head: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool] | None = None) -> str:
    """Lays a table out; cells are HTML already."""
    flags = marked or [False] * len(rows)
    body = "".join(
        f"<tr{' class=failed' if flag else ''}>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for row, flag in zip(rows, flags, strict=True)
    )
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(title: str, content: str) -> str:
    """Puts a section one click away; the content is HTML already."""
    return f"<details><summary>{escaped(title)}</summary>{content}</details>"


def whole_page(heading: str, body: str) -> str:
    """Puts a page together; the body is HTML already."""
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(heading)}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escaped(heading)}</h1>{body}</body></html>"
    )
