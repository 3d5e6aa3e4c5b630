"""`sweep`: what each threshold would give, the two best ones, the calibrated one and the one in use."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from lrface.cli.context import Context
from lrface.config import SweepSettings
from lrface.evaluation.figures import sweep as sweeping
from lrface.evaluation.figures.results import Results
from lrface.evaluation.report.plots import sweep_curves
from lrface.jobs.shared.evaluation.assessment import arms_of, inputs_of, load_networks, measure, test_protocol
from lrface.jobs.shared.evaluation.rival import rival_of, with_rival
from lrface.jobs.shared.packs import pack_for_test
from lrface.jobs.shared.stage import copy_out, log_pack, stage
from lrface.tracking.names import clean_key
from lrface.tracking.runs.run import Run

RULES = ("most_correct", "false_alarm", "calibrated", "in_use")


def run(settings: SweepSettings, context: Context, parent: Run | None = None) -> dict[str, sweeping.Sweep]:
    """Sweep every arm at one size."""
    recognisers, resolvers = load_networks(settings, context)
    pack = pack_for_test(settings.data, context)
    rival = rival_of(settings, recognisers, resolvers, context)
    protocol = test_protocol(pack, settings, with_rival([*recognisers, *resolvers], rival), context)
    arms = [arm for arm in arms_of(recognisers, resolvers, rival) if not arm.is_ceiling and arm.takes(settings.size)]
    inputs = inputs_of(pack, protocol, recognisers, resolvers, rival)
    swept, rows = {}, []
    with (
        stage("sweep", settings, context, name="sweep", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        rate = settings.false_alarm
        sized = settings.model_copy(
            update={
                "sizes": (settings.size,),
                "degradations": ("clean",),
                "measure": settings.measure.model_copy(update={"calibration_fpir": rate}),
            }
        )
        results = measure(pack, protocol, arms, sized, context)
        folder = Path(scratch) / "sweep"
        folder.mkdir()
        for arm in results.arms:
            found = sweeping.sweep(results.cell(arm, settings.size), sweeping.SweepSettings(false_alarm=rate))
            swept[arm] = found
            name = clean_key(arm)
            found.table.to_csv(folder / f"{name}.csv", index=False)
            title = f"Threshold of {arm} at {settings.size} px"
            drawn = sweep_curves(found, title, settings.measure.threshold)
            drawn.savefig(folder / f"{name}.png", metadata={"Software": None})
            rows += _rows(results, arm, settings, found)
            if found.by_false_alarm is None:
                context.terminal.line(f"{arm}: no threshold by false alarms: {found.reason}")
        table = pd.DataFrame(rows)
        table.to_csv(folder / "thresholds.csv", index=False)
        work.run.log_artifacts(folder, "sweep")
        work.run.log_headline(_headline(rows))
        for line in table.round(3).to_string(index=False, na_rep="").splitlines():
            context.terminal.result(line)
        for note in results.notes:
            if "calibrat" in note:
                context.terminal.line(note)
        if settings.out is not None:
            copy_out(folder, settings.out)
    return swept


def _rows(
    results: Results, arm: str, settings: SweepSettings, found: sweeping.Sweep
) -> list[dict[str, str | float | None]]:
    """What an arm gives at the thresholds of all rules, best ones on the probes themselves."""
    kept = results.cell(arm, settings.size)
    points = {
        "most_correct": found.by_correct,
        "false_alarm": found.by_false_alarm,
        "in_use": sweeping.point_at(kept, settings.measure.threshold),
    }
    rows: list[dict[str, str | float | None]] = [
        {"arm": arm, "rule": rule, **vars(point)} for rule, point in points.items() if point is not None
    ]
    if math.isfinite(kept.calibrated_threshold):
        metrics = {
            entry.metric.removesuffix("_calibrated"): entry.value
            for entry in results.records
            if entry.arm == arm and entry.metric.endswith("_calibrated")
        }
        rows.append({"arm": arm, "rule": "calibrated", **metrics})
    return sorted(rows, key=lambda row: RULES.index(str(row["rule"])))


def _headline(rows: Sequence[Mapping[str, str | float | None]]) -> dict[str, float]:
    names = {"most_correct": "by_correct", "false_alarm": "by_false_alarm", "calibrated": "calibrated"}
    figures = {}
    for row in rows:
        if row["rule"] in names:
            figures[f"sweep/{row['arm']}/threshold_{names[str(row['rule'])]}"] = row["threshold"]
            figures[f"sweep/{row['arm']}/correct_{names[str(row['rule'])]}"] = row["correct"]
    return {clean_key(name): float(value) for name, value in figures.items() if value is not None}
