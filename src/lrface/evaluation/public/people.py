"""Identification among many people: each is enrolled by one HR picture, and who has but one is a stranger."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lrface.data.sources.folder import list_subjects
from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.figures.run import embed_high
from lrface.evaluation.figures.several import Probes, several_figures
from lrface.evaluation.protocol.arms import Arm, Embedder, bicubic
from lrface.evaluation.protocol.conditions import Degrade, clean
from lrface.evaluation.public.gain import gain_records, tar_replicates
from lrface.evaluation.public.pictures import Align, broken, read_faces
from lrface.evaluation.public.records import PublicRecord, made
from lrface.evaluation.public.search import Found, search_records
from lrface.evaluation.public.sets import PeopleSet
from lrface.evaluation.public.settings import SearchSettings
from lrface.images.sizes import FACE_SIZE
from lrface.metrics.identification import NOT_MATED, search, tpir_at_fpir
from lrface.metrics.statistics import Interval, draw_weights, expanded_interval, paired_interval

MAX_PICTURES = 100_000


def read_people(root: Path, notes: list[str], align: Align | None = None) -> PeopleSet:
    """Reads a folder of people, `NAME/picture`, in natural order, as ``prepare`` reads it.

    Args:
        root: The folder.
        notes: Gets what was left out.
        align: Brings a photograph to 112 x 112; None where they are aligned already.

    Raises:
        DataError: The folder is not one of people.
        EvaluationError: Nobody has two pictures, or a picture is none or not 112 x 112.
    """
    listing = list_subjects(root)
    if listing.loose:
        got = f"{len(listing.loose)} pictures without a person's folder, the first {listing.loose[0].name}"
        raise broken(f"people in {root}", got, "NAME/PICTURE", "put them into a folder of the person's name")
    notes += listing.notes()
    paths = [path for own in listing.images.values() for path in own]
    subjects = [number for number, own in enumerate(listing.images.values()) for _ in own]
    if len(paths) > MAX_PICTURES:
        raise broken(f"people in {root}", f"{len(paths):,} pictures", f"at most {MAX_PICTURES:,}", "take fewer people")
    owner = np.array(subjects, np.int64)
    counts = np.bincount(owner, minlength=len(listing.images))
    if not (counts > 1).any():
        raise broken(f"people in {root}", "nobody with two pictures", "one to enrol and one to search", "add pictures")
    return PeopleSet(root.resolve().name, read_faces(paths, align), owner)


class _Search:
    """One set under measurement; HR embeddings are made once per recogniser."""

    def __init__(
        self, people: PeopleSet, degrade: Degrade, settings: SearchSettings, device: torch.device | str
    ) -> None:
        self.people, self.degrade, self.settings, self.device = people, degrade, settings, device
        self._high: dict[Embedder, Tensor] = {}
        self._probes = self._templates = torch.empty(0)

    def high(self, embedder: Embedder) -> Float[Tensor, "n d"]:
        """HR faces of everybody; mated probes and strangers among them are the ceiling's probes."""
        if embedder not in self._high:
            rows = range(len(self.people.owner))
            self._high[embedder] = embed_high(self.people.faces, rows, embedder, self.settings.batch, self.device)
        return self._high[embedder]

    def search(self, arm: Arm, size: int | None) -> Found:
        """What is found for mated probes and strangers at a size; None leaves them in HR."""
        people = self.people
        rows = np.concatenate([people.mated, people.strangers])
        probes = self.high(arm.embedder)[rows] if size is None else self._small(arm, size, rows)
        templates = self.high(arm.enrols_with)[people.enrolled]
        split = len(people.mated)
        self._probes, self._templates = probes, templates
        found = search(probes[:split], templates, torch.from_numpy(people.mates))
        nobody = torch.full((len(people.strangers),), NOT_MATED)
        alone = search(probes[split:], templates, nobody).best if len(nobody) else np.empty(0, np.float32)
        return found, alone

    def several(self, arm: Arm, size: int | None) -> list[PublicRecord]:
        """What probes of several pictures find, of those that were searched for last.

        A stranger has one picture here, so false alarms are told by leaving the probe's own person out of the gallery.
        """
        people, chosen = self.people, self.settings
        if not chosen.probe_pictures or len(people.enrolled) < 2:
            return []
        mated = Probes(self._probes[: len(people.mated)], people.owner[people.mated], torch.from_numpy(people.mates))
        sides = np.full(len(people.mated), float(size or FACE_SIZE))
        weights = draw_weights(int(people.owner.max()) + 1, chosen.replicates, chosen.seed)
        figures = several_figures(
            mated, None, self._templates, (sides, sides[:0]), chosen.probe_pictures, chosen.fpirs, weights
        )
        where = (people.name, arm.name, size or FACE_SIZE)
        return [
            made(
                where,
                figure.metric,
                figure.interval.value,
                figure.n,
                (figure.interval.low, figure.interval.high),
                figure.reason.removeprefix(f"{figure.metric}: ") if figure.reason else None,
            )
            for figure in figures
        ]

    def _small(self, arm: Arm, size: int, rows: np.ndarray) -> Float[Tensor, "n d"]:
        upscaler = arm.upscaler
        if upscaler is None:
            raise TypeError("the ceiling sees no small faces")

        def embed(images: Tensor) -> Tensor:
            return arm.embedder(upscaler(self.degrade(images, size)))

        return embed_high(self.people.faces, rows.tolist(), embed, self.settings.batch, self.device)


