"""How names are ordered and spelled: natural order, one Unicode form, no control characters."""

import re
import unicodedata

from lrface.errors import DataError

_LONGEST = 4096
_DIGITS = re.compile(r"(\d+)")


def natural_key(text: str) -> tuple[tuple[int | str, ...], str]:
    """Gives the sort key under which ``face2`` precedes ``face10``.

    Args:
        text: Any name.

    Returns:
        A key that is total: two different names never compare equal.
    """
    parts = _DIGITS.split(text.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), text


def clean_name(text: str, what: str) -> str:
    """Brings a subject or a source path into the one form that goes into manifest and digest.

    File systems disagree on how accents are composed; the digest must not.

    Args:
        text: The name as it was found.
        what: What the name is of, for the message.

    Returns:
        The name in Unicode normal form C.

    Raises:
        DataError: The name is empty, longer than a path can be, or holds control characters or bytes that are no text.
    """
    if len(text) > _LONGEST:
        got = f"{text[:20]!r} and {len(text) - 20:,} characters more"
        raise DataError(what, got=got, expected=f"at most {_LONGEST:,} characters", remedy="shorten it")
    if text.isascii() and text.isprintable() and text.strip():
        return text  # nearly every name; what follows is for the others
    name = unicodedata.normalize("NFC", text)
    if not name.strip():
        raise DataError(what, got="an empty name", expected="a name", remedy="give it one")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise DataError(
            what,
            got=f"{name!r}, with control characters or bytes that are no UTF-8",
            expected="a printable name",
            remedy="rename it",
        )
    return name
