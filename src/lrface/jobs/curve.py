"""`curve`: how small a face may be: every arm from 8 to 112 pixels under every condition, one plot and one table."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lrface.cli.context import Context
from lrface.config import CurveSettings
from lrface.evaluation.figures.curve import curve_lines, curve_table, smallest_size
from lrface.evaluation.figures.results import Results
from lrface.evaluation.report.plots import curve_panels
from lrface.jobs.shared.evaluation.assessment import arms_of, inputs_of, load_networks, measure, test_protocol
from lrface.jobs.shared.evaluation.rival import rival_of, with_rival
from lrface.jobs.shared.packs import pack_for_test
from lrface.jobs.shared.stage import copy_out, log_pack, stage
from lrface.tracking.names import clean_key
from lrface.tracking.runs.run import Run

FOLDER = "curve"


@dataclass(frozen=True)
class Curve:
    """What was found.

    Attributes:
        results: The evaluation behind it.
        table: arm, degradation, size, value, low, high, n.
        smallest: By arm and condition, the side in pixels from which on the figure is at or over the wanted one;
            None where it is not even at the largest size.
    """

    results: Results
    table: pd.DataFrame
    smallest: dict[tuple[str, str], float | None]


def run(settings: CurveSettings, context: Context, parent: Run | None = None) -> Curve:
    """Measure all arms at all sizes under all conditions."""
    recognisers, resolvers = load_networks(settings, context)
    pack = pack_for_test(settings.data, context)
    rival = rival_of(settings, recognisers, resolvers, context)
    protocol = test_protocol(pack, settings, with_rival([*recognisers, *resolvers], rival), context)
    arms = arms_of(recognisers, resolvers, rival)
    inputs = inputs_of(pack, protocol, recognisers, resolvers, rival)
    with (
        stage("curve", settings, context, name="curve", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        results = measure(pack, protocol, arms, settings, context)
        table = curve_table(results, settings.metric)
        small = table[table["arm"].isin([arm.name for arm in arms if not arm.is_ceiling])]
        folder = Path(scratch) / FOLDER
        results.save(folder)
        curve_panels(results, settings.metric).savefig(folder / "curve.png", metadata={"Software": None})
        table.to_csv(folder / "curve.csv", index=False)
        work.run.log_artifacts(folder, FOLDER)
        work.run.set_tags({"protocol": protocol.digest})
        for size in settings.sizes:
            rows = small[small["size"] == size]
            figures = {
                clean_key(f"{FOLDER}/{arm}/{condition}/{settings.metric}"): float(value)
                for arm, condition, value in zip(rows["arm"], rows["degradation"], rows["value"], strict=True)
            }
            work.run.log_metrics(figures, step=size)
        smallest = {
            (str(arm), str(condition)): smallest_size(small, str(arm), settings.wanted, str(condition))
            for arm, condition in small[["arm", "degradation"]].drop_duplicates().itertuples(index=False)
        }
        work.run.log_headline(
            {
                clean_key(f"{FOLDER}/{arm}/{condition}/smallest_size"): size
                for (arm, condition), size in smallest.items()
                if size is not None
            }
        )
        for line in curve_lines(table, settings.metric):
            context.terminal.result(line)
        for (arm, condition), least in smallest.items():
            said = "not at any size" if least is None else f"from {least:.1f} px on"
            context.terminal.result(f"{arm}, {condition}: {settings.metric} of {settings.wanted:g} or more {said}")
        if settings.out is not None:
            copy_out(folder, settings.out)
    return Curve(results, table, smallest)
