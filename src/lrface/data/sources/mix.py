"""Several sources in one pack, each with its name and, if wanted, a fixed place in the splits.

Example: photographs, with drawn faces beside them that only the super-resolver's training sees::

    MixSource([
        Part("orl", FolderSource(...)),
        Part("drawn", ProceduralSource(...), superres="train", recognition="none"),
    ])
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lrface.data.pack.manifest import RECOGNITION_SPLITS, SUPERRES_SPLITS
from lrface.data.source import Problem, Report, Source, SourceFace
from lrface.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """One source of a mix.

    Attributes:
        name: Goes before its subjects and paths, with a slash.
        source: The source.
        superres: Put all its subjects here; as the split settings say when None.
        recognition: Put all its images here (``train`` or ``none``); as the split settings say when None.
        licence: Licence of its faces.
    """

    name: str
    source: Source
    superres: str | None = None
    recognition: str | None = None
    licence: str = ""


class MixSource:
    """The faces of several sources, one source after the other.

    Args:
        parts: The sources.

    Raises:
        ConfigError: No parts, a name twice or unfit, or a place that the splits do not have.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = tuple(parts)
        names = [part.name for part in self.parts]
        if not names or len(set(names)) < len(names) or any(not name or "/" in name for name in names):
            raise ConfigError(
                "mix of sources",
                got=f"the names {names}",
                expected="one or more different names without a slash",
                remedy="name each source",
            )
        for part in self.parts:
            _check_place(part)

    def describe(self) -> dict[str, Any]:
        """Describes each part, under its name."""
        parts = {
            part.name: {
                **part.source.describe(),
                "superres": part.superres,
                "recognition": part.recognition,
                "licence": part.licence,
            }
            for part in self.parts
        }
        return {"kind": "mix", "name": "+".join(parts), "parts": parts}

    def folders(self) -> tuple[Path, ...]:
        """Names the folders of all parts."""
        return tuple(folder for part in self.parts for folder in part.source.folders())

    def files(self) -> Iterator[Path]:
        """Names the files of all parts."""
        return (path for part in self.parts for path in part.source.files())

    def count(self) -> int | None:
        """Counts the files of all parts, where each knows its own."""
        counts = [part.source.count() for part in self.parts]
        return None if None in counts else sum(count or 0 for count in counts)

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces of the first part, then of the second, and so on."""
        for part in self.parts:
            with closing(part.source.items(_PartReport(report, part.name))) as faces:
                for face in faces:
                    yield replace(
                        face,
                        source=f"{part.name}/{face.source}",
                        subject=f"{part.name}/{face.subject}",
                        superres=part.superres or face.superres,
                        recognition=part.recognition or face.recognition,
                    )


class _PartReport(Report):
    """Hands everything on to the report of the whole, under the part's name."""

    def __init__(self, whole: Report, name: str) -> None:
        super().__init__()
        self._whole = whole
        self._name = name

    def took(self, face: SourceFace) -> None:
        self._whole.took(face)

    def skip(self, problem: Problem) -> None:
        source, subject = f"{self._name}/{problem.source}", f"{self._name}/{problem.subject}"
        self._whole.skip(replace(problem, source=source, subject=subject))

    def note(self, text: str) -> None:
        self._whole.note(f"{self._name}: {text}")


def _check_place(part: Part) -> None:
    what = f"source {part.name} of the mix"
    if part.superres is not None and part.superres not in SUPERRES_SPLITS:
        expected = f"one of {', '.join(SUPERRES_SPLITS)}"
        raise ConfigError(what, got=f"superres {part.superres!r}", expected=expected, remedy="correct it")
    if part.recognition is not None and part.recognition not in RECOGNITION_SPLITS:
        expected = f"one of {', '.join(RECOGNITION_SPLITS)}"
        raise ConfigError(what, got=f"recognition {part.recognition!r}", expected=expected, remedy="correct it")
    if part.superres == "test" and part.recognition not in (None, "none"):
        raise ConfigError(
            what,
            got=f"test subjects in recognition {part.recognition}",
            expected="test subjects in no training",
            remedy="take recognition=none",
        )
