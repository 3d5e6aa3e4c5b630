"""When two names are one: what differs in case, in spaces or in how accents are composed is the same person."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from lrface.errors import DataError

_SHOWN = 5


def one_spelling(name: str) -> str:
    """Gives the form in which two spellings of one name are equal.

    Compatible characters are one (NFKC, so also composed and decomposed accents), case and spaces do not count, nor
    do characters that are not seen.

    Args:
        name: Any name.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join("".join(letter for letter in folded if unicodedata.category(letter) != "Cf").split())


def check_spelling(names: Iterable[str], what: str) -> None:
    """Refuses a name that is there in two spellings.

    Args:
        names: The names.
        what: What they are in, for the message.

    Raises:
        DataError: Two names are one.
    """
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        spellings[one_spelling(name)].add(name)
    double = [sorted(several) for several in spellings.values() if len(several) > 1]
    if double:
        raise DataError(
            what,
            got="; ".join(" and ".join(map(_visible, several)) for several in sorted(double)[:_SHOWN]),
            expected="each subject under one name",
            remedy="join or rename them",
        )


def _visible(name: str) -> str:
    """A name as it is; quoted, with what is not seen spelled out, where a person could not tell it from another."""
    plain = unicodedata.normalize("NFKC", name) == name and name.strip() == name and name.isprintable()
    return name if plain else ascii(name)
