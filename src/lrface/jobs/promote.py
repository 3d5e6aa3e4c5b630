"""`promote`: the candidate pair becomes `lrface@champion`, or a refusal says why not; or the last one comes back."""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lrface.cli.context import Context
from lrface.config import PRETRAINED, PromoteSettings
from lrface.errors import ConfigError, WeightsError
from lrface.evaluation.figures.results import Cell, Results
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.conditions import CLEAN
from lrface.evaluation.report.card import CardInput, model_card
from lrface.evaluation.report.lead import curves, lead_of, table_rows
from lrface.evaluation.report.lead_plots import LEAD_PLOTS
from lrface.evaluation.verdict import decision as deciding
from lrface.evaluation.verdict.compare import Comparison, compare
from lrface.images.sizes import FACE_SIZE
from lrface.jobs.shared.evaluation.assessment import log_results, measure, pair_arm, report_of, test_protocol
from lrface.jobs.shared.evaluation.rival import origin_of, rival_of, with_rival, worth_of
from lrface.jobs.shared.evaluation.strangers import judge_arms, load_judge, registered_stranger, stranger_gains
from lrface.jobs.shared.networks import (
    NONE,
    AnyRecogniser,
    SuperResolver,
    load_any_recogniser,
    load_pair,
    load_recogniser,
    load_super_resolver,
)
from lrface.jobs.shared.operating_points import operating_points
from lrface.jobs.shared.packs import pack_for_test
from lrface.jobs.shared.stage import NOT_WORK, copy_out, log_pack, stage
from lrface.models.onnx.recogniser import OnnxRecogniser
from lrface.naming.operating_points import POINTS_NAME, OperatingPoints
from lrface.tracking.names import PAIR, Alias, VersionTag
from lrface.tracking.notes import NOTE, job_note, picture
from lrface.tracking.registry.licences import ledger_lines, terms_of
from lrface.tracking.registry.pair import pair_ledger, register_pair
from lrface.tracking.registry.promotion import Gate, Verdict, champion, promote, record_refusal, rollback
from lrface.tracking.registry.versions import ModelVersion, fetch_artifacts, training_data
from lrface.tracking.runs.lineage import run_lineage
from lrface.tracking.runs.resume import fingerprint
from lrface.tracking.runs.run import Run
from lrface.tracking.runs.starting import start_run

CANDIDATE, IN_PLACE, CHAMPION = "candidate", "in_place", "champion"


@dataclass(frozen=True)
class Promotion:
    """How it ended.

    Attributes:
        pair: The candidate's version.
        promoted: Whether it is the champion now.
        lines: The verdict in words.
        sentence: The same in one.
        table: The heads, then bicubic, direct, the pair and HR by size, a row each.
        run_id: The run that holds the report.
        pictures: Its plots for a note, as Markdown.
    """

    pair: ModelVersion
    promoted: bool
    lines: tuple[str, ...]
    sentence: str = ""
    table: tuple[tuple[str, ...], ...] = ()
    run_id: str = ""
    pictures: tuple[str, ...] = ()


