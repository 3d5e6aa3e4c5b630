"""`gallery`: enrol people, list them, name faces, remove somebody for good, take galleries in and out.

Nothing of it is tracked: names and templates have no place in an experiment's records.
"""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import GallerySettings, NamingJobSettings
from lrface.data.checks.findings import Finding
from lrface.data.pictures import Picture, read_people, read_pictures
from lrface.data.source import Report
from lrface.errors import ConfigError, DataError
from lrface.jobs.shared.networks import load_one_pair, working_pair
from lrface.jobs.shared.operating_points import points_of_pair
from lrface.jobs.shared.sighting import identify_everybody, is_film, tell_skipped
from lrface.jobs.shared.tables import show_table
from lrface.models.pair import BATCH, Pair
from lrface.naming.asked import AUTO, FIXED
from lrface.naming.gallery.entry import KEY, check_name
from lrface.naming.gallery.exchange import export_gallery, import_gallery
from lrface.naming.gallery.gallery import Gallery
from lrface.naming.gallery.likeness import LOOK_ALIKE, look_alikes, parted, template_of
from lrface.naming.gallery.place import LOCATION, gallery_at
from lrface.naming.namer import Namer
from lrface.naming.operating_points import OperatingPoints
from lrface.naming.side import sized
from lrface.tracking.registry.licences import terms_of
from lrface.tracking.runs.run import Run


def run(settings: GallerySettings, context: Context, parent: Run | None = None) -> None:  # noqa: ARG001
    """Do what `action` says.

    Raises:
        ConfigError: A parameter that the action needs is missing.
        DataError: Pictures, names or the gallery cannot be used.
        WeightsError: The gallery is of another recogniser.
    """
    ACTIONS[settings.action](settings, context, open_gallery(settings.gallery, context))


_DIGITS = {"score": 3, "margin": 3, "side": 1, "threshold": 3, "came_as": 0}


def open_gallery(named: str | None, context: Context) -> Gallery:
    """The gallery that the settings name, else the environment, else the project's own file."""
    return gallery_at(named or os.environ.get(LOCATION) or str(context.root / "mlruns" / "gallery.parquet"))


