"""Pictures that are to be enrolled or named: small faces as they are, larger ones aligned.

Folders and files are read as ``prepare`` reads them, and what that refuses or tells is refused or told here.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from lrface.data.checks.checks import Checked, check_faces, check_splits
from lrface.data.checks.findings import Finding, by_severity, stop_on_errors
from lrface.data.files.reader import FileReader, ImageFile
from lrface.data.files.tree import Walker, suffixes, told
from lrface.data.measure import Measured, measure
from lrface.data.pack.splits import Splits
from lrface.data.settings import CheckSettings, ReadSettings
from lrface.data.source import Problem, Report, SourceFace
from lrface.data.sources.folder import FolderSource
from lrface.errors import DataError
from lrface.images.reading.reader import BadImageError, read_image


@dataclass(frozen=True, eq=False)
class Picture:
    """A face from a file.

    Attributes:
        name: Path below the folder that was read, posix.
        person: Name of the top folder that it lies in; empty at the top.
        pixels: The face, RGB, square: 8 to 32 pixels as it was, or 112.
        side: How large the face was in its picture, pixels.
        measured: Its figures; the hash of the pixels is among them.
    """

    name: str
    person: str
    pixels: UInt8[np.ndarray, "s s 3"]
    side: float
    measured: Measured


def read_pictures(
    root: Path, settings: ReadSettings, checks: CheckSettings, report: Report
) -> tuple[list[Picture], list[Finding]]:
    """Read one picture, or all in a folder at any depth, in the natural order of their names.

    A square picture of 8 to 32 pixels is taken for a face already; any other is aligned as the settings say.

    Args:
        root: A file or a folder.
        settings: How to read and align.
        checks: What is checked. Of what these refuse, only photographs without a detector are refused: a probe that
            is blank, or there twice, is an answer.
        report: Gets what was skipped and left out.

    Returns:
        The pictures, and what the checks found.

    Raises:
        DataError: There is nothing to read, a file is bad and the settings say to stop, or a check found an error.
    """
    faces = list(FileReader(settings, keep_small=True).read(_files(root, report), report))
    gentle = checks.model_copy(update={"errors": tuple({"photographs", "landmark_columns"} & set(checks.errors))})
    return _checked(faces, gentle, report, f"pictures {root}", people=False)


def read_photographs(
    root: Path, settings: ReadSettings, report: Report
) -> Generator[tuple[str, UInt8[np.ndarray, "h w 3"]], None, None]:
    """Read one photograph, or all in a folder at any depth, whole and one after the other.

    Args:
        root: A file or a folder.
        settings: How to read; nothing is aligned.
        report: Gets what was skipped and left out.

    Yields:
        The name (path below the folder, posix) and the photograph, RGB.

    Raises:
        DataError: There is nothing to read, or a file is bad and the settings say to stop.
    """
    for file in _files(root, report):
        assert isinstance(file.load, Path)  # noqa: S101 - what _files makes
        try:
            image = read_image(file.load, file.name, settings.max_pixels)
        except BadImageError as error:
            if settings.on_bad_image != "skip":
                raise
            report.skip(Problem(file.name, file.subject, error.kind, str(error)))
            continue
        yield file.name, image


def read_people(
    root: Path, settings: ReadSettings, checks: CheckSettings, report: Report
) -> tuple[list[Picture], list[Finding]]:
    """Read the pictures of people, ``root/PERSON/.../PICTURE``, and check them as ``prepare`` does.

    Args:
        root: A folder.
        settings: How to read and align.
        checks: What is checked, and what is refused.
        report: Gets what was skipped and left out.

    Returns:
        The pictures, person by person, and what the checks found.

    Raises:
        DataError: The folder is not one of people, a file is bad and the settings say to stop, or a check found an
            error, as one picture under two people.
    """
    faces = list(FolderSource(root, settings, keep_small=True).items(report))
    # One person with a folder for each session is nothing wrong here.
    checks = checks.model_copy(update={"errors": tuple(kind for kind in checks.errors if kind != "nested")})
    return _checked(faces, checks, report, f"pictures {root}", people=True)


def _checked(
    faces: list[SourceFace], checks: CheckSettings, report: Report, what: str, *, people: bool
) -> tuple[list[Picture], list[Finding]]:
    if not faces:
        return [], []
    measured = [face.measured or measure(face.pixels) for face in faces]
    pictures = [
        Picture(face.source, face.subject, face.pixels, _side_of(face), figures)
        for face, figures in zip(faces, measured, strict=True)
    ]
    columns = {name: [getattr(face, name) for face in faces] for name in ("source", "subject", "width", "height")}
    checked = Checked(
        table=pd.DataFrame(columns),
        measured=measured,
        face=lambda row: pictures[row].pixels,
        fits=[face.fit for face in faces],
    )
    findings = check_faces(checked, report, checks)
    if people:
        undealt = Splits(("test",) * len(faces), ("none",) * len(faces), {})
        findings += check_splits(checked, undealt, checks)
    # What is data.read for `prepare` is read here.
    findings = [replace(finding, remedy=finding.remedy.replace("data.read.", "read.")) for finding in findings]
    stop_on_errors(findings, what)
    return pictures, by_severity(findings)


def _side_of(face: SourceFace) -> float:
    return face.fit.side if face.fit is not None else float(face.pixels.shape[0])


def _files(root: Path, report: Report) -> list[ImageFile]:
    what = f"pictures {root}"
    if root.is_file():
        return [ImageFile(root.name, "", root)]
    if not root.exists():
        raise DataError(what, got="no such path", expected="a file or folder", remedy="correct source")
    tree = Walker(root).tree(root)
    if not tree.images:
        got = f"no image in it ({suffixes(tree.left_out)})" if tree.left_out else "no image in it"
        raise DataError(what, got=got, expected="one or more", remedy="correct source")

    def person(path: Path) -> str:
        parts = path.relative_to(root).parts
        return parts[0] if len(parts) > 1 else ""

    for line in told(tree.left_out, tree.again, root, person):
        report.note(line)
    return [ImageFile(path.relative_to(root).as_posix(), person(path), path) for path in tree.images]