def run(settings: PromoteSettings, context: Context, parent: Run | None = None) -> Promotion:
    """Decide by paired evidence on people who were in no training."""
    if settings.rollback:
        return _roll_back(settings, context)
    recogniser = load_any_recogniser(settings.pair.edgeface, context, settings.onnx_input)
    stranger = isinstance(recogniser.network, OnnxRecogniser)
    resolver = None if settings.pair.dsr == NONE else load_super_resolver(settings.pair.dsr, context)
    edgeface, dsr = recogniser.version, resolver.version if resolver else None
    if (edgeface is None and not stranger) or (resolver is not None and dsr is None):
        raise ConfigError(
            "candidate",
            got=f"{recogniser.origin} and {resolver.origin if resolver else NONE}",
            expected="two versions in the registry, so that the pair has a lineage, or an ONNX file and one",
            remedy="name both as models:/..., or dsr=none; `compare` judges files",
        )
    before = champion(context.store)
    place = load_pair(before, context) if before else None
    reference = place[0] if place else _reference(recogniser, context)
    halves = [item for item in (recogniser, resolver) if item is not None]
    rival = None if resolver is None else rival_of(settings, [recogniser, reference], [resolver], context)
    judge = load_judge(settings.judge, settings, context, (recogniser, reference))
    pack = pack_for_test(settings.data, context)
    others = [item for item in (*(place or (reference,)), judge) if item is not None]
    networks = with_rival([*halves, *others], rival)
    protocol = test_protocol(pack, settings, networks, context)
    inputs = {
        "pack": pack.digest,
        "protocol": protocol.digest,
        "edgeface": recogniser.sha256,
        "dsr": resolver.sha256 if resolver else NONE,
        "direct": rival.sha256 if rival else NONE,
        "judge": judge.sha256 if judge else NONE,
    }
    decision = fingerprint("promote", settings.model_dump(mode="json", exclude=set(NOT_WORK)), inputs)
    if before is not None and before.tags.get(VersionTag.DECISION) == decision:
        return _made_before(before, settings.out, context)
    inputs |= {"champion": before.uri if before else "none"}
    with (
        stage("promote", settings, context, name="promote", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        arms = _arms(recogniser, resolver, reference, place, rival)
        ways = {CANDIDATE: resolver, CHAMPION: place[1] if place else None}
        arms += judge_arms(judge, {name: item.network.forward for name, item in ways.items() if item is not None})
        results = measure(pack, protocol, arms, settings, context)
        pair_arm = next(arm for arm in arms if arm.name == CANDIDATE)
        worth = worth_of(results, arms, pair_arm, networks, rival, settings.sizes, CLEAN, settings.measure)
        comparisons = _comparisons(results, settings, with_champion=place is not None)
        verdict = deciding.decide(*comparisons, settings.decision, worth.whole if worth else None)
        gains = stranger_gains(results, arms, [recogniser, *([judge] if judge else [])], settings)
        folder = Path(scratch) / "evaluation"
        headline = Cell(CANDIDATE, settings.sizes[len(settings.sizes) // 2], CLEAN)
        report = report_of(
            results,
            headline,
            pack,
            arms,
            networks,
            context,
            heading=f"Candidate {recogniser.origin} with {resolver.origin if resolver else 'bicubic'}",
            verdict=verdict,
            comparisons=[*(item for item in comparisons if item is not None), *([worth.whole] if worth else [])],
            worth=worth,
            gains=gains,
            settings=settings,
        )
        log_results(work.run, results, report, folder)
        lines = (*verdict.lines, *(worth.lines() if worth else ()), *_how(verdict, rival))
        lines += tuple(line for gain in gains for line in gain.lines())
        work.run.log_text("\n".join(lines) + "\n", "verdict.txt")
        cycle = resolver.cycle if resolver else recogniser.cycle
        points = operating_points(pack, protocol, recogniser, resolver, settings.points, context, settings.seed)
        work.run.log_text(points.model_dump_json(indent=1) + "\n", POINTS_NAME)
        edgeface = edgeface or registered_stranger(recogniser, work.run, context)
        pair = register_pair(
            work.run,
            edgeface,
            dsr,
            tags={
                VersionTag.PACK: pack.digest,
                VersionTag.CYCLE: cycle,
                VersionTag.JOB: "promote",
                VersionTag.DECISION: decision,
            },
            card=_card(work.run, edgeface, dsr, results, verdict, points),
            points=points,
        )
        for line in ledger_lines(pair_ledger(edgeface, dsr)):
            context.terminal.result(line)
        context.made.versions.append(pair.uri)
        if settings.out is not None:
            copy_out(folder, settings.out)  # before an alias moves: this may fail
        told = _told(verdict, before)
        if told.promotes:
            promote(pair, told, work.run)
        else:
            record_refusal(pair, told, work.run)
        for line in (*lines, *points.lines()):
            context.terminal.result(line)
        lead = lead_of(results, arms, headline, worth, comparisons[:1])
        for size, figures in curves(results, lead).items():
            work.run.log_metrics(figures, size)
        table = tuple(map(tuple, table_rows(results, lead)))
        plots = (folder / f"{name}.png" for name in LEAD_PLOTS)
        shown = tuple(picture(work.run, place.stem, place) for place in plots if place.is_file())
        told_in_note = [f"**{verdict.sentence}**", job_note("promote", work.run), *shown]
        work.run.set_tags({NOTE: "\n\n".join(told_in_note)})
        return Promotion(pair, told.promotes, verdict.lines, verdict.sentence, table, work.run.run_id, shown)


def _made_before(pair: ModelVersion, out: str | None, context: Context) -> Promotion:
    """This very decision has made the champion already, in a run that may have died right after.

    Raises:
        RegistryError: Its report is asked for, and is not there any more.
    """
    if out is not None:
        with tempfile.TemporaryDirectory() as scratch:
            uri = f"runs:/{pair.run_id}/evaluation"
            copy_out(fetch_artifacts(context.store, uri, Path(scratch), f"the report of {pair.uri}"), out)
    line = f"{pair.uri} was made champion by this very decision, on these faces and by this rule; nothing is changed"
    context.terminal.result(line)
    context.made.versions.append(pair.uri)
    return Promotion(pair, promoted=True, lines=(line,), sentence=line, run_id=pair.run_id)


def _reference(candidate: AnyRecogniser, context: Context) -> AnyRecogniser:
    """The recogniser at the beginning of the candidate's line, where it can be had; else the pretrained one.

    One of others has no line: it is held against itself behind bicubic.
    """
    if isinstance(candidate.network, OnnxRecogniser) or candidate.version is None:
        return candidate
    first = origin_of(candidate.version, context)
    if "start" in first.tags:  # what it was made of was never registered
        with suppress(WeightsError):
            start = load_recogniser(first.tags["start"], context)
            if start.sha256 == first.tags.get("start_sha256"):
                return start
    return load_recogniser(PRETRAINED if first is candidate.version else first.uri, context)


def _how(verdict: deciding.Verdict, rival: AnyRecogniser | None) -> list[str]:
    """How to follow the recommendation."""
    if not verdict.recommends_direct or rival is None or rival.version is None:
        return []
    return [f"to follow it: promote with edgeface={rival.version.uri} dsr=none, on the same test people"]


def _arms(
    recogniser: AnyRecogniser,
    resolver: SuperResolver | None,
    reference: AnyRecogniser,
    place: tuple[AnyRecogniser, SuperResolver | None] | None,
    rival: AnyRecogniser | None,
) -> list[Arm]:
    arms = [
        Arm(f"hr-{CANDIDATE}", recogniser.network),
        Arm(f"hr-{IN_PLACE}", reference.network),
        Arm(f"bicubic-{IN_PLACE}", reference.network, bicubic),
        pair_arm(CANDIDATE, recogniser, resolver),
    ]
    if place is not None:
        arms.append(pair_arm(CHAMPION, *place))
    if rival is not None:
        arms.append(Arm(f"bicubic-{Alias.DIRECT}", rival.network, bicubic))
    return arms


def _comparisons(
    results: Results, settings: PromoteSettings, *, with_champion: bool
) -> tuple[Comparison, Comparison | None, Comparison]:
    def against(first: str, second: str, sizes: Sequence[int]) -> Comparison:
        one, two = ([Cell(arm, size, CLEAN) for size in sizes] for arm in (first, second))
        return compare(results, one, results, two, settings.measure)

    return (
        against(CANDIDATE, f"bicubic-{IN_PLACE}", settings.sizes),
        against(CANDIDATE, CHAMPION, settings.sizes) if with_champion else None,
        against(f"hr-{CANDIDATE}", f"hr-{IN_PLACE}", (FACE_SIZE,)),
    )


def _card(
    run: Run,
    edgeface: ModelVersion,
    dsr: ModelVersion | None,
    results: Results,
    verdict: deciding.Verdict,
    points: OperatingPoints,
) -> str:
    halves = [half for half in (edgeface, dsr) if half is not None]
    data = [f"{half.name}: {line}" for half in halves for line in training_data(run.store, half)]
    card = model_card(
        CardInput(
            model=PAIR,
            heading=f"lrface: {edgeface.uri} behind {dsr.uri if dsr else 'bicubic'}",
            made={
                "run": run.run_id,
                "commit": str(run_lineage(run.store.root)["git_commit"]),
                "recogniser": f"{edgeface.uri}, sha256 {edgeface.sha256}",
                "super-resolver": f"{dsr.uri}, sha256 {dsr.sha256}"
                if dsr
                else "none: small faces are enlarged by bicubic",
            },
            data=data,
            licences=ledger_lines(pair_ledger(edgeface, dsr)),
            results=results,
            arms={
                "this pair": CANDIDATE,
                "this recogniser": f"hr-{CANDIDATE}",
                "bicubic and the recogniser in place": f"bicubic-{IN_PLACE}",
            },
            verdict=verdict,
            points=points.lines(),
        )
    )
    run.log_text(card, "model_card.md")
    return card


def _told(verdict: deciding.Verdict, before: ModelVersion | None) -> Verdict:
    """The verdict as the registry records it."""
    return Verdict(
        decision=verdict.decision.value,
        reason="; ".join([*verdict.lines[:1], *(line for line in verdict.lines if line.startswith("recommended"))]),
        gates=tuple(Gate(gate.name, gate.figure, gate.bound, gate.passed, gate.line) for gate in verdict.gates),
        gain=verdict.gain,
        interval=(verdict.low, verdict.high),
        against=before.uri if before else None,
        protocol=verdict.protocol,
    )


def _roll_back(settings: PromoteSettings, context: Context) -> Promotion:
    params = settings.model_dump(mode="json", include={"rollback", "seed"})
    with start_run(context.store, "rollback", job="promote", params=params) as back:
        restored = rollback(back, "asked for by hand")
    line = f"champion is {restored.uri} again"
    context.terminal.result(line)
    context.terminal.line(f"licence: {restored.licence} ({terms_of(restored.licence)})")
    return Promotion(restored, promoted=True, lines=(line,))
