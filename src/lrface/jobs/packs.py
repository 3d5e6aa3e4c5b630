"""The pack that a job reads, and the rows of it that each training takes."""

import hashlib
import json
from pathlib import Path

import numpy as np

from lrface.data.kinds import DRAWN, source_of
from lrface.data.pack import Pack, open_pack
from lrface.data.prepare import Summary, prepare
from lrface.data.s3 import is_s3
from lrface.data.settings import AnyImageData, DataSettings, PackData, ProceduralData
from lrface.data.streamed_pack import open_streamed_pack
from lrface.errors import DataError
from lrface.jobs.context import Context
from lrface.training.dsr import DsrData
from lrface.training.edgeface import EdgeFaceData
from lrface.training.validation import validation_set


def pack_for(data: DataSettings, context: Context) -> Pack:
    """Open the pack of a source, and make it first where it is not there yet."""
    return make_pack(data, context)[0]


def make_pack(data: DataSettings, context: Context) -> tuple[Pack, Summary | None]:
    """As `pack_for`, with the summary where the pack was made just now.

    Raises:
        DataError: The source is bad, a check found an error, or the pack cannot be read or written.
    """
    if isinstance(data, PackData):
        return _open(data, context), None
    source = source_of(data)
    licence, terms = ("CC0-1.0", "nobody is shown") if isinstance(data, ProceduralData) else (data.licence, data.terms)
    target = context.packs / _name(data)
    if (target / "pack.json").is_file():
        return open_pack(target), None
    with context.terminal.progress("prepare") as progress:
        pack, summary = prepare(
            source, target, data.splits, data.checks, licence=licence, terms=terms, progress=progress
        )
    for line in summary.lines():
        context.terminal.line(f"prepare: {line}")
    for finding in summary.findings:
        context.terminal.finding(finding.severity, finding.kind, finding.message)
    return pack, summary


def _open(data: PackData, context: Context) -> Pack:
    if not is_s3(data.source):
        return open_pack(Path(data.source).expanduser())
    cache = context.root / "mlruns" / "cache" if data.cache is None else Path(data.cache).expanduser()
    return open_streamed_pack(data.source, cache, int(data.cache_gb * 1e9))


def pack_for_test(data: DataSettings, context: Context) -> Pack:
    """The pack that an evaluation reads: of a source that is no pack, every subject is a test subject."""
    if not isinstance(data, ProceduralData | PackData):
        splits = data.splits.model_copy(update={"all_test": True})
        data = data.model_copy(update={"splits": splits, "drawn": None})
    return pack_for(data, context)


def _name(data: ProceduralData | AnyImageData) -> str:
    """A name that changes when the source or the way it is read changes."""
    description = data.model_dump(mode="json")
    if not isinstance(data, ProceduralData):
        root = Path(data.source).expanduser()
        description["files"] = sorted(
            (str(path.relative_to(root)), path.stat().st_size, path.stat().st_mtime_ns)
            for path in ([root] if root.is_file() else root.rglob("*"))
            if path.is_file()
        )
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
    stem = "procedural" if isinstance(data, ProceduralData) else Path(data.source).expanduser().resolve().name
    return f"{stem}-{digest[:12]}"


def super_resolution_data(pack: Pack, images_per_epoch: int, drawn_share: float, val_faces: int) -> DsrData:
    """Rows for `train_dsr`: people of the train split, judged on people of the val split.

    Raises:
        DataError: One of the two is empty.
    """
    train, val = pack.rows(superres="train"), pack.rows(superres="val")
    for name, rows in (("train", train), ("val", val)):
        if not len(rows):
            raise DataError(
                f"pack {pack.location}",
                got=f"no faces in the {name} split",
                expected="people to train on and others to judge by",
                remedy="prepare it with other fractions, or give more people",
            )
    people = pack.labels(val)[0]
    drawn = pack.manifest["source"].str.startswith(f"{DRAWN}/").to_numpy()[train]
    return DsrData(
        pack=pack,
        groups=(train[~drawn], train[drawn]),
        shares=(1 - drawn_share, drawn_share),
        images_per_epoch=images_per_epoch,
        validation=validation_set(pack.faces, val, people, val_faces, vlr=pack.vlr),
    )


def recognition_data(pack: Pack, images_per_epoch: int, val_faces: int) -> EdgeFaceData:
    """Rows for `pretrain` and `finetune`: images of the same people for training and for validation.

    Raises:
        DataError: The pack has no recognition split.
    """
    train, val = pack.rows(recognition="train"), pack.rows(recognition="val")
    if not len(train) or not len(val):
        raise DataError(
            f"pack {pack.location}",
            got=f"{len(train)} training and {len(val)} validation images for recognition",
            expected="some of each",
            remedy="give at least 5 images of each person, or lower splits.recognition_min_images",
        )
    labels, names = pack.labels(train)
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number[name] for name in pack.subjects(val)], dtype=np.int64)
    enrolled = np.unique(labels, return_index=True)[1][: max(2, val_faces)]
    return EdgeFaceData(
        pack=pack,
        rows=train,
        people=labels,
        images_per_epoch=images_per_epoch,
        validation=validation_set(
            pack.faces, val, people, val_faces, gallery=(train[enrolled], labels[enrolled]), vlr=pack.vlr
        ),
    )
