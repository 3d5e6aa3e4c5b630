"""Labelled sheets of pictures, for looking at many at once."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from lrface.errors import DataError

FONT_SIZE = 12
LINE_HEIGHT = 15
GAP = 4
PAPER = (255, 255, 255)
INK = (30, 30, 30)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=FONT_SIZE)


def _fitted(line: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shortens a line with an ellipsis until it fits."""
    if font.getlength(line) <= width:
        return line
    kept = line
    while kept and font.getlength(kept + "…") > width:
        kept = kept[:-1]
    return kept + "…"


def _lines(titles: Sequence[str] | None) -> int:
    return max((len(title.splitlines()) for title in titles), default=0) if titles is not None else 0


def _check(count: int, columns: int, scale: int, titles: Sequence[str] | None, row_titles: Sequence[str] | None) -> int:
    """Refuses what cannot be laid out, and returns the number of rows."""
    if count == 0 or columns < 1 or scale < 1:
        raise DataError(
            "contact sheet",
            got=f"{count} pictures, {columns} columns, scale {scale}",
            expected="at least 1 of each",
            remedy="give pictures and a layout to show",
        )
    rows = -(-count // columns)
    for name, given, wanted in (("titles", titles, count), ("row titles", row_titles, rows)):
        if given is not None and len(given) != wanted:
            raise DataError(
                f"contact sheet {name}",
                got=str(len(given)),
                expected=str(wanted),
                remedy="give one per picture" if given is titles else "give one per row",
            )
    return rows


def contact_sheet(
    images: UInt8[np.ndarray, "n h w 3"],
    columns: int,
    titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    column_titles: Sequence[str] | None = None,
    scale: int = 1,
) -> UInt8[np.ndarray, "H W 3"]:
    """Lays pictures out row by row, with captions.

    Args:
        images: n pictures of one size, uint8 RGB.
        columns: Pictures in a row; the last row may be shorter.
        titles: A caption under each picture; may have several lines. A line that is too wide is shortened.
        row_titles: A caption left of each row; may have several lines.
        column_titles: A caption above each column; may have several lines.
        scale: Each pixel becomes this many across and down, unsmoothed.

    Raises:
        DataError: If there is nothing to show, or not as many captions as pictures, rows or columns.
    """
    rows = _check(len(images), columns, scale, titles, row_titles)
    if column_titles is not None and len(column_titles) != columns:
        raise DataError(
            "contact sheet column titles",
            got=str(len(column_titles)),
            expected=str(columns),
            remedy="give one per column",
        )
    font = _font()
    height, width = images.shape[1] * scale, images.shape[2] * scale
    left = GAP
    if row_titles is not None:
        left += GAP + int(max(font.getlength(line) for title in row_titles for line in title.splitlines() or [""]))
    top = GAP + LINE_HEIGHT * _lines(column_titles)
    row_height = height + LINE_HEIGHT * _lines(titles) + GAP
    sheet = Image.new("RGB", (left + columns * (width + GAP), top + rows * row_height), PAPER)
    pen = ImageDraw.Draw(sheet)

    def write(text: str, x: int, y: int, room: int) -> None:
        for number, line in enumerate(text.splitlines()):
            pen.text((x, y + number * LINE_HEIGHT), _fitted(line, room, font), fill=INK, font=font)

    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        x, y = left + column * (width + GAP), top + row * row_height
        big = image.repeat(scale, axis=0).repeat(scale, axis=1)
        sheet.paste(Image.fromarray(np.ascontiguousarray(big)), (x, y))
        if titles is not None:
            write(titles[index], x, y + height, width)
    for column, title in enumerate(column_titles or ()):
        write(title, left + column * (width + GAP), GAP // 2, width)
    for row, title in enumerate(row_titles or ()):
        block = LINE_HEIGHT * len(title.splitlines())
        write(title, GAP, top + row * row_height + max(0, (height - block) // 2), left - GAP)
    return np.asarray(sheet, dtype=np.uint8).copy()
