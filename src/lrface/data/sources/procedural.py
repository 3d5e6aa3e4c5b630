"""The source ``procedural``: faces of people who do not exist, drawn from a seed."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from lrface.data.source import FACE_SIZE, Report, SourceFace
from lrface.images.procedural import ProceduralSettings, render_faces, subject_name


class ProceduralSource:
    """Drawn faces.

    Args:
        settings: Who and how many.
        workers: Processes that draw; 0 takes one per core.
    """

    def __init__(self, settings: ProceduralSettings, workers: int = 0) -> None:
        self.settings = settings
        self.workers = workers

    def describe(self) -> dict[str, Any]:
        """Names the kind and everything that decides about the pixels."""
        return {"kind": "procedural", **self.settings.model_dump(mode="json")}

    def folders(self) -> tuple[Path, ...]:
        """Names no folder: nothing is read."""
        return ()

    def files(self) -> tuple[Path, ...]:
        """Names no file: nothing is read."""
        return ()

    def count(self) -> int:
        """Counts the faces to be drawn."""
        return self.settings.subjects * self.settings.images_per_subject

    def items(self, report: Report) -> Generator[SourceFace, None, None]:
        """Yields the faces, person by person."""
        for subject, image, pixels in render_faces(self.settings, workers=self.workers):
            name = subject_name(subject)
            face = SourceFace(f"{name}/{image + 1:03d}.png", name, pixels, FACE_SIZE, FACE_SIZE)
            report.took(face)
            yield face
