"""`finetune`: a recogniser on small faces; sets `edgeface@finetuned`, without a super-resolver `edgeface@direct`."""

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lrface.cli.context import Context
from lrface.config import FinetuneSettings
from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError, EvaluationError, NonFiniteError
from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import embed_arms, evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.report.plots import png, score_histograms
from lrface.evaluation.report.report import ReportInput, make_report
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings
from lrface.images.sizes import VLR_MAX, VLR_MIN
from lrface.jobs.shared.inputs import START
from lrface.jobs.shared.networks import NONE, Recogniser, SuperResolver, load_recogniser, load_super_resolver
from lrface.jobs.shared.packs import apart_data, pack_for, recognition_data, rows_of_some_people
from lrface.jobs.shared.seen import may_be_named, seen_in_all, seen_tags
from lrface.jobs.shared.stage import Stage, data_tags, log_pack, register_network, stage, trained
from lrface.models.average import interpolated
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.registry.ancestry import line_of
from lrface.tracking.registry.versions import ModelVersion
from lrface.tracking.runs.lineage import joined_licences
from lrface.tracking.runs.run import Run
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.head import cached_embeddings, train_head
from lrface.training.loop.findings import way_back_lost
from lrface.training.losses.margin import MarginHead
from lrface.training.pair import PairTraining
from lrface.training.settings import JointSettings, MixSettings

GENTLE_HEAD_LR, GENTLE_CLIP = 5e-5, 0.5


@dataclass(frozen=True)
class Tuned:
    """What a fine-tuning has registered: a recogniser, and the super-resolver that was trained with it, if one was."""

    edgeface: ModelVersion
    dsr: ModelVersion | None = None


@dataclass(frozen=True)
class _Parts:
    """What a fine-tuning starts from."""

    start: Recogniser
    teacher: Recogniser
    resolver: SuperResolver | None
    rest: Recogniser


@dataclass(frozen=True)
class _Trained:
    """How a fine-tuning ended."""

    network: EdgeFace
    figures: Mapping[str, float]
    seen: dict[str, int]
    dsr: DSR | None = None


def run(settings: FinetuneSettings, context: Context, parent: Run | None = None) -> ModelVersion:
    """Fine-tune in two stages and register the best state as `edgeface@finetuned`, or as `edgeface@direct`."""
    return run_both(settings, context, parent).edgeface


