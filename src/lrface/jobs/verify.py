"""`verify`: every arm on public sets, with the published figures beside."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import VerifySettings
from lrface.data.checks.findings import Collector
from lrface.data.checks.fit import check_fits
from lrface.data.faces.aligner import Aligner
from lrface.data.faces.fit import Fit
from lrface.data.measure import hash_pixels
from lrface.data.settings import CheckSettings
from lrface.errors import ConfigError, EvaluationError
from lrface.evaluation.protocol.arms import Arm
from lrface.evaluation.protocol.conditions import conditions, described
from lrface.evaluation.public.opening import find_sets, read_set
from lrface.evaluation.public.people import evaluate_people
from lrface.evaluation.public.pictures import Align
from lrface.evaluation.public.published import published_network
from lrface.evaluation.public.records import PublicRecord, table_of, with_published
from lrface.evaluation.public.report import make_public_report, summary_lines
from lrface.evaluation.public.search import evaluate_search
from lrface.evaluation.public.sets import PairSet, PeopleSet, SearchSet
from lrface.evaluation.public.verification import both_small, evaluate_pairs
from lrface.images.reading.levels import light
from lrface.images.sizes import FACE_SIZE
from lrface.jobs.shared.evaluation.assessment import arms_of, load_networks
from lrface.jobs.shared.evaluation.rival import direct_arm, rival_of, with_rival
from lrface.jobs.shared.evaluation.trained_on import known_faces
from lrface.jobs.shared.networks import NONE, AnyRecogniser
from lrface.jobs.shared.stage import copy_out, stage
from lrface.tracking.names import clean_key
from lrface.tracking.runs.lineage import run_lineage
from lrface.tracking.runs.run import Run

FOLDER = "verify"
AnySet = PairSet | SearchSet | PeopleSet


@dataclass(frozen=True)
class Verified:
    """What was found and the run that holds it."""

    records: tuple[PublicRecord, ...]
    run_id: str


def run(settings: VerifySettings, context: Context, parent: Run | None = None) -> Verified:
    """Measure all arms on all sets, log figures, table and page."""
    _check(settings)
    recognisers, resolvers = load_networks(settings, context)
    rival = rival_of(settings, recognisers, resolvers, context)
    arms = arms_of(recognisers, resolvers, rival)
    networks = with_rival([*recognisers, *resolvers], rival)
    sets = _sets(settings, context)
    learnt = _learnt(sets, known_faces(networks, context))
    for cause in learnt.values():
        context.terminal.finding("warning", "trained_on", cause, "measure on people who were in no training")
    for arm in arms:
        refused = [size for size in settings.sizes if not arm.takes(size)]
        if refused:
            context.terminal.line(f"{arm.name} takes {arm.smallest} to {arm.largest} px; left out: {refused}")
    inputs = {
        **{f"set_{name}": found.digest for name, found in sets.items()},
        **{f"edgeface_{place}": item.sha256 for place, item in enumerate(recognisers)},
        **{f"dsr_{place}": item.sha256 for place, item in enumerate(resolvers)},
        "direct": rival.sha256 if rival else NONE,
    }
    with (
        stage("verify", settings, context, name="verify", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        records: list[PublicRecord] = []
        for name, found in sets.items():
            rows = found.pictures if isinstance(found, SearchSet) else len(found.faces)
            work.run.log_dataset(name, found.digest, source=name, rows=rows, context="test")
            records += _measured(found, arms, settings, context, direct_arm(arms, rival))
        records = with_published(records, _networks(arms, recognisers), FACE_SIZE)
        report = make_public_report(
            records,
            about={
                name: f"{text}; {learnt[key]}" if key in learnt else text
                for key, found in sets.items()
                for name, text in _about(found, settings).items()
            },
            versions={item.origin: f"sha256 {item.sha256}" for item in networks} | dict(run_lineage(context.root)),
            licences=[f"{item.origin}: {item.licence}" for item in networks],
            heading=f"Public sets: {', '.join(sets)}",
        )
        folder = Path(scratch) / FOLDER
        report.save(folder)
        (folder / "metrics.json").write_text(json.dumps([asdict(entry) for entry in records], indent=1))
        work.run.log_artifacts(folder, FOLDER)
        if learnt:
            work.run.set_tags({"trained_on": "; ".join(learnt.values())})
        work.run.log_table(table_of(records), f"{FOLDER}/table.csv")
        figures = {entry.key(): entry.value for entry in records if entry.value is not None}
        work.run.log_metrics({clean_key(f"{FOLDER}/{key}"): value for key, value in figures.items()})
        for line in summary_lines(records):
            context.terminal.result(line)
        if settings.out is not None:
            copy_out(folder, settings.out)
        return Verified(tuple(records), work.run.run_id)


def _check(settings: VerifySettings) -> None:
    known = conditions()
    if settings.degradation not in known:
        raise ConfigError(
            "degradation", got=settings.degradation, expected=", ".join(known), remedy="choose one of these"
        )
    if not settings.source:
        raise ConfigError(
            "source", got="nothing", expected="public sets, by commas", remedy="say -P source=/data/lfw.bin"
        )
    if not settings.sizes and not settings.high_resolution:
        raise ConfigError("sizes", got="none, and not HR either", expected="one of them", remedy="give sizes")


def _sets(settings: VerifySettings, context: Context) -> dict[str, AnySet]:
    """Read all sets, by name.

    Raises:
        EvaluationError: A set cannot be read.
        ConfigError: Two sets bear one name.
    """
    images = given_path(settings.images) if settings.images else None
    fits: list[tuple[str, tuple[int, int], Fit]] = []
    align = _align(settings, fits)
    wanted = [found for source in settings.source for found in find_sets(given_path(source), settings.kind)]
    sets: dict[str, AnySet] = {}
    with context.terminal.progress("read sets") as progress:
        for done, entry in enumerate(wanted, start=1):
            notes: list[str] = []
            found = read_set(entry, images=images, align=align, notes=notes)
            name = clean_key(found.name)
            for line in [*notes, *_unlit(found)]:
                context.terminal.line(f"{name}: {line}")
            _tell_fits(fits, name, context)
            if name in sets:
                raise ConfigError(
                    "source", got=f"two sets called {name}", expected="names that differ", remedy="rename"
                )
            sets[name] = found
            progress(done, len(wanted))
    return sets


def _learnt(sets: Mapping[str, AnySet], known: frozenset[str]) -> dict[str, str]:
    """How many faces of a set are, to the pixel, faces that the networks have learnt from, where there are any."""
    told = {}
    for name, found in sets.items():
        if known and not isinstance(found, SearchSet):
            count = sum(hash_pixels(face) in known for face in found.faces)
            if count:
                told[name] = (
                    f"{count} of {len(found.faces)} faces of {name} are faces that the networks were trained on"
                )
    return told


def _unlit(found: AnySet) -> list[str]:
    """Says how many aligned faces of a set are nearly black, nearly white or of one level."""
    if isinstance(found, SearchSet):
        return []
    count = sum(light(face) is not None for face in found.faces)
    return [f"{count} of {len(found.faces)} faces are nearly black, nearly white or of one level"] if count else []


def _tell_fits(fits: list[tuple[str, tuple[int, int], Fit]], name: str, context: Context) -> None:
    """Tell what makes wrong faces of the photographs that were read since.

    Raises:
        EvaluationError: There are photographs, and no detector.
    """
    checks = CheckSettings(errors=("photographs",), ignore=("enlarged",))
    collect = Collector(checks)
    names, sizes, found = zip(*fits, strict=True) if fits else ((), (), ())
    check_fits(names, sizes, found, checks, collect)
    fits.clear()
    for finding in collect.sorted():
        remedy = finding.remedy.replace("data.read.", "")
        if finding.severity == "error":
            raise EvaluationError(f"set {name}", got=finding.told, expected="aligned faces", remedy=remedy)
        context.terminal.finding(finding.severity, finding.kind, finding.told, remedy)


def _align(settings: VerifySettings, fits: list[tuple[str, tuple[int, int], Fit]]) -> Align | None:
    if settings.align is None:
        return None
    aligner = Aligner(settings.align)

    def align(photograph: np.ndarray, name: str) -> np.ndarray:
        aligned = aligner.align(photograph, name)
        fits.append((name, (photograph.shape[1], photograph.shape[0]), aligned.fit))
        return aligned.pixels

    return align


def _measured(
    found: AnySet,
    arms: Sequence[Arm],
    settings: VerifySettings,
    context: Context,
    direct: Arm | None,
) -> list[PublicRecord]:
    with context.terminal.progress(f"verify {found.name}") as progress:
        if isinstance(found, SearchSet):
            return evaluate_search(
                found, arms, settings.sizes, settings=settings.search, device=context.device, progress=progress
            )
        degrade = conditions()[settings.degradation]
        if isinstance(found, PeopleSet):
            return evaluate_people(
                found,
                arms,
                settings.sizes,
                high_resolution=settings.high_resolution,
                degrade=degrade,
                settings=settings.search,
                device=context.device,
                progress=progress,
                direct=direct,
            )
        return evaluate_pairs(
            found,
            arms,
            settings.sizes,
            high_resolution=settings.high_resolution,
            degrade=degrade,
            settings=settings.pairs,
            device=context.device,
            progress=progress,
            direct=direct,
        )


def _networks(arms: Sequence[Arm], recognisers: Sequence[AnyRecogniser]) -> dict[str, str | None]:
    """The released network that each ceiling's recogniser is."""
    names = {recogniser.network: published_network(recogniser.origin) for recogniser in recognisers}
    return {
        arm.name: names[recogniser.network]
        for arm in arms
        for recogniser in recognisers
        if arm.is_ceiling and arm.embedder is recogniser.network
    }


def _about(found: AnySet, settings: VerifySettings) -> dict[str, str]:
    """A line about each set that its records are of: what it is, how faces were made small, its digest."""
    digest = f"sha256 {found.digest[:12]}"
    if isinstance(found, SearchSet):
        text = (
            f"{len(found.mated)} mated and {len(found.non_mated)} other probes, gallery of "
            f"{len(set(found.gallery_subjects))} people and {len(found.distractors)} distractors, {digest}"
        )
        return {found.name: text}
    how = f"{settings.degradation}: {described(settings.degradation)}"
    if isinstance(found, PeopleSet):
        text = (
            f"{len(found.mated)} probes of {len(found.enrolled)} people, each enrolled by one HR face, and "
            f"{len(found.strangers)} strangers; probes made small ({how}), {digest}"
        )
        return {found.name: text}
    flip = ", mirror images added" if settings.pairs.flip else ""
    told = f"made small ({how}){flip}, {digest}"
    what = f"{len(found.same)} pairs in {found.folds} folds"
    second, both = f"{what}, the second face of each pair {told}", f"{what}, both faces of a pair {told}"
    if settings.pairs.small == "each":
        return {found.name: second, both_small(found.name): both}
    return {found.name: both if settings.pairs.small == "both" else second}
