"""`evaluate`: every arm on people who were in no training."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lrface.cli.context import Context
from lrface.config import EvaluateSettings
from lrface.evaluation.figures.results import Results
from lrface.evaluation.report.lead import curves, lead_of
from lrface.evaluation.report.operating_page import operating_lines
from lrface.jobs.shared.evaluation.assessment import (
    arms_of,
    groups_of,
    headline_cell,
    inputs_of,
    judge,
    load_networks,
    log_results,
    measure,
    own_arms,
    report_of,
    summary_lines,
    test_protocol,
)
from lrface.jobs.shared.evaluation.rival import rival_of, with_rival, worth_of
from lrface.jobs.shared.evaluation.strangers import stranger_gains
from lrface.jobs.shared.packs import pack_for_test
from lrface.jobs.shared.stage import copy_out, log_pack, stage
from lrface.tracking.runs.run import Run


@dataclass(frozen=True)
class Evaluated:
    """An evaluation and the run that holds it."""

    results: Results
    run_id: str


def run(
    settings: EvaluateSettings, context: Context, parent: Run | None = None, labels: Mapping[str, str] | None = None
) -> Evaluated:
    """Measure all arms, log figures, tables and pictures; `labels` names networks in the arms, by their URI."""
    recognisers, resolvers = load_networks(settings, context, labels or {})
    pack = pack_for_test(settings.data, context)
    groups_of(settings.groups, pack)  # what is wrong with it is told before anything is measured
    rival = rival_of(settings, recognisers, resolvers, context)
    arms = arms_of(recognisers, resolvers, rival)
    networks = with_rival([*recognisers, *resolvers], rival)
    protocol = test_protocol(pack, settings, networks, context)
    inputs = inputs_of(pack, protocol, recognisers, resolvers, rival)
    with (
        stage("evaluate", settings, context, name="evaluate", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        results = measure(pack, protocol, arms, settings, context)
        folder = Path(scratch) / "evaluation"
        pair = next(reversed(own_arms(arms)), None)
        worth = worth_of(
            results, arms, pair, networks, rival, settings.sizes, settings.degradations[0], settings.measure
        )
        gains = stranger_gains(results, arms, recognisers, settings)
        judged = judge(results, arms, settings, worth)
        headline = headline_cell(results, settings.sizes)
        report = report_of(
            results,
            headline,
            pack,
            arms,
            networks,
            context,
            heading=f"Evaluation on {pack.name}",
            verdict=judged.verdict if judged else None,
            comparisons=(*(judged.comparisons if judged else ()), *((worth.whole,) if worth else ())),
            worth=worth,
            gains=gains,
            settings=settings,
        )
        log_results(work.run, results, report, folder)
        lead = lead_of(results, arms, headline, worth, judged.comparisons if judged else ())
        for size, figures in curves(results, lead).items():
            work.run.log_headline(figures, size)
        for line in summary_lines(results):
            context.terminal.result(line)
        for line in (*(judged.verdict.lines if judged else ()), *(worth.lines() if worth else ())):
            context.terminal.result(line)
        for line in operating_lines(results, headline_cell(results, settings.sizes).arm):
            context.terminal.result(line)
        for line in (line for gain in gains for line in gain.lines()):
            context.terminal.result(line)
        if results.notes:
            context.terminal.line(f"evaluate: {len(results.notes)} figures could not be told; notes.json says why")
        if settings.out is not None:
            copy_out(folder, settings.out)
        return Evaluated(results, work.run.run_id)