def run_both(settings: FinetuneSettings, context: Context, parent: Run | None = None) -> Tuned:
    """As `run`; where both networks were trained at once, also register the super-resolver as `dsr@cycle`."""
    alias = _alias(settings)
    start = load_recogniser(settings.edgeface, context)
    teacher = start if settings.teacher == START else load_recogniser(settings.teacher, context)
    rest = _rest(settings, start, context)
    resolver = load_super_resolver(settings.dsr, context) if settings.dsr != NONE else None
    pack = pack_for(settings.data, context)
    rows_for = apart_data if settings.val_people == "unseen" else recognition_data
    data = rows_for(pack, settings.images_per_epoch, settings.loop.val_faces)
    inputs = {"pack": pack.digest, "edgeface": start.sha256, "dsr": resolver.sha256 if resolver else NONE}
    inputs |= {} if teacher is start else {"teacher": teacher.sha256}
    inputs |= {} if rest is start else {"back_to": rest.sha256}
    parts = _Parts(start, teacher, resolver, rest)
    cycle = resolver.cycle + 1 if resolver else start.cycle
    word = Alias.DIRECT.value if alias is Alias.DIRECT else "finetune"
    if teacher is not start and not settings.optim.anchor and not settings.optim.contrast:
        context.terminal.line(
            f"{word}: neither anchor nor contrast has a weight, so teacher={teacher.origin} teaches nothing"
        )
    if resolver is None:
        if settings.joint.lr:
            context.terminal.line(
                f"{word}: there is no super-resolver to train with it, so joint.lr counts for nothing"
            )
        settings = settings.model_copy(update={"mix": _without_sr(settings.mix), "joint": JointSettings()})
    lineage = {
        VersionTag.SUPER_RESOLVER: resolver.origin if resolver else "bicubic",
        "super_resolver_sha256": inputs["dsr"],
        "start": start.origin,
        "start_sha256": start.sha256,
        VersionTag.CYCLE: cycle,
    }
    if settings.val_people == "unseen":
        lineage |= {"val_people": "unseen"}
        _tell_known(start, pack, word, context)
    if teacher is not start:
        lineage |= {"teacher": teacher.origin, "teacher_sha256": teacher.sha256}
    if settings.tuned_share < 1:
        lineage |= {"tuned_share": settings.tuned_share, "back_to": rest.origin, "back_to_sha256": rest.sha256}
    with stage(
        "finetune",
        settings,
        context,
        name=f"{word} {start.label}",
        inputs=inputs,
        parent=parent,
        tags=lineage,
        trains=True,
    ) as work:
        log_pack(work.run, pack, "training", len(data.rows))
        context.terminal.line(f"{word}: {start.origin} on faces of {lineage[VersionTag.SUPER_RESOLVER]}")
        made = _tune(settings, context, work, parts, data, word)
        network, figures, seen = made.network, made.figures, made.seen
        work.run.set_tags(seen)
        _show(settings, context, work, pack, start, network, made.dsr or (resolver.network if resolver else None))
        licences = [
            start.licence,
            teacher.licence,
            resolver.licence if resolver else "",
            pack.info.licence or "unknown",
        ]
        terms = data_tags(pack, start.version, teacher.version, resolver.version if resolver else None)
        licence = joined_licences(dict.fromkeys(filter(None, licences)))
        tuned = register_network(
            work.run,
            network,
            made=context.made,
            alias=alias,
            licence=licence,
            tags={**terms, VersionTag.JOB: "finetune", **lineage, **seen},
            out=settings.out,
            pack=pack,
            named=may_be_named(seen, alias, context),
            figures=figures,
        )
        if made.dsr is None or resolver is None:
            return Tuned(tuned)
        told = {
            VersionTag.SUPERVISOR: tuned.uri,
            "supervisor_sha256": tuned.sha256,
            "start": resolver.origin,
            "start_sha256": resolver.sha256,
            VersionTag.CYCLE: cycle,
            VersionTag.FACES_SEEN.value: seen[VersionTag.FACES_SEEN.value],
            VersionTag.FACES_IN_ALL.value: seen[VersionTag.FACES_SEEN.value] + seen_in_all(resolver.version),
        }
        restorer = register_network(
            work.run,
            made.dsr,
            made=context.made,
            alias=Alias.CYCLE,
            licence=licence,
            tags={**terms, VersionTag.JOB: "finetune", **told},
            out=settings.out,
            pack=pack,
            named=may_be_named(seen, Alias.CYCLE, context),
            figures=figures,
        )
        return Tuned(tuned, restorer)


def _alias(settings: FinetuneSettings) -> Alias:
    """The alias of the new version.

    Raises:
        ConfigError: What a super-resolver has shown faces to is to be called direct.
    """
    if settings.alias == "auto":
        return Alias.DIRECT if settings.dsr == NONE else Alias.FINETUNED
    if settings.alias == "direct" and settings.dsr != NONE:
        raise ConfigError(
            "alias direct",
            got=f"dsr={settings.dsr}",
            expected="dsr=none, for direct is what has seen small faces as they are",
            remedy="say dsr=none, or alias=finetuned",
        )
    return Alias(settings.alias)


def _tell_known(start: Recogniser, pack: Pack, word: str, context: Context) -> None:
    """Tell where the people that nobody is to have seen were trained on before, by what the start was made of."""
    for version in line_of(context.store, [start.version] if start.version else []):
        learnt = version.tags.get(VersionTag.JOB) in {"pretrain", "finetune"}
        if learnt and version.tags.get(VersionTag.PACK) == pack.digest and version.tags.get("val_people") != "unseen":
            cause = f"{word}: {version.uri} has learnt the validation people of this pack, which are called unseen here"
            context.terminal.finding(
                "warning", "val_people", cause, "start from weights that have not met these people"
            )
            return


