"""The pack that a job reads, and the rows of it that each training takes."""

import hashlib
import json
from pathlib import Path

import numpy as np

from lrface.data.folder import FolderSource
from lrface.data.pack import Pack, open_pack
from lrface.data.pack_writer import PackWriter
from lrface.data.procedural import ProceduralSource
from lrface.data.settings import DataSettings, FolderData, PackData, ProceduralData
from lrface.data.source import Report, Source
from lrface.data.splits import Row, SplitSettings, make_splits, summarize
from lrface.errors import DataError
from lrface.jobs.command import Context
from lrface.training.dsr import DsrData
from lrface.training.edgeface import EdgeFaceData
from lrface.training.validation import validation_set


def pack_for(data: DataSettings, context: Context) -> Pack:
    """Open the pack of a source, and make it first where it is not there yet."""
    if isinstance(data, PackData):
        return open_pack(Path(data.source))
    target = context.packs / _name(data)
    if (target / "pack.json").is_file():
        return open_pack(target)
    source: Source
    if isinstance(data, FolderData):
        source, splits, licence, terms = FolderSource(data.source, data.read), data.splits, data.licence, data.terms
    else:
        source, splits, licence, terms = ProceduralSource(data.faces), data.splits, "CC0-1.0", "none: nobody is shown"
    return _write(source, splits, target, licence, terms, context)


def _write(
    source: Source, splits: SplitSettings, target: Path, licence: str, terms: str, context: Context
) -> Pack:
    report = Report()
    with PackWriter(target) as writer, context.terminal.progress("prepare") as progress:
        total = source.count() or 0
        for face in source.items(report):
            writer.append(face)
            progress(len(writer), total)
        table = writer.table()
        rows = [
            Row(subject=row.subject, group=row.sha256, superres=row.superres, recognition=row.recognition)
            for row in table.itertuples()
        ]
        dealt = make_splits(rows, splits)
        for line in summarize(list(table["subject"]), dealt).lines():
            context.terminal.line(line)
        for problem in report.problems:
            context.terminal.line(f"skipped {problem.source}: {problem.reason}")
        return writer.commit(
            dealt.superres, dealt.recognition, made={"source": source.describe()}, licence=licence, terms=terms
        )


def pack_for_test(data: DataSettings, context: Context) -> Pack:
    """The pack that an evaluation reads: of a source that is no pack, every subject is a test subject."""
    if isinstance(data, FolderData):
        data = data.model_copy(update={"splits": data.splits.model_copy(update={"all_test": True})})
    return pack_for(data, context)


def _name(data: ProceduralData | FolderData) -> str:
    """A name that changes when the source or the way it is read changes."""
    description = data.model_dump(mode="json")
    if isinstance(data, FolderData):
        root = Path(data.source).expanduser()
        files = sorted(
            (str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in root.rglob("*")
            if path.is_file()
        )
        description["files"] = files
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    stem = "procedural" if isinstance(data, ProceduralData) else Path(data.source).expanduser().resolve().name
    return f"{stem}-{digest[:12]}"


def super_resolution_data(pack: Pack, images_per_epoch: int, extra_share: float, val_faces: int) -> DsrData:
    """Rows for `train_dsr`: people of the train split, judged on people of the val split.

    Raises:
        DataError: One of the two is empty.
    """
    train, val = pack.rows(superres="train"), pack.rows(superres="val")
    for name, rows in (("train", train), ("val", val)):
        if not len(rows):
            raise DataError(
                f"pack {pack.root}",
                got=f"no faces in the {name} split",
                expected="people to train on and others to judge by",
                remedy="prepare it with other fractions, or give more people",
            )
    people = pack.labels(val)[0]
    return DsrData(
        faces=pack.faces,
        groups=(train,),
        shares=(1.0,),
        images_per_epoch=images_per_epoch,
        validation=validation_set(pack.faces, val, people, val_faces),
    )


def recognition_data(pack: Pack, images_per_epoch: int, val_faces: int) -> EdgeFaceData:
    """Rows for `pretrain` and `finetune`: images of the same people for training and for validation.

    Raises:
        DataError: The pack has no recognition split.
    """
    train, val = pack.rows(recognition="train"), pack.rows(recognition="val")
    if not len(train) or not len(val):
        raise DataError(
            f"pack {pack.root}",
            got=f"{len(train)} training and {len(val)} validation images for recognition",
            expected="some of each",
            remedy="give at least 5 images of each person, or lower splits.recognition_min_images",
        )
    labels, names = pack.labels(train)
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number[name] for name in pack.subjects(val)], dtype=np.int64)
    return EdgeFaceData(
        faces=pack.faces,
        rows=train,
        people=labels,
        images_per_epoch=images_per_epoch,
        validation=validation_set(pack.faces, val, people, val_faces),
    )
