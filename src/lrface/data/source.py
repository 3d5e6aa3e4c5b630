"""What every source of faces yields, and what it says about those that it could not yield."""

from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

from lrface.data.faces.fit import Fit
from lrface.data.measure import Measured

FACE_SIZE = 112


@dataclass(frozen=True, eq=False)
class SourceFace:
    """One aligned face on its way into a pack.

    Attributes:
        source: Path relative to the source's root, posix.
        subject: Whose face it is.
        pixels: The face, RGB.
        width: Width before alignment, pixels.
        height: Height before alignment, pixels.
        superres: The super-resolution split that the source prescribes, if it does.
        recognition: The recognition split that the source prescribes, if it does.
        vlr: The real low-resolution image of the same face, RGB, where there is one.
        alignment: How it came to 112x112 (``as_is``, ``yunet``, ``landmarks``, ``centre``, ``resized``).
        measured: Its figures, where the thread that decoded it took them while the pixels were at hand.
        fit: How it came to 112x112, where it came from a picture.
    """

    source: str
    subject: str
    pixels: UInt8[np.ndarray, "112 112 3"]
    width: int
    height: int
    superres: str | None = None
    recognition: str | None = None
    vlr: UInt8[np.ndarray, "size size 3"] | None = None
    alignment: str = "as_is"
    measured: Measured | None = None
    fit: Fit | None = None


@dataclass(frozen=True)
class Problem:
    """A file that gave no face.

    Attributes:
        source: Path relative to the source's root, posix.
        subject: Whose face it would have been.
        kind: Short name to count by (``broken``, ``no_face``, ``not_frontal``, ``too_large`` ...).
        reason: One line for the reader.
    """

    source: str
    subject: str
    kind: str
    reason: str


@dataclass
class Report:
    """What happened on one pass over a source. Nothing that was left out is missing from it.

    Attributes:
        faces: How many faces were yielded.
        problems: The files that were skipped, in order.
        alignment: How many faces came to 112x112 in which way.
        notes: Plain sentences that a person should see.
    """

    faces: int = 0
    problems: list[Problem] = field(default_factory=list)
    alignment: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def took(self, face: SourceFace) -> None:
        """Writes down a face that was yielded."""
        self.faces += 1
        self.alignment[face.alignment] += 1

    def skip(self, problem: Problem) -> None:
        """Writes down a file that gave no face."""
        self.problems.append(problem)

    def note(self, text: str) -> None:
        """Writes down something that a person should see."""
        self.notes.append(text)

    def skipped(self) -> dict[str, int]:
        """Counts the skipped files by kind."""
        return dict(sorted(Counter(problem.kind for problem in self.problems).items()))

    def skipped_by_subject(self) -> dict[str, int]:
        """Counts the skipped files by subject."""
        return dict(sorted(Counter(problem.subject for problem in self.problems).items()))


class Source(Protocol):
    """Anything that can be packed."""

    def describe(self) -> dict[str, Any]:
        """Says in plain JSON values what this is; it goes into ``pack.json``."""
        ...

    def folders(self) -> tuple[Path, ...]:
        """Names the folders that are read, none of which may be written to."""
        ...

    def files(self) -> Iterable[Path]:
        """Names every file on which the faces depend, and no other."""
        ...

    def count(self) -> int | None:
        """Gives the number of files to come where that is known beforehand."""
        ...

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields every face in a fixed order and writes down in ``report`` what gave none."""
        ...
