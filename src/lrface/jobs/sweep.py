"""`sweep`: what each threshold would give, and the two best ones."""

from lrface.config import SweepSettings
from lrface.evaluation import sweep as sweeping
from lrface.evaluation.figures import sweep_curves
from lrface.jobs.assessment import arms_of, load_networks, measure, test_protocol
from lrface.jobs.command import Context, command, leave
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.packs import pack_for_test
from lrface.jobs.stage import log_pack, stage
from lrface.tracking.names import clean_key
from lrface.tracking.runs import Run

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "recognisers, by commas: models:/ URI, path or released name"),
    Parameter("dsr", "dsr", "super-resolvers, by commas: models:/ URI or model folder; none for bicubic alone"),
    Parameter("threshold", "measure.threshold", "cosine that is reported beside the best ones"),
)


def run(settings: SweepSettings, context: Context, parent: Run | None = None) -> dict[str, sweeping.Sweep]:
    """Sweep every arm at one size."""
    recognisers, resolvers = load_networks(settings, context)
    pack = pack_for_test(settings.data, context)
    protocol = test_protocol(pack, settings)
    arms = [arm for arm in arms_of(recognisers, resolvers) if not arm.is_ceiling]
    inputs = {"pack": pack.digest, "protocol": protocol.digest}
    inputs |= {f"edgeface_{place}": item.sha256 for place, item in enumerate(recognisers)}
    inputs |= {f"dsr_{place}": item.sha256 for place, item in enumerate(resolvers)}
    swept = {}
    with stage("sweep", settings, context, name="sweep", inputs=inputs, parent=parent) as work:
        log_pack(work.run, pack, "test", len(protocol.probe_rows))
        sized = settings.model_copy(update={"sizes": (settings.size,), "degradations": ("clean",)})
        results = measure(pack, protocol, arms, sized, context)
        how = sweeping.SweepSettings(false_alarm=settings.false_alarm)
        for arm in results.arms:
            found = sweeping.sweep(results.cell(arm, settings.size), how)
            swept[arm] = found
            work.run.log_table(found.table, f"sweep/{clean_key(arm)}.csv")
            title = f"Threshold of {arm} at {settings.size} px"
            work.run.log_figure(sweep_curves(found, title, settings.measure.threshold), f"sweep/{clean_key(arm)}.png")
            work.run.log_headline({f"sweep/{arm}/threshold_by_correct": found.by_correct.threshold})
            context.terminal.line(
                f"{arm} at {settings.size} px: most correct ({found.by_correct.correct:.3f}) "
                f"at threshold {found.by_correct.threshold:.3f}"
            )
            if found.by_false_alarm is None:
                context.terminal.line(f"{arm}: no threshold by false alarms: {found.reason}")
            else:
                work.run.log_headline({f"sweep/{arm}/threshold_by_false_alarm": found.by_false_alarm.threshold})
                context.terminal.line(
                    f"{arm}: false alarms at most {settings.false_alarm} from threshold "
                    f"{found.by_false_alarm.threshold:.3f}, correct {found.by_false_alarm.correct:.3f}"
                )
    return swept


if __name__ == "__main__":
    leave(command("sweep", SweepSettings, run, PARAMETERS))