def search_gains(one: Found, other: Found, people: PeopleSet, settings: SearchSettings) -> dict[str, Interval]:
    """Rank-1 and TPIR at each FPIR, first - second, with intervals over people; thresholds are found anew."""
    weights = draw_weights(int(people.owner.max()) + 1, settings.replicates, settings.seed)
    mated, strangers = people.owner[people.mated], people.owner[people.strangers]
    right = [found.rank == 1 for found, _ in (one, other)]
    gained = {"rank1": paired_interval(right[0], right[1], mated, weights, shares=True)}
    same = np.concatenate([np.ones(len(mated), bool), np.zeros(len(strangers), bool)])
    drawn = weights[:, np.concatenate([mated, strangers])]
    for fpir in settings.fpirs:
        points = [tpir_at_fpir(found, alone, fpir) for found, alone in (one, other)]
        if any(point.reason for point in points):
            continue
        # a probe that is not ranked first is named wrongly or not at all, whatever the threshold
        scores = [
            np.concatenate([np.where(found.rank == 1, found.best, -np.inf), alone]) for found, alone in (one, other)
        ]
        first, second = (tar_replicates(values, same, drawn, fpir) for values in scores)
        value = points[0].value - points[1].value
        gained[f"tpir_at_fpir_{rate_name(fpir)}"] = expanded_interval(value, first - second, len(np.unique(mated)))
    return gained


def evaluate_people(
    people: PeopleSet,
    arms: Sequence[Arm],
    sizes: Sequence[int],
    *,
    high_resolution: bool = True,
    degrade: Degrade = clean,
    settings: SearchSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    direct: Arm | None = None,
) -> list[PublicRecord]:
    """Searches everybody's other pictures, and strangers, in a gallery of one HR picture each.

    Args:
        people: Whom to enrol and search for.
        arms: The ways to compare; those without upscaler are the ceilings, measured in HR.
        sizes: Sides of the probes in pixels; those that an arm does not take are left out for it.
        high_resolution: Whether the ceilings are measured.
        degrade: How small faces are made.
        settings: Threshold and rates.
        device: Where the networks are.
        progress: Told (cells done, all cells).
        direct: The arm of the direct recogniser, over which gains of those with a super-resolver are told.

    Raises:
        EvaluationError: Embeddings that are not unit rows.
    """
    chosen = settings or SearchSettings()
    under = _Search(people, degrade, chosen, device)
    wanted: list[tuple[Arm, int | None]] = [(arm, None) for arm in arms if arm.is_ceiling and high_resolution]
    wanted += [(arm, size) for size in sizes for arm in arms if not arm.is_ceiling and arm.takes(size)]
    records: list[PublicRecord] = []
    found: dict[tuple[str, int | None], Found] = {}
    for done, (arm, size) in enumerate(wanted, start=1):
        found[arm.name, size] = under.search(arm, size)
        records += search_records(people.name, arm.name, size or FACE_SIZE, found[arm.name, size], chosen)
        records += under.several(arm, size)
        if progress is not None:
            progress(done, len(wanted))
    for arm, size in wanted:
        if direct is None or size is None or arm.upscaler is bicubic or (direct.name, size) not in found:
            continue
        gained = search_gains(found[arm.name, size], found[direct.name, size], people, chosen)
        records += gain_records(people.name, arm.name, size, gained, len(people.mated))
    return records