def _rest(settings: FinetuneSettings, start: Recogniser, context: Context) -> Recogniser:
    """The recogniser whose weights have the rest of `tuned_share`.

    Raises:
        ConfigError: It is of another size than the one that is trained.
    """
    if settings.back_to == START or settings.tuned_share == 1:
        return start
    rest = load_recogniser(settings.back_to, context)
    if rest.network.variant != start.network.variant:
        raise ConfigError(
            "back_to",
            got=f"{rest.origin}, EdgeFace {rest.network.variant}",
            expected=f"EdgeFace {start.network.variant}, as {start.origin}: their weights are averaged",
            remedy="name the recogniser that the start was fine-tuned from, or leave back_to=start",
        )
    return rest


def _without_sr(mix: MixSettings) -> MixSettings:
    """The same mix where nobody super-resolves: as many small faces, enlarged by bicubic."""
    return mix.model_copy(update={"sr": 0.0, "bicubic": mix.sr + mix.bicubic})


def _tune(
    settings: FinetuneSettings,
    context: Context,
    work: Stage,
    parts: _Parts,
    data: EdgeFaceData,
    word: str,
) -> _Trained:
    """Both stages; again with gentler settings where an epoch was not finite."""
    tries = settings.retries if settings.on_nan == "retry" else 0
    for attempt in range(tries + 1):
        try:
            return _train(settings, context, work, work.folder / f"stage_2_{attempt}", parts, data, word)
        except NonFiniteError as error:
            if attempt == tries:
                raise
            settings = gentler(settings)
            context.terminal.line(f"{error}; trying again, {attempt + 1} of {tries}")
            work.run.set_tags({f"retry_{attempt + 1}": settings.optim.model_dump_json()})
    raise AssertionError("the last try either returns or raises")


def gentler(settings: FinetuneSettings) -> FinetuneSettings:
    """The next step down: a lower head rate, then a tighter clip, then a softer margin."""
    optim, margin = settings.optim, settings.margin
    if optim.head_lr > GENTLE_HEAD_LR:
        optim = optim.model_copy(update={"head_lr": GENTLE_HEAD_LR, "backbone_lr": optim.backbone_lr / 2})
    elif optim.clip > GENTLE_CLIP:
        optim = optim.model_copy(update={"clip": GENTLE_CLIP})
    else:
        margin = margin.model_copy(update={"scale": 16.0, "margin": 0.2})
        optim = optim.model_copy(update={"head_lr": optim.head_lr / 2, "backbone_lr": optim.backbone_lr / 2})
    return settings.model_copy(update={"optim": optim, "margin": margin})


