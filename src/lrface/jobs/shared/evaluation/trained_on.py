"""Test people must have been in no training: found out by their faces, whatever pack or folder they now come in."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
from jaxtyping import Int64

from lrface.cli.context import Context
from lrface.data.pack.manifest import read_manifest
from lrface.data.pack.pack import INFO_FILE, MANIFEST_FILE, Pack, PackInfo
from lrface.errors import DataError, EvaluationError
from lrface.jobs.shared.networks import AnyRecogniser, SuperResolver
from lrface.tracking.registry.ancestry import packs_behind


def untrained_rows(
    pack: Pack, networks: Sequence[AnyRecogniser | SuperResolver], context: Context
) -> Int64[np.ndarray, " n"]:
    """The test rows of those people of whom no network, nor any that it was made of, has learnt a face.

    A pack that networks were trained on keeps its own test people apart. Any other may hold the same pictures again, as
    a folder does of which all are test people: then people with a face that was trained on, the same to the pixel, are
    left out, and it is told. A pack that is not there any more is told as well.

    Raises:
        EvaluationError: Fewer than two people are left.
    """
    rows = pack.rows(superres="test")
    known = known_faces(networks, context, pack.digest)
    if not known or not len(rows):
        return rows
    sha256, people = pack.manifest["sha256"].to_numpy()[rows], pack.subjects(rows)
    trained = np.unique(people[[face in known for face in sha256]])
    if not len(trained):
        return rows
    kept = rows[~np.isin(people, trained)]
    left = len(np.unique(people)) - len(trained)
    if left < 2:
        raise EvaluationError(
            f"test people of {pack.location}",
            got=f"{len(trained)} of {left + len(trained)} with faces that the networks were trained on",
            expected="two people or more who were in no training",
            remedy="give other people, or the pack of the training, which keeps its test people apart (data=pack)",
        )
    context.terminal.finding(
        "warning",
        "trained_on",
        f"{len(trained)} of {left + len(trained)} test people have faces that the networks were trained on, and are "
        "left out",
        "give other people, or the pack of the training, which keeps its test people apart (data=pack)",
    )
    return kept


def known_faces(networks: Sequence[AnyRecogniser | SuperResolver], context: Context, but: str = "") -> frozenset[str]:
    """Hashes of the faces that networks, or any that these were made of, have learnt from; of packs but one.

    A pack that is not there any more is told.
    """
    versions = [item.version for item in networks if item.version is not None]
    known: set[str] = set()
    for digest, place in packs_behind(context.store, versions).items():
        if digest == but:
            continue
        manifest = _manifest(digest, place, context)
        if manifest is None:
            context.terminal.line(
                f"test people are not held against the faces of pack {digest[:12]}, which networks were trained on and "
                "which is not here"
            )
            continue
        learnt = manifest["superres"].isin(("train", "val")) | manifest["recognition"].isin(("train", "val"))
        known.update(manifest.loc[learnt, "sha256"])
    return frozenset(known)


def _manifest(digest: str, place: str, context: Context) -> pd.DataFrame | None:
    """The manifest of a pack, by its digest among those of the project, or where it lay; None where it is not there."""
    parts = urlsplit(place)
    there = [Path(unquote(parts.path))] if parts.scheme == "file" else []
    for folder in (*there, *(path.parent for path in sorted(context.packs.glob(f"*/{INFO_FILE}")))):
        try:
            if PackInfo.model_validate_json((folder / INFO_FILE).read_bytes()).digest == digest:
                return read_manifest(folder / MANIFEST_FILE)
        except (OSError, ValueError, DataError):  # gone or damaged: another place may have it
            continue
    return None