def _enrol(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    path, report = _source(settings), Report()
    pictures, findings = read_people(path, settings.read, settings.checks, report)
    _tell(report, path, findings, pictures, context)
    for name in {picture.person for picture in pictures}:
        check_name(name)
    pair = _pair(settings, context)
    embeddings = _embedded(pair, pictures, settings)
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, picture in enumerate(pictures):
        rows[picture.person].append(row)
    people = {name: embeddings[places] for name, places in rows.items()}
    known = {name: [pictures[row].measured.sha256 for row in places] for name, places in rows.items()}
    files = {name: [pictures[row].name for row in places] for name, places in rows.items()}
    _tell_parted(files, people, settings, context)
    _tell_look_alikes(gallery, people, pair.weights, context)
    for name, done in gallery.enrol(people, pair.weights, known).items():
        again = f" ({done.again} of those given were there already, and count once)" if done.again else ""
        context.terminal.result(f"{name}: {done.images} pictures{again}")
    context.terminal.result(f"{len(people)} people enrolled in {gallery.place}, by recogniser {pair.weights[:12]}")


def _list(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    about = gallery.about()
    if about is None:
        context.terminal.result(f"{gallery.place}: nobody was ever enrolled")
        return
    context.terminal.result(f"{gallery.place}: templates of recogniser {about.weights}")
    for weights in about.compatible:
        context.terminal.result(f"declared compatible: {weights}")
    table = pd.DataFrame(
        [
            {
                "key": entry.key,
                "name": entry.name,
                "pictures": entry.images,
                "added": entry.added.date().isoformat(),
                "changed": entry.changed.date().isoformat(),
            }
            for entry in gallery.entries()
        ],
        columns=["key", "name", "pictures", "added", "changed"],
    )
    show_table(table, "people.csv", settings.out, context)


def _identify(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    path, report = _source(settings), Report()
    if settings.detect or is_film(path):
        if settings.probes == "folders":
            raise ConfigError(
                "probes",
                got="folders, of photographs or a film in which every face is looked for",
                expected="probes=files there, or detect=false",
                remedy="leave one of them out",
            )
        identify_everybody(settings, context, path, lambda: open_namer(settings, context, gallery))
        return
    pictures, findings = read_pictures(path, settings.read, settings.checks, report)
    _tell(report, path, findings, pictures, context)
    namer = open_namer(settings, context, gallery)
    faces = namer.sized([picture.pixels for picture in pictures], [picture.side for picture in pictures])
    embeddings = namer.embed([face.pixels for face in faces])
    sides = [face.side for face in faces]
    if settings.probes == "folders":
        _identify_folders(pictures, embeddings, sides, namer, settings, context)
        return
    named = namer.name_embedded(embeddings, sides, settings.asked)
    columns = ("name", "score", "margin", "side", "threshold", "rate")
    table = pd.DataFrame(
        [
            {"picture": picture.name, **{column: getattr(item, column) for column in columns}, "came_as": face.came_as}
            for picture, item, face in zip(pictures, named, faces, strict=True)
        ]
    )
    show_table(table.round(_DIGITS), "identified.csv", settings.out, context)
    _tell_enlarged(sum(bool(face.note) for face in faces), len(faces), context)
    for note in dict.fromkeys(item.note for item in named if item.note):
        context.terminal.line(note)


def _identify_folders(
    pictures: list[Picture],
    embeddings: np.ndarray,
    sides: list[float],
    namer: Namer,
    settings: GallerySettings,
    context: Context,
) -> None:
    """Names each folder: its pictures are one probe."""
    if loose := next((picture for picture in pictures if not picture.person), None):
        raise DataError(
            f"probes in {settings.source}",
            got=f"{loose.name}, which lies in no folder",
            expected="a folder of pictures for each person with probes=folders",
            remedy="put it into one, or give probes=files",
        )
    named = namer.name_tracks(embeddings, sides, [picture.person for picture in pictures], settings.asked)
    rows = [
        {
            "folder": pictures[track.rows[0]].person,
            **{column: getattr(item, column) for column in ("name", "score", "margin", "side", "threshold", "rate")},
            "pictures": len(track.rows),
            "odd": len(track.odd),
        }
        for track, item in named
    ]
    show_table(pd.DataFrame(rows).round(_DIGITS), "identified.csv", settings.out, context)
    odd = [pictures[row].name for track, _ in named for row in track.odd]
    if odd:
        shown = ", ".join(odd[:5]) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
        cause = f"{len(odd)} pictures are not like the others of their folder, and hardly count: {shown}"
        context.terminal.finding("warning", "odd_pictures", cause, "look whether they show somebody else")
    for note in dict.fromkeys(item.note for _, item in named if item.note):
        context.terminal.line(note)


def _tell_enlarged(count: int, total: int, context: Context) -> None:
    if count:
        context.terminal.line(
            f"{count} of {total} faces are smaller than they came as: side is how large they are, came_as how large "
            "the picture was; estimate_side=false takes each as it came"
        )


def _remove(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    person = _needed(settings.person, "person", "remove")
    if context.store.launch.run_id is not None and not KEY.fullmatch(person):
        raise ConfigError(
            "person",
            got="a name in a parameter of `mlflow run`, which MLflow has recorded with the run",
            expected="the key that action=list shows",
            remedy="give the key, or call lrface gallery, without mlflow run; delete the run of this call",
        )
    removed = gallery.remove(person)
    context.terminal.result(f"removed {removed.key} ({removed.images} pictures) from {gallery.place}")
    context.terminal.result("exported files, backups and the photographs themselves are not touched")


def _export(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    path = Path(_needed(settings.source, "source", "export"))
    context.terminal.result(f"{export_gallery(gallery, path)} people exported to {path}")


def _import(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    path = Path(_needed(settings.source, "source", "import"))
    context.terminal.result(f"{import_gallery(gallery, path)} people imported into {gallery.place}")


def _accept(settings: GallerySettings, context: Context, gallery: Gallery) -> None:
    recogniser, _ = load_one_pair(settings, context)
    gallery.accept(recogniser.sha256)
    context.terminal.result(
        f"probes of {recogniser.origin} (recogniser {recogniser.sha256[:12]}) are compared with {gallery.place} from "
        "now on; measure first what that costs (arm old_gallery of `evaluate`)"
    )


def _pair(settings: GallerySettings, context: Context) -> Pair:
    return _loaded(settings, context)[0]


def _loaded(settings: NamingJobSettings, context: Context) -> tuple[Pair, OperatingPoints | None]:
    recogniser, resolver = load_one_pair(settings, context)
    context.terminal.result(f"licence of {recogniser.origin}: {recogniser.licence} ({terms_of(recogniser.licence)})")
    return working_pair(recogniser, resolver, context), points_of_pair(settings, recogniser, resolver, context)


def open_namer(settings: NamingJobSettings, context: Context, gallery: Gallery) -> Namer:
    """Load the pair of the settings with its operating points, before a gallery."""
    pair, points = _loaded(settings, context)
    return Namer(pair, gallery, points, estimate_side=settings.estimate_side)


def _source(settings: GallerySettings) -> Path:
    return given_path(_needed(settings.source, "source", settings.action))


def _tell(report: Report, path: Path, findings: list[Finding], pictures: list[Picture], context: Context) -> None:
    """Tell what was left out and skipped, and what the checks found."""
    tell_skipped(report, context)
    for finding in findings:
        context.terminal.finding(finding.severity, finding.kind, finding.told, finding.remedy)
    if not pictures:
        raise DataError(
            f"pictures {path}", got="none that could be used", expected="faces", remedy="see the lines above"
        )


def _tell_parted(
    files: dict[str, list[str]], people: dict[str, np.ndarray], settings: GallerySettings, context: Context
) -> None:
    """Tell of whom the pictures fall into groups that are not alike: the folder may hold several people."""
    for name, embeddings in people.items():
        groups = parted(embeddings, FIXED if settings.threshold == AUTO else float(settings.threshold))
        if len(groups) > 1:
            examples = ", ".join(files[name][group[0]] for group in groups[:5])
            cause = f"the pictures of {name} fall into {len(groups)} groups that are not alike, one of each: {examples}"
            remedy = (
                "look whether they show one person; if not, remove this one and enrol again, from pictures sorted by"
                f" person, or with {name} as the source where its folders are the people"
            )
            context.terminal.finding("warning", "several_people", cause, remedy)


def _tell_look_alikes(gallery: Gallery, people: dict[str, np.ndarray], weights: str, context: Context) -> None:
    """Tell who may be enrolled under two names: now, or beside those who are there."""
    templates = {name: template_of(embeddings) for name, embeddings in people.items()}
    pairs = look_alikes(templates)
    about = gallery.about()
    if about is not None and about.weights == weights:  # of others the enrolment itself says what is wrong
        matches = gallery.identify(np.stack(list(templates.values())), weights, LOOK_ALIKE)
        there = zip(templates, matches, strict=True)
        pairs += [
            (name, match.name, match.score)
            for name, match in there
            if match.score is not None and match.score >= LOOK_ALIKE and match.name not in people
        ]
    if pairs:
        examples = ", ".join(f"{one} and {other} ({cosine:.2f})" for one, other, cosine in pairs[:5])
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        cause = f"{len(pairs)} pairs of people look like one person under two names: {examples}{more}"
        context.terminal.finding("warning", "look_alikes", cause, "look at them; if so, remove one of the two")


def _embedded(pair: Pair, pictures: list[Picture], settings: GallerySettings) -> np.ndarray:
    shown = sized(
        [picture.pixels for picture in pictures],
        [picture.side for picture in pictures],
        estimate=settings.estimate_side,
    )
    parts = [shown[start : start + BATCH] for start in range(0, len(shown), BATCH)]
    return np.concatenate([pair.embed(pair.restore([face.pixels for face in part])) for part in parts])


def _needed(value: str | None, name: str, action: str) -> str:
    if value is None:
        raise ConfigError(name, got="nothing", expected=f"a value for action={action}", remedy=f"give {name}")
    return value


ACTIONS: dict[str, Callable[[GallerySettings, Context, Gallery], None]] = {
    "enrol": _enrol,
    "list": _list,
    "identify": _identify,
    "remove": _remove,
    "export": _export,
    "import": _import,
    "accept": _accept,
}
