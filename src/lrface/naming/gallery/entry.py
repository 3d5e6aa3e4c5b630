"""What a gallery holds of a person: the sum of the embeddings, from which the template follows."""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from jaxtyping import Float

from lrface.errors import DataError, WeightsError

NARROWEST: Final = 2
UNKNOWN: Final = "unknown"
LONGEST_NAME: Final = 100
KEY: Final = re.compile("[0-9a-f]{16}")
PRINT_BYTES: Final = 16
_UNIT_WITHIN: Final = 1e-3


@dataclass(frozen=True, eq=False)
class Entry:
    """A person in a gallery.

    No picture and no single embedding is kept: the sum is enough to add further pictures later, and a hash of each
    picture to know it again.

    Attributes:
        key: Sixteen random hexadecimal digits that mean this person and say nothing about who it is.
        name: The name that is answered.
        total: Sum of the unit embeddings.
        images: How many there were.
        added: When the person was enrolled, UTC.
        changed: When the last picture was added, UTC.
        prints: First 16 bytes of the sha256 of the pixels of each picture, where they were given.
    """

    key: str
    name: str
    total: Float[np.ndarray, " d"]
    images: int
    added: datetime
    changed: datetime
    prints: tuple[bytes, ...] = ()

    @property
    def template(self) -> Float[np.ndarray, " d"]:
        """The renormalised mean of the embeddings, float32 of unit length."""
        template: np.ndarray = templates(self.total[None])[0]
        return template


def templates(totals: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Turn sums of embeddings into templates, float32 of unit length.

    Raises:
        DataError: A sum is not finite, or so short that it has no direction.
    """
    lengths = np.linalg.norm(totals, axis=1, keepdims=True)
    if totals.size and not (np.isfinite(lengths).all() and lengths.min() > _UNIT_WITHIN):
        raise DataError(
            "template",
            got="embeddings that cancel each other or are not finite",
            expected="embeddings of one person",
            remedy="enrol other pictures",
        )
    return np.asarray(totals / lengths, dtype=np.float32)


@dataclass(frozen=True)
class Enrolled:
    """What an enrolment did for a person.

    Attributes:
        images: How many pictures the person has now.
        again: How many of the given ones were there already; they count once.
    """

    images: int
    again: int = 0


def print_of(sha256: str) -> bytes:
    """Gives what is kept of the hash of a picture's pixels."""
    return bytes.fromhex(sha256)[:PRINT_BYTES]


def enrolled(
    before: Entry | None,
    name: str,
    embeddings: Float[np.ndarray, "n d"],
    now: datetime | None = None,
    width: int | None = None,
    prints: Sequence[bytes] = (),
) -> tuple[Entry, Enrolled]:
    """Return the entry of a person after further pictures, and what they did.

    Args:
        before: The entry so far; None for a new person.
        name: The person's name.
        embeddings: Unit embeddings of the pictures.
        now: The time; None takes the clock's.
        width: Numbers of an embedding in this gallery; None where it is still empty.
        prints: What the pictures are known by, one each; a picture that is there already is not added again. Without
            them every picture is taken for another.

    Raises:
        DataError: The name or an embedding cannot be used.
        WeightsError: The embeddings are of another width.
    """
    checked = check_embeddings(embeddings)
    check_width(checked.shape[1], width)
    known = set(before.prints) if before else set()
    fresh = []
    for row in range(len(checked)):
        if not prints or prints[row] not in known:
            fresh.append(row)
        known.update(prints[row : row + 1])
    again = len(checked) - len(fresh)
    if before is not None and not fresh:
        return before, Enrolled(before.images, again)
    now = now or datetime.now(UTC)
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    total = checked[fresh].sum(axis=0)
    entry = Entry(
        key=before.key if before else secrets.token_hex(8),
        name=check_name(name),
        total=total + before.total if before else total,
        images=len(fresh) + (before.images if before else 0),
        added=before.added if before else now,
        changed=now,
        prints=(*(before.prints if before else ()), *(prints[row] for row in fresh if prints)),
    )
    templates(entry.total[None])
    return entry, Enrolled(entry.images, again)


def check_embeddings(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return embeddings as float64, or refuse them.

    Raises:
        DataError: They are none, no rows, or not of unit length.
    """
    found = np.asarray(embeddings, dtype=np.float64)
    if found.ndim != 2 or not len(found) or found.shape[1] < NARROWEST:
        raise DataError(
            "embeddings",
            got=f"shape {found.shape}",
            expected=f"one or more rows of {NARROWEST} floats at least",
            remedy="embed faces with a recogniser",
        )
    lengths = np.linalg.norm(found, axis=1)
    if not np.allclose(lengths, 1, atol=_UNIT_WITHIN):
        raise DataError(
            "embeddings",
            got=f"lengths {lengths.min():.3g} to {lengths.max():.3g}",
            expected="unit length",
            remedy="normalise them",
        )
    return found


def check_width(width: int, wanted: int | None) -> None:
    """Refuse embeddings that are as long as no template of a gallery: cosines of other spaces mean nothing.

    Raises:
        WeightsError: They differ.
    """
    if wanted is not None and width != wanted:
        raise WeightsError(
            "gallery",
            got=f"embeddings of {width} numbers",
            expected=f"{wanted}, as the templates have",
            remedy="use the recogniser that made it, or enrol everybody anew in another gallery",
        )


def check_name(name: str) -> str:
    """Return a name in composed form and without spaces around it, or refuse it.

    Raises:
        DataError: It is empty, too long, holds control characters, or is the word for nobody.
    """
    plain = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(plain) <= LONGEST_NAME or not plain.isprintable() or plain.casefold() == UNKNOWN:
        raise DataError(
            "name of a person",
            got=repr(plain[:LONGEST_NAME]) + ("..." if len(plain) > LONGEST_NAME else ""),
            expected=f"1 to {LONGEST_NAME} printable characters other than {UNKNOWN!r}",
            remedy="give another name",
        )
    return plain
