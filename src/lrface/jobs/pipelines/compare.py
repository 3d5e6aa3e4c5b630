"""`compare`: two pairs on the same probes, with the verdict that `promote` would give."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from lrface.config import CompareSettings, PairSettings
from lrface.evaluation.arms import Arm, bicubic
from lrface.evaluation.compare import Comparison, compare
from lrface.evaluation.decision import decide
from lrface.evaluation.results import Cell
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.jobs.assessment import log_results, measure, report_of, test_protocol
from lrface.jobs.context import Context
from lrface.jobs.networks import NONE, AnyRecogniser, SuperResolver, load_any_recogniser, load_super_resolver
from lrface.jobs.packs import pack_for_test
from lrface.jobs.stage import copy_out, log_pack, stage
from lrface.tracking.runs import Run


def run(settings: CompareSettings, context: Context, parent: Run | None = None) -> Comparison:
    """Measure both pairs on one protocol and print the differences with their intervals."""
    first, second = _load(settings, settings.pair_a, context), _load(settings, settings.pair_b, context)
    pack = pack_for_test(settings.data, context)
    protocol = test_protocol(pack, settings)
    inputs = {"pack": pack.digest, "protocol": protocol.digest}
    for name, (recogniser, resolver) in (("a", first), ("b", second)):
        inputs |= {
            f"edgeface_{name}": recogniser.sha256,
            f"dsr_{name}": resolver.sha256 if resolver else NONE,
        }
    arms = [
        Arm("hr-a", first[0].network),
        Arm("hr-b", second[0].network),
        Arm("bicubic-b", second[0].network, bicubic),
        _arm("a", *first),
        _arm("b", *second),
    ]
    with (
        stage("compare", settings, context, name="compare", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        results = measure(pack, protocol, arms, settings, context)

        def against(one: str, other: str, sizes: Sequence[int]) -> Comparison:
            cells = ([Cell(arm, size, "clean") for size in sizes] for arm in (one, other))
            return compare(results, next(cells), results, next(cells), settings.measure)

        found = against("a", "b", settings.sizes)
        over_bicubic = against("a", "bicubic-b", settings.sizes)
        verdict = decide(over_bicubic, found, against("hr-a", "hr-b", (FACE_SIZE,)), settings.decision)
        report = report_of(
            results,
            Cell("a", settings.sizes[len(settings.sizes) // 2], "clean"),
            pack,
            arms,
            [item for item in (*first, *second) if item is not None],
            context,
            heading=f"a: {_said(settings.pair_a)} against b: {_said(settings.pair_b)}",
            verdict=verdict,
            comparisons=(found, over_bicubic),
        )
        log_results(work.run, results, report, Path(scratch) / "evaluation")
        lines = [
            f"{name}: a {item.first:.4f}, b {item.second:.4f}, "
            f"difference {item.change.value:+.4f} [{item.change.low:+.4f}, {item.change.high:+.4f}]"
            for name, item in found.differences.items()
        ]
        for line in (*lines, *verdict.lines):
            context.terminal.result(line)
        work.run.log_text("\n".join((*lines, *verdict.lines)) + "\n", "comparison.txt")
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


def _arm(name: str, recogniser: AnyRecogniser, resolver: SuperResolver | None) -> Arm:
    if resolver is None:
        return Arm(name, recogniser.network, bicubic)
    return Arm(name, recogniser.network, resolver.network.forward, None, VLR_MIN, VLR_MAX)
