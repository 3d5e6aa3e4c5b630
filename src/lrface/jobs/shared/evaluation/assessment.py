"""The evaluation that `evaluate`, `sweep`, `compare` and `promote` share: which arms, on which faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import ArmJobSettings, EvaluateSettings
from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError, DataError, EvaluationError
from lrface.evaluation.figures.results import Cell, Results
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.page import Report
from lrface.evaluation.protocol.arms import BICUBIC, HIGH_RESOLUTION, JUDGE, Arm, bicubic
from lrface.evaluation.protocol.conditions import CLEAN, conditions
from lrface.evaluation.protocol.protocol import Protocol, draw_protocol
from lrface.evaluation.report.report import ReportInput, make_report
from lrface.evaluation.report.several_page import is_gain_of_several
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import Comparison, compare
from lrface.evaluation.verdict.decision import Verdict, decide
from lrface.evaluation.verdict.strangers import TITLE, StrangerGain, stranger_section
from lrface.evaluation.verdict.worth import Worth
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.jobs.shared.evaluation.lpips import load_lpips
from lrface.jobs.shared.evaluation.rival import rival_arms, seen_words
from lrface.jobs.shared.evaluation.strangers import judge_arms, load_judge
from lrface.jobs.shared.evaluation.trained_on import untrained_rows
from lrface.jobs.shared.networks import NONE, AnyRecogniser, SuperResolver, load_any_recogniser, load_super_resolver
from lrface.tracking.names import Alias, arm_metric
from lrface.tracking.runs.lineage import run_lineage
from lrface.tracking.runs.run import Run


def load_networks(
    settings: ArmJobSettings, context: Context, labels: Mapping[str, str] | None = None
) -> tuple[tuple[AnyRecogniser, ...], tuple[SuperResolver, ...]]:
    """Load what is to be evaluated, the judge last.

    `labels` gives names for the arms, by URI, in place of those made from the URI.

    Raises:
        RegistryError: A version is missing.
        WeightsError: Weights that cannot be had or do not fit.
    """
    recognisers = [load_any_recogniser(reference, context, settings.onnx_input) for reference in settings.edgeface]
    resolvers = [load_super_resolver(reference, context) for reference in settings.dsr if reference != NONE]
    judge = load_judge(settings.judge, settings, context, recognisers)
    names = labels or {}
    return (
        (
            *(replace(item, label=names.get(item.origin, item.label)) for item in recognisers),
            *((judge,) if judge else ()),
        ),
        tuple(replace(item, label=names.get(item.origin, item.label)) for item in resolvers),
    )


def arms_of(
    recognisers: Sequence[AnyRecogniser], resolvers: Sequence[SuperResolver], rival: AnyRecogniser | None = None
) -> list[Arm]:
    """Every way from a small face to an embedding: (bicubic, each super-resolver) x each recogniser, and HR.

    Of a direct recogniser beside them, bicubic and HR alone. With one recogniser its name is left out, with one
    super-resolver that is called `dsr`. Where a pretrained and a fine-tuned recogniser are there, the fine-tuned one is
    also held against a gallery of the pretrained one. The arms of the judge come last.
    """
    upscalers = {HIGH_RESOLUTION: None, BICUBIC: bicubic} | {
        name: resolver.network.forward for name, resolver in zip(_resolver_names(resolvers), resolvers, strict=True)
    }
    arms = []
    judges = [recogniser for recogniser in recognisers if recogniser.judges]
    recognisers = [recogniser for recogniser in recognisers if not recogniser.judges]
    for suffix, recogniser in zip(_suffixes(recognisers), recognisers, strict=True):
        for name, upscaler in upscalers.items():
            limits = (VLR_MIN, VLR_MAX) if name not in {HIGH_RESOLUTION, BICUBIC} else (1, 112)
            arms.append(Arm(f"{name}{suffix}", recogniser.network, upscaler, None, *limits))
    labels = {recogniser.label: recogniser for recogniser in recognisers}
    old, new = labels.get(Alias.PRETRAINED), labels.get(Alias.FINETUNED)
    if old is not None and new is not None and resolvers:
        last, resolver = _resolver_names(resolvers)[-1], resolvers[-1]
        arms.append(
            Arm(
                f"{last}-{Alias.FINETUNED}-old_gallery",
                new.network,
                resolver.network.forward,
                old.network,
                VLR_MIN,
                VLR_MAX,
            )
        )
    arms += rival_arms(rival, recognisers)
    enlarging = {name: way for name, way in upscalers.items() if way is not None and name != BICUBIC}
    return arms + [arm for judge in judges for arm in judge_arms(judge, enlarging)]


def pair_arm(name: str, recogniser: AnyRecogniser, resolver: SuperResolver | None) -> Arm:
    """One recogniser behind one super-resolver, or behind bicubic."""
    if resolver is None:
        return Arm(name, recogniser.network, bicubic)
    return Arm(name, recogniser.network, resolver.network.forward, None, VLR_MIN, VLR_MAX)


def inputs_of(
    pack: Pack,
    protocol: Protocol,
    recognisers: Sequence[AnyRecogniser],
    resolvers: Sequence[SuperResolver],
    rival: AnyRecogniser | None,
) -> dict[str, str]:
    """Digests of what an evaluation of all arms reads, by which the same one is found again."""
    return {
        "pack": pack.digest,
        "protocol": protocol.digest,
        "direct": rival.sha256 if rival else NONE,
        **{f"edgeface_{place}": item.sha256 for place, item in enumerate(recognisers)},
        **{f"dsr_{place}": item.sha256 for place, item in enumerate(resolvers)},
    }


def test_protocol(
    pack: Pack, settings: EvaluateSettings, networks: Sequence[AnyRecogniser | SuperResolver], context: Context
) -> Protocol:
    """Draw gallery and probes from the people who are in no training; those of the val split choose the threshold.

    Raises:
        EvaluationError: The pack has no test people, or too few of their images, or the networks know them.
    """
    rows = untrained_rows(pack, networks, context)
    if not len(rows):
        raise EvaluationError(
            f"pack {pack.location}",
            got="no test subjects",
            expected="people who are in no training",
            remedy="prepare it with test subjects, or evaluate another source",
        )
    names = pack.manifest["source"].to_numpy()[rows]
    others = pack.rows(superres="val")
    calibration = (others, pack.subjects(others))
    return draw_protocol(rows, pack.subjects(rows), names, settings.protocol, pack.digest, calibration)


def measure(
    pack: Pack, protocol: Protocol, arms: Sequence[Arm], settings: EvaluateSettings, context: Context
) -> Results:
    """Evaluate the arms.

    Raises:
        ConfigError: A condition is not known.
    """
    known = conditions()
    unknown = sorted(set(settings.degradations) - set(known))
    if unknown:
        raise ConfigError("degradations", got=", ".join(unknown), expected=", ".join(known), remedy="choose from these")
    with context.terminal.progress("evaluate") as progress:
        return evaluate(
            pack.faces,
            protocol,
            arms,
            settings.sizes,
            degradations={name: known[name] for name in settings.degradations},
            real_vlr=pack.vlr,
            settings=settings.measure,
            device=context.device,
            lpips=load_lpips(settings.measure.lpips, context),
            memory=context.memory,
            progress=progress,
        )


def log_results(run: Run, results: Results, report: Report, folder: Path) -> None:
    """Log figures as metrics, files and the report as artifacts; all of them lie in `folder` then."""
    results.save(folder)
    report.save(folder)
    run.log_artifacts(folder, "evaluation")
    run.log_table(results.table(), "evaluation/table.csv")
    figures = {
        arm_metric(record.arm, record.size, record.metric): record.value
        for record in results.records
        if record.degradation == "clean" and record.value is not None and not is_gain_of_several(record.metric)
    }
    run.log_metrics(figures)
    run.set_tags({"protocol": results.protocol.digest})


def report_of(
    results: Results,
    headline: Cell,
    pack: Pack,
    arms: Sequence[Arm],
    networks: Sequence[AnyRecogniser | SuperResolver],
    context: Context,
    *,
    heading: str,
    verdict: Verdict | None = None,
    comparisons: Sequence[Comparison] = (),
    worth: Worth | None = None,
    gains: Sequence[StrangerGain] = (),
    settings: EvaluateSettings | None = None,
) -> Report:
    """The page of an evaluation: figures, faces, verdict, protocol, versions and licences."""
    versions = {item.origin: f"sha256 {item.sha256}; faces seen: {seen_words(item)}" for item in networks} | dict(
        run_lineage(context.root)
    )
    licences = [f"{item.origin}: {item.licence}" for item in networks]
    licences.append(f"faces of {pack.name}: {pack.info.licence or 'unknown'} {pack.info.terms}".strip())
    return make_report(
        ReportInput(
            results=results,
            headline=headline,
            faces=pack.faces,
            arms=arms,
            heading=heading,
            verdict=verdict,
            comparisons=comparisons,
            worth=worth,
            extra={TITLE: stranger_section(gains)},
            groups=groups_of(settings.groups if settings else NONE, pack),
            settings=settings.measure if settings else EvaluationSettings(),
            versions=versions,
            licences=licences,
            device=context.device,
        )
    )


def groups_of(path: str, pack: Pack) -> dict[str, str]:
    """Read who belongs to which group from a CSV with the columns `subject` and `group`; `none` names nobody.

    Raises:
        DataError: It cannot be read, has other columns, puts somebody into two groups, or names nobody of the pack.
    """
    if path == NONE:
        return {}
    try:
        table = pd.read_csv(given_path(path), dtype=str, keep_default_na=False, nrows=10_000_000)
        named = table.loc[table["group"] != "", ["subject", "group"]].drop_duplicates()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"groups {path}",
            got=f"{type(error).__name__}: {error}".splitlines()[0],
            expected="a CSV with the columns subject and group",
            remedy="correct groups, or leave it out",
        ) from error
    remedy = "correct groups, or leave it out"
    twice = named.loc[named["subject"].duplicated(), "subject"]
    if len(twice):
        got = f"{twice.iloc[0]} in two groups"
        raise DataError(f"groups {path}", got=got, expected="one group for each subject", remedy=remedy)
    there = sorted(set(pack.manifest["subject"]))
    if not named["subject"].isin(there).any():
        got = f"{len(named)} subjects with a group, none of whom is in {pack.name}"
        raise DataError(f"groups {path}", got=got, expected=f"its subjects, such as {there[0]}", remedy=remedy)
    return {str(subject): str(group) for subject, group in zip(named["subject"], named["group"], strict=True)}


@dataclass(frozen=True)
class Judged:
    """What an evaluation says about its last super-resolver.

    Attributes:
        verdict: What the rule and the gates say, against bicubic with the first recogniser.
        comparisons: The comparisons behind it.
    """

    verdict: Verdict
    comparisons: tuple[Comparison, ...]


def own_arms(arms: Sequence[Arm]) -> list[Arm]:
    """The arms with a super-resolver whose recogniser has enrolled the gallery too, without those of the judge."""
    own = [arm for arm in arms if arm.upscaler not in {None, bicubic} and arm.gallery_embedder is None]
    return [arm for arm in own if not arm.judges]


def judge(
    results: Results, arms: Sequence[Arm], settings: EvaluateSettings, worth: Worth | None = None
) -> Judged | None:
    """Hold the last arm with a super-resolver against bicubic with the first recogniser; None where there is no such.

    At all sizes that the arm takes, under the first condition; where it was weighed against the direct recogniser, that
    gate stands too. `promote` asks the same of the pair in place besides.
    """
    ceilings, own = [arm for arm in arms if arm.is_ceiling], own_arms(arms)
    floor = next((arm for arm in arms if arm.upscaler is bicubic), None)
    sizes = [size for size in settings.sizes if own and own[-1].takes(size)]
    if floor is None or not sizes or not results.protocol.mated.rows:
        return None
    condition = settings.degradations[0]

    def against(first: str, second: str, at: Sequence[int], under: str) -> Comparison:
        one, two = ([Cell(arm, size, under) for size in at] for arm in (first, second))
        return compare(results, one, results, two, settings.measure)

    found = against(own[-1].name, floor.name, sizes, condition)
    ceiling = next(arm for arm in ceilings if arm.embedder is own[-1].embedder)
    high = against(ceiling.name, ceilings[0].name, (FACE_SIZE,), CLEAN)
    return Judged(decide(found, None, high, against_direct=worth.whole if worth else None), (found,))


def headline_cell(results: Results, sizes: Sequence[int]) -> Cell:
    """The cell that the first screen is about: the last arm with a super-resolver, or bicubic, at a middle size."""
    own = [arm for arm in results.arms if not arm.endswith(("old_gallery", f"-{JUDGE}"))]
    arm = next((arm for arm in reversed(own) if arm.startswith("dsr")), own[-1])
    fitting = sorted(cell.size for cell in results.cells if cell.arm == arm and cell.size in sizes)
    return Cell(arm, fitting[len(fitting) // 2], next(cell.degradation for cell in results.cells if cell.arm == arm))


def summary_lines(results: Results, metrics: Sequence[str] = ("rank1", "tar_at_far_1e-2", "psnr")) -> list[str]:
    """The table that the terminal shows."""
    table = results.table()
    table = table[table["metric"].isin(metrics)]
    wide = table.pivot(index=["degradation", "size", "arm"], columns="metric", values="value")
    wide = wide.reindex(table.set_index(["degradation", "size", "arm"]).index.unique())
    wide = wide.reindex(columns=[metric for metric in metrics if metric in wide.columns])
    text: str = wide.astype(float).round(3).to_string(na_rep="")
    return text.splitlines()


def _suffixes(recognisers: Sequence[AnyRecogniser]) -> list[str]:
    if len(recognisers) == 1:
        return [""]
    return [f"-{name}" for name in _distinct([recogniser.label for recogniser in recognisers])]


def _resolver_names(resolvers: Sequence[SuperResolver]) -> list[str]:
    if len(resolvers) == 1:
        return ["dsr"]
    return [f"dsr_{name}" for name in _distinct([resolver.label for resolver in resolvers])]


def _distinct(labels: Sequence[str]) -> list[str]:
    """Labels, numbered where two are alike."""
    return [
        f"{label}_{labels[:place].count(label) + 1}" if labels.count(label) > 1 else label
        for place, label in enumerate(labels)
    ]
