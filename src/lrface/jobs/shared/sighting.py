"""Names for everybody in photographs and films, as `gallery action=identify` gives them."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lrface.cli.context import Context
from lrface.config import GallerySettings
from lrface.data.faces.crowd import Crowd
from lrface.data.pictures import read_photographs
from lrface.data.source import Report
from lrface.errors import DataError
from lrface.images.sizes import FACE_SIZE
from lrface.jobs.shared.stage import copy_out
from lrface.jobs.shared.tables import show_table
from lrface.naming import video
from lrface.naming.film import CODECS, SUFFIXES, Film, check_codec
from lrface.naming.gallery.entry import UNKNOWN
from lrface.naming.namer import Namer
from lrface.naming.photograph import labelled, name_faces

_SHOWN = 5
_GREY = 128


def is_film(path: Path) -> bool:
    """Whether a path is taken for a film."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def identify_everybody(settings: GallerySettings, context: Context, path: Path, opened: Callable[[], Namer]) -> None:
    """Name every face of a film, of a photograph, or of a folder of photographs.

    What can be refused is refused before anything is looked through.

    Args:
        settings: Of the job.
        context: Where it is told.
        path: The film, the photograph or the folder.
        opened: Loads the pair, before its gallery.

    Raises:
        ConfigError: There is no detector, a rate was asked for that nothing can tell, or the codec of the annotated
            film is not there.
        DataError: No face was found, the source cannot be used, or there is no gallery.
        WeightsError: The gallery is of another recogniser.
    """
    crowd = Crowd(settings.read.align.detector, settings.crowd)
    film = Film(path, settings.read.max_pixels) if is_film(path) else None
    if film is not None and settings.out is not None:
        check_codec(settings.film.codec)
    namer = opened()
    namer.name([np.full((FACE_SIZE, FACE_SIZE, 3), _GREY, np.uint8)], asked=settings.asked)
    if film is not None:
        _identify_film(settings, context, namer, crowd, film)
    else:
        _identify_photographs(settings, context, namer, crowd, path)


def _identify_photographs(settings: GallerySettings, context: Context, namer: Namer, crowd: Crowd, path: Path) -> None:
    report, rows, read = Report(), list[dict[str, object]](), 0
    without, notes = list[str](), dict[str, None]()
    with tempfile.TemporaryDirectory() as scratch:
        for name, image in read_photographs(path, settings.read, report):
            read += 1
            found = crowd.find(image)
            for note in found.notes:
                context.terminal.finding("warning", "faces", f"{name}: {note}")
            faces = name_faces(namer, found.faces, settings.asked)
            rows += [{"picture": name, "face": number} | face.row() for number, face in enumerate(faces, 1)]
            notes |= dict.fromkeys(face.note for face in faces if face.note)
            if not faces:
                without.append(name)
            elif settings.out is not None:
                target = Path(scratch) / "annotated" / f"{name}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(labelled(image, faces)).save(target)
        tell_skipped(report, context)
        if not rows:
            raise _nobody(f"photographs {path}", f"{read} photographs" if read != 1 else "a photograph")
        if without:
            names = f"{', '.join(without[:_SHOWN])}{' ...' if len(without) > _SHOWN else ''}"
            context.terminal.line(f"no face in {len(without)} of {read} photographs: {names}")
        show_table(
            pd.DataFrame(rows), "identified.csv", settings.out, context, hidden=("left", "top", "named_as", "note")
        )
        _tell_notes(list(notes), context)
        context.terminal.result(_summary([str(row["name"]) for row in rows], f"faces of {read} photographs"))
        _keep(Path(scratch), settings.out, context)


def _identify_film(settings: GallerySettings, context: Context, namer: Namer, crowd: Crowd, film: Film) -> None:
    path = film.path
    with context.terminal.progress(f"looking through {path.name}") as tick:
        watched = video.watch(film, crowd, namer, settings.film, tick)
    for note in watched.notes:
        context.terminal.finding("warning", "film", note)
    named = video.name_tracks(namer, watched.tracks, settings.asked)
    if not named:
        raise _nobody(f"film {path}", f"{watched.frames} frames")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [item.row(film.rate) for item in named]
        show_table(pd.DataFrame(rows), "tracks.csv", settings.out, context, hidden=("from", "to", "note"))
        _tell_notes(list(dict.fromkeys(item.named.note for item in named if item.named.note)), context)
        context.terminal.result(_summary([item.named.name for item in named], f"faces in {watched.frames} frames"))
        if settings.out is not None:
            target = Path(scratch) / f"{path.stem}.annotated{CODECS[settings.film.codec]}"
            with context.terminal.progress("writing the annotated film") as tick:
                video.write_annotated(film, named, target, settings.film.codec, tick)
        _keep(Path(scratch), settings.out, context)


def _nobody(what: str, got: str) -> DataError:
    return DataError(
        what,
        got=f"{got} without a face that YuNet finds",
        expected="one face or more",
        remedy="look at it; lower crowd.smallest for smaller faces, or read.align.detector.score for fainter ones",
    )


def tell_skipped(report: Report, context: Context) -> None:
    """Tell what was left out of a reading and what was skipped."""
    for line in report.notes:
        context.terminal.line(line)
    for problem in report.problems:
        context.terminal.line(f"skipped: {problem.reason}")


def _tell_notes(notes: Sequence[str], context: Context) -> None:
    for note in notes:
        context.terminal.line(note)


def _summary(names: Sequence[str], what: str) -> str:
    known = [name for name in names if name != UNKNOWN]
    return f"{len(names)} {what}: {len(known)} named, {len(names) - len(known)} unknown"


def _keep(scratch: Path, out: str | None, context: Context) -> None:
    if out is None:
        context.terminal.line("out=FOLDER keeps the table, and the pictures with boxes and names")
        return
    copy_out(scratch, out)
