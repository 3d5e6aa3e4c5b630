"""What every gallery can do, wherever it lies."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from lrface.base.settings import Settings
from lrface.base.spelling import check_spelling, one_spelling
from lrface.errors import DataError, WeightsError
from lrface.naming.gallery.entry import UNKNOWN, Enrolled, Entry, check_embeddings, check_name, check_width, print_of

_SHA256: Final = "^[0-9a-f]{64}$"


class About(Settings):
    """What a gallery says about itself."""

    format_version: Literal[1] = Field(default=1, description="Version of the layout")
    weights: str = Field(description="Sha256 of the weights of the recogniser that made the templates", pattern=_SHA256)
    compatible: tuple[Annotated[str, Field(pattern=_SHA256)], ...] = Field(
        default=(), description="Sha256 of weights whose probes a person has declared comparable", max_length=100
    )


@dataclass(frozen=True)
class Match:
    """Whom a probe shows.

    Attributes:
        name: The name, or ``unknown`` where the best score is below the threshold.
        score: Cosine to the best template; None where nobody is enrolled.
        margin: How far the second template is behind; None where there is no second.
    """

    name: str
    score: float | None
    margin: float | None


class Gallery(ABC):
    """Templates of people, all made by the same recogniser.

    Pictures are enrolled by that recogniser alone. Probes may also come from one that a person has declared
    compatible: a fine-tuned descendant that was held to its ancestor's embeddings.

    Every method raises ``RegistryError`` where the place does not answer or another process holds it, and
    ``DataError`` where what lies there is damaged.
    """

    place: str
    """Where it lies, without credentials."""

    @abstractmethod
    def about(self) -> About | None:
        """Say which weights the templates are of; None where nothing was ever enrolled."""

    @abstractmethod
    def entries(self) -> list[Entry]:
        """Return everybody, sorted by name."""

    @abstractmethod
    def count(self) -> int:
        """Return how many people are enrolled."""

    @abstractmethod
    def enrol(
        self,
        people: Mapping[str, Float[np.ndarray, "n d"]],
        weights: str,
        pictures: Mapping[str, Sequence[str]] | None = None,
    ) -> dict[str, Enrolled]:
        """Add pictures of people: all of them or, on an error, none.

        Args:
            people: Unit embeddings by name. A person who is there already gets further pictures.
            weights: Sha256 of the weights of the recogniser that embedded them.
            pictures: Sha256 of the pixels of each picture, by name as the embeddings. A picture that is there already
                counts once. Without it every picture is taken for another.

        Returns:
            By name, what it did.

        Raises:
            DataError: A name or an embedding cannot be used, a name is there in another spelling, or a picture is
                another person's.
            WeightsError: Other weights made this gallery.
        """

    @abstractmethod
    def insert(self, entries: Sequence[Entry], about: About) -> None:
        """Take in the entries of another gallery: all of them or, on an error, none.

        Raises:
            DataError: A name is there already.
            WeightsError: Other weights made this gallery.
        """

    @abstractmethod
    def remove(self, person: str) -> Entry:
        """Remove a person, given by name or key, for good.

        Returns:
            What was removed.

        Raises:
            DataError: There is no such person.
        """

    @abstractmethod
    def accept(self, weights: str) -> None:
        """Declare that probes of other weights may be held against these templates.

        Raises:
            DataError: There is no gallery yet, or this is no sha256.
        """

    @abstractmethod
    def _search(self, probes: Float[np.ndarray, "n d"]) -> list[list[tuple[str, float]]]:
        """Return the names and scores of the two best templates of each probe, the best first."""

    @abstractmethod
    def _width(self) -> int | None:
        """Return how many numbers a template has; None where nobody is enrolled."""

    def identify(self, probes: Float[np.ndarray, "n d"], weights: str, threshold: float) -> list[Match]:
        """Say whom each probe shows.

        Args:
            probes: Unit embeddings.
            weights: Sha256 of the weights of the recogniser that made them.
            threshold: Cosine from which a probe is named.

        Raises:
            DataError: There is no gallery, or the probes or the threshold cannot be used.
            WeightsError: The weights are neither the gallery's nor declared compatible, or embed at another width.
        """
        if not (math.isfinite(threshold) and -1 <= threshold <= 1):
            raise DataError("threshold", got=str(threshold), expected="a cosine in [-1, 1]", remedy="correct it")
        checked = check_embeddings(probes)
        about = self.about()
        if about is None:
            raise self._empty()
        if weights not in {about.weights, *about.compatible}:
            raise WeightsError(
                f"gallery {self.place}",
                got=f"probes of recogniser {weights[:12]}",
                expected=f"{about.weights[:12]}, which made it, or one declared compatible",
                remedy="enrol everybody anew in another gallery, or declare the weights compatible (action=accept)",
            )
        check_width(checked.shape[1], self._width())
        return [_match(found, threshold) for found in self._search(checked)]

    def _empty(self) -> DataError:
        return DataError(
            f"gallery {self.place}", got="none there yet", expected="a gallery", remedy="enrol somebody first"
        )

    def _made_by(self, about: About | None, weights: str) -> About:
        """Return what the gallery says about itself after an enrolment, or refuse it."""
        if about is None:
            return About(weights=weights)
        if weights != about.weights:
            raise WeightsError(
                f"gallery {self.place}",
                got=f"templates of recogniser {weights[:12]}",
                expected=f"those of {about.weights[:12]}, which made it",
                remedy="enrol with that version, or enrol everybody anew in another gallery",
            )
        return about

    def _nobody(self, person: str) -> DataError:
        return DataError(
            f"gallery {self.place}", got=f"nobody called {person!r}", expected="a name or key", remedy="list them"
        )

    def _named(self, people: Iterable[str], there: Iterable[str]) -> dict[str, str]:
        """Return by given name the one that is kept, or refuse one that is there in another spelling."""
        names = {given: check_name(given) for given in people}
        check_spelling(names.values(), f"gallery {self.place}")
        known = set(there)
        spelled = {one_spelling(name): name for name in known}
        for name in names.values():
            other = spelled.get(one_spelling(name), name)
            if other != name and name not in known:
                raise DataError(
                    f"gallery {self.place}",
                    got=f"{name!r} beside {other!r}, who is there already",
                    expected="each person under one name",
                    remedy="enrol under that name, or tell the two apart by another",
                )
        return names

    def _another_persons(self, name: str, other: str) -> DataError:
        return DataError(
            f"gallery {self.place}",
            got=f"a picture of {name!r} that is enrolled as {other!r}",
            expected="each picture under one person",
            remedy="leave it out, or remove that person first",
        )

    def _there_already(self, names: Sequence[str]) -> DataError:
        shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
        return DataError(
            f"gallery {self.place}",
            got=f"{len(names)} who are there already ({shown})",
            expected="people who are not",
            remedy="remove them first, or import into another gallery",
        )

    def _accepted(self, about: About | None, weights: str) -> About:
        if about is None:
            raise self._empty()
        try:
            return About(weights=about.weights, compatible=tuple(sorted({*about.compatible, weights})))
        except ValueError as error:
            raise DataError(
                "weights", got=repr(weights[:80]), expected="a sha256 in hexadecimal", remedy="correct it"
            ) from error


def prints_of(pictures: Mapping[str, Sequence[str]] | None, given: str) -> tuple[bytes, ...]:
    """What the pictures of a person are known by; empty where nothing was given."""
    return tuple(print_of(sha256) for sha256 in (pictures or {}).get(given, ()))


def _match(found: list[tuple[str, float]], threshold: float) -> Match:
    if not found:
        return Match(UNKNOWN, None, None)
    name, score = found[0]
    margin = score - found[1][1] if len(found) > 1 else None
    return Match(name if score >= threshold else UNKNOWN, score, margin)