def _train(
    settings: FinetuneSettings,
    context: Context,
    work: Stage,
    folder: Path,
    parts: _Parts,
    data: EdgeFaceData,
    word: str,
) -> _Trained:
    start, anchor, resolver = parts.start, parts.teacher.network, parts.resolver
    network = copy.deepcopy(start.network).requires_grad_(True)
    recipe = EdgeFaceRecipe(
        settings.loop, settings.optim, settings.mix, settings.degradation, settings.augmentation, settings.collapse
    )
    restore = resolver.network.restore if resolver else None
    generator = torch.Generator().manual_seed(settings.seed)
    head = MarginHead(settings.margin, data.classes, generator)
    with context.terminal.progress(f"{word} stage 1") as progress:
        embeddings, labels = cached_embeddings(
            start.network, restore, data, recipe, generator, context.device, progress
        )
    if settings.margin.start == "centres":
        head.start_at_centres(embeddings, labels, generator)
    stage_1 = train_head(head, embeddings, labels, settings.head, settings.loop.batch_size, settings.seed)
    for epoch, values in enumerate(stage_1):
        work.run.log_metrics({f"stage1/{name}": value for name, value in values.items()}, step=epoch)
        context.terminal.line(
            f"{word} stage 1 epoch {epoch + 1}/{settings.head.epochs} "
            f"loss {values['loss_arcface']:.4f} accuracy {values['accuracy']:.4f}"
        )
    accuracy = stage_1[-1]["accuracy"] if stage_1 else None
    how: dict[str, Any] = {"seed": settings.seed, "report": work.report, "folder": folder, "device": context.device}
    dsr = copy.deepcopy(resolver.network) if resolver and settings.joint.lr else None
    training: EdgeFaceTraining
    if dsr is not None:
        training = PairTraining(network, anchor, head, dsr, data, recipe, settings.joint, head_accuracy=accuracy, **how)
    else:
        training = EdgeFaceTraining(network, anchor, head, restore, data, recipe, head_accuracy=accuracy, **how)
    training.stage = word
    outcome = trained(training, work, context, f"{word} stage 2")
    work.run.log_best(word, outcome.best)
    seen = seen_tags(training, outcome, start.version)
    if settings.tuned_share == 1:
        return _Trained(network, outcome.best, seen, dsr)
    mixed = interpolated(parts.rest.network, network, settings.tuned_share)
    figures = training.figures_of(mixed)
    work.run.log_metrics({f"val_registered/{name}": value for name, value in figures.items()})
    told = "  ".join(f"{name} {figures[name]:.3f}" for name in training.shown if name in figures)
    context.terminal.line(
        f"{word}: {settings.tuned_share:g} of the way from {parts.rest.origin} is registered: val {told}"
    )
    if training.start_metrics and training.score(figures) < training.score(training.start_metrics):
        work.report.finding(way_back_lost(settings.tuned_share, parts.rest.origin))
    return _Trained(mixed, figures, seen, dsr)


def _show(
    settings: FinetuneSettings,
    context: Context,
    work: Stage,
    pack: Pack,
    start: Recogniser,
    network: EdgeFace,
    dsr: DSR | None,
) -> None:
    """Before and after, side by side, on validation images of as many people as `val_faces` allows."""
    rows = pack.rows(superres="val") if settings.val_people == "unseen" else pack.rows(recognition="val")
    rows = rows_of_some_people(rows, pack.subjects(rows), settings.loop.val_faces)
    names = pack.manifest["source"].to_numpy()[rows]
    try:
        protocol = draw_protocol(rows, pack.subjects(rows), names, ProtocolSettings(), pack.digest)
    except EvaluationError as error:
        context.terminal.line(f"finetune: no before and after: {error}")
        return
    upscaler = bicubic if dsr is None else dsr.eval().forward
    network.eval()
    way = "bicubic" if dsr is None else "dsr"
    arms = []
    for name, embedder in (("before", start.network), ("after", network)):
        arms += [Arm(f"hr-{name}", embedder), Arm(f"{way}-{name}", embedder, upscaler, None, VLR_MIN, VLR_MAX)]
    measure = EvaluationSettings(replicates=200)
    results = evaluate(pack.faces, protocol, arms, settings.shown_sizes, settings=measure, device=context.device)
    seen = embed_arms(pack.faces, protocol.pairs.rows, arms[1::2], settings.shown_sizes[0], device=context.device)
    report = make_report(
        ReportInput(
            results=results,
            headline=Cell(arms[-1].name, settings.shown_sizes[0], "clean"),
            faces=pack.faces,
            arms=arms,
            heading=f"Before and after fine-tuning {start.origin}, on validation images",
            embeddings=seen,
            device=context.device,
        )
    )
    size = settings.shown_sizes[0]
    scores = {f"{arm.name}, {size} px": results.cell(arm.name, size, "clean") for arm in arms[1::2]}
    with tempfile.TemporaryDirectory() as scratch:
        results.save(Path(scratch))
        report.save(Path(scratch))
        Path(scratch, "scores_before_and_after.png").write_bytes(png(score_histograms(scores, results.threshold)))
        work.run.log_artifacts(Path(scratch), "before_and_after")
