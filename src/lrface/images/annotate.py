"""Boxes and names in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from jaxtyping import UInt8
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

KNOWN: Final = (0, 158, 115)
UNKNOWN: Final = (213, 94, 0)
"""Of the palette of Okabe and Ito, which the colour-blind tell apart."""
_INK: Final = (255, 255, 255)
_LEAST: Final = 11
_LONGEST: Final = 40


@dataclass(frozen=True)
class Label:
    """A box and what stands at it.

    Attributes:
        box: Left, top, width and height, pixels; it may reach over the picture's edge.
        text: The words; long ones are cut, control characters are left out.
        known: Whether it is drawn as somebody who has a name.
    """

    box: tuple[float, float, float, float]
    text: str
    known: bool


def annotated(image: UInt8[np.ndarray, "h w 3"], labels: Sequence[Label]) -> UInt8[np.ndarray, "h w 3"]:
    """Draws boxes and words into a copy of a picture; words do not cover each other as long as there is room.

    Args:
        image: The picture, RGB.
        labels: What to draw.
    """
    height, width = image.shape[:2]
    drawn = Image.fromarray(np.ascontiguousarray(image))
    pencil = ImageDraw.Draw(drawn)
    size = max(_LEAST, round(min(height, width) / 45))
    line = max(1, round(min(height, width) / 400))
    font = _font(size)
    taken: list[tuple[float, float, float, float]] = []
    for label in labels:
        left, top, wide, high = label.box
        colour = KNOWN if label.known else UNKNOWN
        pencil.rectangle((left - line, top - line, left + wide + line, top + high + line), outline=colour, width=line)
    for label in labels:
        text = _short(label.text)
        if not text:
            continue
        room = (font.getlength(text) + 6, size * 1.35)
        place = _free(label.box, room, (width, height), taken)
        taken.append((*place, *room))
        colour = KNOWN if label.known else UNKNOWN
        pencil.rectangle((place[0], place[1], place[0] + room[0], place[1] + room[1]), fill=colour)
        pencil.text((place[0] + 3, place[1] + 1), text, fill=_INK, font=font)
    return np.asarray(drawn)


def _free(
    box: tuple[float, float, float, float],
    room: tuple[float, float],
    size: tuple[int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float]:
    """Where words may stand: above the box, below it, beside it; above it where all of that is taken."""
    left, top, wide, high = box
    tries = [
        (left, top - room[1] - 2),
        (left, top + high + 2),
        (left + wide + 2, top),
        (left - room[0] - 2, top),
        (left, top - 2 * room[1] - 4),
        (left, top + high + room[1] + 4),
    ]
    inside = [
        (min(max(0.0, x), max(0.0, size[0] - room[0])), min(max(0.0, y), max(0.0, size[1] - room[1]))) for x, y in tries
    ]
    free = [place for place in inside if not any(_meet((*place, *room), other) for other in taken)]
    return (free or inside)[0]


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return (
        one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    )


def _short(text: str) -> str:
    plain = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}…"


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along: Pillow's own has Latin letters alone."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans", fallback_to_default=True), size)
