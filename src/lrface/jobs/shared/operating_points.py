"""Operating points of a pair, from the calibration people of a protocol; and those that came with one."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import OnePairSettings
from lrface.data.pack.pack import Pack
from lrface.evaluation.protocol.conditions import CLEAN, described
from lrface.evaluation.protocol.feeding import fed
from lrface.evaluation.protocol.protocol import Part, Protocol
from lrface.images.degradation.resample import shrink
from lrface.images.ranges import to_uint8
from lrface.jobs.shared.networks import NONE, AnyRecogniser, SuperResolver, working_pair
from lrface.models.pair import BATCH, Pair
from lrface.naming.calibration import CalibrationFaces, Origin, calibrate, nothing
from lrface.naming.operating_points import OperatingPoints, read_points
from lrface.naming.settings import PointsSettings
from lrface.tracking.names import PAIR
from lrface.tracking.registry.versions import download, is_registry_uri, resolve


def operating_points(
    pack: Pack,
    protocol: Protocol,
    recogniser: AnyRecogniser,
    resolver: SuperResolver | None,
    settings: PointsSettings,
    context: Context,
    seed: int = 0,
) -> OperatingPoints:
    """Calibrate a pair as it is served: on pictures of 8 bits, enlarged as it enlarges them.

    The people are those of the protocol who choose the threshold; nobody of them is reported on.
    """
    origin = Origin(recogniser.sha256, resolver.sha256 if resolver else NONE, pack.digest, described(CLEAN))
    part = _limited(protocol.calibration, settings.faces)
    if not part.rows:
        words = (
            "calibration was turned off" if not settings.faces else "too few: the protocol has no calibration people"
        )
        return nothing(origin, words)
    pair = working_pair(recogniser, resolver, context)
    faces = _embedded(pair, pack, part, protocol.settings.gallery_images, settings.sides, context)
    return calibrate(faces, origin, seed=seed)


def _limited(part: Part, most: int) -> Part:
    """Whole people, in order, while they fit."""
    if len(part) <= most:
        return part
    counts = dict.fromkeys(part.names, 0)
    for name in part.subjects:
        counts[name] += 1
    kept, left = set[str](), most
    for name, count in counts.items():
        if count <= left:
            kept.add(name)
            left -= count
    pairs = [(row, name) for row, name in zip(part.rows, part.subjects, strict=True) if name in kept]
    return Part(tuple(row for row, _ in pairs), tuple(name for _, name in pairs))


def _embedded(
    pair: Pair, pack: Pack, part: Part, enrolled: int, sides: Sequence[int], context: Context
) -> CalibrationFaces:
    """Embed the people in HR and at every side; a template is of the first pictures of each."""
    number = {name: place for place, name in enumerate(part.names)}
    people = np.array([number[name] for name in part.subjects])
    order = np.argsort(part.rows, kind="stable")
    people = people[order]
    rows = np.array(part.rows)[order]
    high: list[np.ndarray] = []
    small: dict[float, list[np.ndarray]] = {float(side): [] for side in sides}
    with context.terminal.progress("calibrate") as progress:
        batches = -(-len(rows) // BATCH)
        for done, (_, images) in enumerate(fed(pack.faces, rows, BATCH, context.device), start=1):
            high.append(pair.embed(images))
            for side in sides:
                high_enough = side == images.shape[-1]
                pictures = list(to_uint8(images if high_enough else shrink(images, side)))
                small[float(side)].append(pair.embed(pair.restore(pictures)))
            progress(done, batches)
    embedded = np.concatenate(high)
    seen = np.zeros(len(number), np.int64)
    sums = np.zeros((len(number), embedded.shape[1]), np.float32)
    for person, face in zip(people, embedded, strict=True):
        if seen[person] < enrolled:
            sums[person] += face
            seen[person] += 1
    templates = F.normalize(torch.from_numpy(sums), dim=1).numpy()
    return CalibrationFaces(templates, {side: np.concatenate(parts) for side, parts in small.items()}, people)


def points_of_pair(
    settings: OnePairSettings, recogniser: AnyRecogniser, resolver: SuperResolver | None, context: Context
) -> OperatingPoints | None:
    """The operating points that came with the pair of a job; None where it has none, or is of two networks by name.

    Raises:
        RegistryError: The files of the version are not the recorded ones.
        WeightsError: They are no points, or of other networks.
    """
    if settings.edgeface is not None:
        return None
    sha256 = recogniser.sha256, resolver.sha256 if resolver else NONE
    if not is_registry_uri(settings.pair):
        return read_points(given_path(settings.pair), *sha256)
    version = recogniser.version or resolve(context.store, settings.pair)
    if version.name != PAIR:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        return read_points(download(context.store, version, Path(scratch) / "pair"), *sha256)
