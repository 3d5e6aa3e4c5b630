"""`promote`: the candidate pair becomes `lrface@champion`, or a refusal says why not; or the last one comes back."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lrface.config import PRETRAINED, PromoteSettings
from lrface.errors import ConfigError
from lrface.evaluation import decision as deciding
from lrface.evaluation.arms import Arm, bicubic
from lrface.evaluation.card import CardInput, model_card
from lrface.evaluation.compare import Comparison, compare
from lrface.evaluation.results import Cell, Results
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.jobs.assessment import log_results, measure, report_of, test_protocol
from lrface.jobs.context import Context
from lrface.jobs.networks import AnyRecogniser, SuperResolver, load_pair, load_recogniser, load_super_resolver
from lrface.jobs.packs import pack_for_test
from lrface.jobs.stage import copy_out, log_pack, stage
from lrface.tracking.ledger import ledger_lines, terms_of
from lrface.tracking.lineage import run_lineage
from lrface.tracking.names import PAIR, VersionTag
from lrface.tracking.pair import pair_ledger, register_pair
from lrface.tracking.promotion import Gate, Verdict, champion, promote, record_refusal, rollback
from lrface.tracking.runs import Run
from lrface.tracking.starting import start_run
from lrface.tracking.versions import ModelVersion, is_registry_uri, training_data

CANDIDATE, IN_PLACE, CHAMPION = "candidate", "in_place", "champion"


@dataclass(frozen=True)
class Promotion:
    """How it ended.

    Attributes:
        pair: The candidate's version.
        promoted: Whether it is the champion now.
        lines: The verdict in words.
    """

    pair: ModelVersion
    promoted: bool
    lines: tuple[str, ...]


def run(settings: PromoteSettings, context: Context, parent: Run | None = None) -> Promotion:
    """Decide by paired evidence on people who were in no training."""
    if settings.rollback:
        return _roll_back(settings, context)
    recogniser = load_recogniser(settings.pair.edgeface, context)
    resolver = load_super_resolver(settings.pair.dsr, context)
    if recogniser.version is None or resolver.version is None:
        raise ConfigError(
            "candidate",
            got=f"{recogniser.origin} and {resolver.origin}",
            expected="two versions in the registry, so that the pair has a lineage",
            remedy="name both as models:/...; `compare` judges files",
        )
    before = champion(context.store)
    place = load_pair(before, context) if before else None
    reference = place[0] if place else load_recogniser(_start(recogniser.version), context)
    pack = pack_for_test(settings.data, context)
    protocol = test_protocol(pack, settings)
    inputs = {
        "pack": pack.digest,
        "protocol": protocol.digest,
        "edgeface": recogniser.sha256,
        "dsr": resolver.sha256,
        "champion": before.uri if before else "none",
    }
    with (
        stage("promote", settings, context, name="promote", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        arms = _arms(recogniser, resolver, reference, place)
        results = measure(pack, protocol, arms, settings, context)
        comparisons = _comparisons(results, settings, with_champion=place is not None)
        verdict = deciding.decide(*comparisons, settings.decision)
        folder = Path(scratch) / "evaluation"
        report = report_of(
            results,
            Cell(CANDIDATE, settings.sizes[len(settings.sizes) // 2], "clean"),
            pack,
            arms,
            (recogniser, resolver, *(place or (reference,))),
            context,
            heading=f"Candidate {recogniser.origin} with {resolver.origin}",
            verdict=verdict,
            comparisons=[item for item in comparisons if item is not None],
        )
        log_results(work.run, results, report, folder)
        work.run.log_text("\n".join(verdict.lines) + "\n", "verdict.txt")
        pair = register_pair(
            work.run,
            recogniser.version,
            resolver.version,
            tags={VersionTag.PACK: pack.digest, VersionTag.CYCLE: resolver.cycle, VersionTag.JOB: "promote"},
            card=_card(work.run, (recogniser.version, resolver.version), results, verdict),
        )
        for line in ledger_lines(pair_ledger(recogniser.version, resolver.version)):
            context.terminal.result(line)
        context.made.versions.append(pair.uri)
        told = _told(verdict, before)
        if told.promotes:
            promote(pair, told, work.run)
        else:
            record_refusal(pair, told, work.run)
        for line in verdict.lines:
            context.terminal.result(line)
        if settings.out is not None:
            copy_out(folder, settings.out)
        return Promotion(pair, told.promotes, verdict.lines)


def _start(candidate: ModelVersion) -> str:
    """The recogniser that the candidate was fine-tuned from, where the registry has it; else the pretrained one."""
    start = candidate.tags.get("start", "")
    return start if is_registry_uri(start) else PRETRAINED


def _arms(
    recogniser: AnyRecogniser,
    resolver: SuperResolver,
    reference: AnyRecogniser,
    place: tuple[AnyRecogniser, SuperResolver] | None,
) -> list[Arm]:
    arms = [
        Arm(f"hr-{CANDIDATE}", recogniser.network),
        Arm(f"hr-{IN_PLACE}", reference.network),
        Arm(f"bicubic-{IN_PLACE}", reference.network, bicubic),
        Arm(CANDIDATE, recogniser.network, resolver.network.forward, None, VLR_MIN, VLR_MAX),
    ]
    if place is not None:
        arms.append(Arm(CHAMPION, place[0].network, place[1].network.forward, None, VLR_MIN, VLR_MAX))
    return arms


def _comparisons(
    results: Results, settings: PromoteSettings, *, with_champion: bool
) -> tuple[Comparison, Comparison | None, Comparison]:
    def against(first: str, second: str, sizes: Sequence[int]) -> Comparison:
        one, two = ([Cell(arm, size, "clean") for size in sizes] for arm in (first, second))
        return compare(results, one, results, two, settings.measure)

    return (
        against(CANDIDATE, f"bicubic-{IN_PLACE}", settings.sizes),
        against(CANDIDATE, CHAMPION, settings.sizes) if with_champion else None,
        against(f"hr-{CANDIDATE}", f"hr-{IN_PLACE}", (FACE_SIZE,)),
    )


def _card(run: Run, halves: tuple[ModelVersion, ModelVersion], results: Results, verdict: deciding.Verdict) -> str:
    edgeface, dsr = halves
    data = [f"{half.name}: {line}" for half in halves for line in training_data(run.store, half)]
    card = model_card(
        CardInput(
            model=PAIR,
            heading=f"lrface: {edgeface.uri} behind {dsr.uri}",
            made={
                "run": run.run_id,
                "commit": str(run_lineage(run.store.root)["git_commit"]),
                "recogniser": f"{edgeface.uri}, sha256 {edgeface.sha256}",
                "super-resolver": f"{dsr.uri}, sha256 {dsr.sha256}",
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
        )
    )
    run.log_text(card, "model_card.md")
    return card


def _told(verdict: deciding.Verdict, before: ModelVersion | None) -> Verdict:
    """The verdict as the registry records it."""
    return Verdict(
        decision=verdict.decision.value,
        reason="; ".join(verdict.lines[:1]),
        gates=tuple(Gate(gate.name, gate.figure, gate.bound, gate.passed) for gate in verdict.gates),
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
