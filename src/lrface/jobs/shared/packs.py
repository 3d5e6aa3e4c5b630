"""The pack that a job reads, and the rows of it that each training takes."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.data.checks.findings import told as told_again
from lrface.data.faces.yunet import read_weights
from lrface.data.files.contents import contents
from lrface.data.pack.pack import INFO_FILE, Pack, open_pack
from lrface.data.pack.remote.opening import open_streamed_pack
from lrface.data.pack.remote.s3 import is_s3
from lrface.data.prepare import Summary, prepare
from lrface.data.settings import AnyImageData, DataSettings, PackData, ProceduralData
from lrface.data.source import Source
from lrface.data.sources.kinds import DRAWN, source_of
from lrface.errors import DataError
from lrface.training.dsr import DsrData
from lrface.training.edgeface import EdgeFaceData
from lrface.training.validation import validation_set

_READING = 3
"""Raised where the same files and settings come to other faces than before."""


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
    name = _name(data, source, context)
    target = context.packs / name
    pack = _made_before(target, context)
    if pack is not None:
        context.terminal.line(f"prepare: {target.name} is of the same files and settings, and is taken")
        summary = pack.info.made.get("summary", {})
        for line in summary.get("notes", ()):
            context.terminal.line(f"prepare: {line}")
        for told in summary.get("findings", ()):
            words = told_again(told["message"], told["examples"], told["count"])
            context.terminal.finding(told["severity"], told["kind"], words, told.get("remedy", ""))
        return pack, None

    def unchanged() -> None:
        if _name(data, source, context) != name:
            raise DataError(
                f"source of pack {name}",
                got="files that changed while they were read",
                expected="a source that stays as it is meanwhile",
                remedy="start the same command again",
            )

    with context.terminal.progress("prepare") as progress:
        pack, summary = prepare(
            source,
            target,
            data.splits,
            data.checks,
            licence=licence,
            terms=terms,
            overwrite=True,  # what is there under this name is damaged
            progress=progress,
            before_it_appears=unchanged,
        )
    for line in summary.lines():
        context.terminal.line(f"prepare: {line}")
    for finding in summary.findings:
        context.terminal.finding(finding.severity, finding.kind, finding.told, finding.remedy)
    return pack, summary


def _made_before(target: Path, context: Context) -> Pack | None:
    """The pack that is there already, if it is whole."""
    if not (target / INFO_FILE).is_file():
        return None
    try:
        return open_pack(target)
    except DataError as error:
        context.terminal.line(f"prepare: made again, since it is damaged: {error}")
        return None


def data_digest(data: DataSettings, context: Context) -> str:
    """What tells one state of a source from another: a hash of all that decides about its pack, or a pack's digest.

    Raises:
        DataError: The source is bad, or the pack cannot be read.
    """
    if isinstance(data, PackData):
        return _open(data, context).digest
    return _name(data, source_of(data), context)


def _open(data: PackData, context: Context) -> Pack:
    if not is_s3(data.source):
        return open_pack(given_path(data.source))
    cache = context.root / "mlruns" / "cache" if data.cache is None else given_path(data.cache)
    return open_streamed_pack(data.source, cache, int(data.cache_gb * 1e9))


def pack_for_test(data: DataSettings, context: Context) -> Pack:
    """The pack that an evaluation reads: of a source that is no pack, every subject is a test subject."""
    if not isinstance(data, ProceduralData | PackData):
        splits = data.splits.model_copy(update={"all_test": True})
        data = data.model_copy(update={"splits": splits, "drawn": None})
    return pack_for(data, context)


def _name(data: ProceduralData | AnyImageData, source: Source, context: Context) -> str:
    """A name that changes when what is read changes, or the way it is read, and at no other time."""
    description = data.model_dump(mode="json")
    description["reading"] = _READING
    if isinstance(data, ProceduralData):
        stem = "procedural"
    else:
        place = given_path(data.source).resolve()
        stem, root = place.name, place if place.is_dir() else place.parent
        # The detector counts by its content, not by its place, and who reads not at all.
        read = description["read"]
        read.pop("workers")
        read.pop("cluster")
        if read["align"]["detector"].pop("weights"):
            weights = read_weights(data.read.align.detector)
            read["align"]["detector"]["sha256"] = hashlib.sha256(weights).hexdigest()
        key = hashlib.sha256(str(place).encode(errors="surrogateescape")).hexdigest()[:16]
        index = context.root / "mlruns" / "cache" / "contents" / f"{key}.parquet"
        with context.terminal.progress("hash files") as progress:
            description["files"] = contents(source.files(), root, index, progress)
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()
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
            remedy="give at least 5 images of each person, or lower data.splits.recognition_min_images",
        )
    labels, names = pack.labels(train)
    number = {name: place for place, name in enumerate(names)}
    people = np.array([number[name] for name in pack.subjects(val)], dtype=np.int64)
    enrolled = np.unique(labels, return_index=True)[1]
    return EdgeFaceData(
        pack=pack,
        rows=train,
        people=labels,
        images_per_epoch=images_per_epoch,
        validation=validation_set(
            pack.faces, val, people, val_faces, gallery=(train[enrolled], labels[enrolled]), vlr=pack.vlr
        ),
    )


def apart_data(pack: Pack, images_per_epoch: int, val_faces: int) -> EdgeFaceData:
    """Rows for `finetune`: every image of the people of the train split, judged on those of the val split alone.

    Raises:
        DataError: Nobody to train on, or fewer than two people with two images to judge by.
    """
    train, val = pack.rows(superres="train"), pack.rows(superres="val")
    train = train[pack.manifest["recognition"].to_numpy()[train] != "none"]
    people = pack.labels(val)[0] if len(val) else np.zeros(0, np.int64)
    if not len(train) or (np.bincount(people) > 1).sum() < 2:
        raise DataError(
            f"pack {pack.location}",
            got=f"{len(train)} training images, and {len(val)} validation images of {len(np.unique(people))} people",
            expected="people to train on, and two or more others with two images each to judge by",
            remedy="give more people, a larger data.splits.val_subjects, or val_people=known",
        )
    return EdgeFaceData(
        pack=pack,
        rows=train,
        people=pack.labels(train)[0],
        images_per_epoch=images_per_epoch,
        validation=validation_set(pack.faces, val, people, val_faces, vlr=pack.vlr),
        judged_apart=True,
    )


def rows_of_some_people(
    rows: Int64[np.ndarray, " n"], subjects: Sequence[str] | np.ndarray, most: int
) -> Int64[np.ndarray, " k"]:
    """Every row of some people, evenly spaced among all, who together have about `most` rows; two people at least.

    Args:
        rows: Rows of a pack.
        subjects: Whose each row is.
        most: How many rows are wanted.
    """
    people, owner = np.unique(np.asarray(subjects), return_inverse=True)
    if len(rows) <= most:
        return rows
    kept = min(len(people), max(2, len(people) * most // len(rows)))
    chosen = np.unique(np.linspace(0, len(people) - 1, kept).round().astype(np.int64))
    return rows[np.isin(owner, chosen)]
