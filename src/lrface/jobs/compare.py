"""`compare`: two pairs on the same probes, with the verdict that `promote` would give."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lrface.cli.context import Context
from lrface.config import CompareSettings, PairSettings
from lrface.evaluation.figures.results import Cell
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.conditions import CLEAN
from lrface.evaluation.verdict.compare import Comparison, compare
from lrface.evaluation.verdict.decision import decide
from lrface.images.sizes import FACE_SIZE
from lrface.jobs.shared.evaluation.assessment import log_results, measure, pair_arm, report_of, test_protocol
from lrface.jobs.shared.evaluation.rival import rival_of, with_rival, worth_of
from lrface.jobs.shared.evaluation.strangers import judge_arms, load_judge, stranger_gains
from lrface.jobs.shared.networks import NONE, AnyRecogniser, SuperResolver, load_any_recogniser, load_super_resolver
from lrface.jobs.shared.packs import pack_for_test
from lrface.jobs.shared.stage import copy_out, log_pack, stage
from lrface.tracking.names import Alias
from lrface.tracking.runs.run import Run


def run(settings: CompareSettings, context: Context, parent: Run | None = None) -> Comparison:
    """Measure both pairs on one protocol and print the differences with their intervals."""
    first, second = _load(settings, settings.pair_a, context), _load(settings, settings.pair_b, context)
    halves = (*first, *second)
    recognisers = [item for item in halves if isinstance(item, AnyRecogniser)]
    resolvers = [item for item in halves if isinstance(item, SuperResolver)]
    rival = rival_of(settings, recognisers, resolvers, context)
    judge = load_judge(settings.judge, settings, context, recognisers)
    networks = with_rival([*(item for item in halves if item is not None), *([judge] if judge else [])], rival)
    pack = pack_for_test(settings.data, context)
    protocol = test_protocol(pack, settings, networks, context)
    inputs = {"pack": pack.digest, "protocol": protocol.digest, "direct": rival.sha256 if rival else NONE}
    for name, (recogniser, resolver) in (("a", first), ("b", second)):
        inputs |= {
            f"edgeface_{name}": recogniser.sha256,
            f"dsr_{name}": resolver.sha256 if resolver else NONE,
        }
    if judge is not None:
        inputs["judge"] = judge.sha256
    arms = [
        Arm("hr-a", first[0].network),
        Arm("hr-b", second[0].network),
        Arm("bicubic-b", second[0].network, bicubic),
        pair_arm("a", *first),
        pair_arm("b", *second),
    ]
    if rival is not None and rival is not second[0]:
        arms.append(Arm(f"bicubic-{Alias.DIRECT}", rival.network, bicubic))
    ways = {name: pair[1].network.forward for name, pair in (("a", first), ("b", second)) if pair[1] is not None}
    arms += judge_arms(judge, ways)
    with (
        stage("compare", settings, context, name="compare", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        results = measure(pack, protocol, arms, settings, context)

        def against(one: str, other: str, sizes: Sequence[int]) -> Comparison:
            cells = ([Cell(arm, size, CLEAN) for size in sizes] for arm in (one, other))
            return compare(results, next(cells), results, next(cells), settings.measure)

        found = against("a", "b", settings.sizes)
        over_bicubic = against("a", "bicubic-b", settings.sizes)
        ours = arms[3] if first[1] is not None else None
        worth = worth_of(results, arms, ours, networks, rival, settings.sizes, CLEAN, settings.measure)
        high = against("hr-a", "hr-b", (FACE_SIZE,))
        gains = stranger_gains(results, arms, [judge] if judge else [], settings)
        verdict = decide(over_bicubic, found, high, settings.decision, worth.whole if worth else None)
        report = report_of(
            results,
            Cell("a", settings.sizes[len(settings.sizes) // 2], "clean"),
            pack,
            arms,
            networks,
            context,
            heading=f"a: {_said(settings.pair_a)} against b: {_said(settings.pair_b)}",
            verdict=verdict,
            comparisons=(found, over_bicubic, *((worth.whole,) if worth else ())),
            worth=worth,
            gains=gains,
        )
        log_results(work.run, results, report, Path(scratch) / "evaluation")
        lines = [
            f"{name}: a {item.first:.4f}, b {item.second:.4f}, "
            f"difference {item.change.value:+.4f} [{item.change.low:+.4f}, {item.change.high:+.4f}]"
            for name, item in found.differences.items()
        ]
        lines += [*verdict.lines, *(worth.lines() if worth else ())]
        lines += [line for gain in gains for line in gain.lines()]
        for line in lines:
            context.terminal.result(line)
        work.run.log_text("\n".join(lines) + "\n", "comparison.txt")
        work.run.log_headline({f"compare/{name}": item.change.value for name, item in found.differences.items()})
        if settings.out is not None:
            copy_out(Path(scratch) / "evaluation", settings.out)
    return found


def _said(pair: PairSettings) -> str:
    return f"{pair.edgeface} with {pair.dsr}"


def _load(
    settings: CompareSettings, pair: PairSettings, context: Context
) -> tuple[AnyRecogniser, SuperResolver | None]:
    resolver = None if pair.dsr == NONE else load_super_resolver(pair.dsr, context)
    return load_any_recogniser(pair.edgeface, context, settings.onnx_input), resolver
