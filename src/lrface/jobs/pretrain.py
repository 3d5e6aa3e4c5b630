"""`pretrain`: a recogniser to start from, loaded from weights or trained on HR faces; sets `edgeface@pretrained`."""

import torch

from lrface.cli.context import Context
from lrface.config import PretrainSettings
from lrface.jobs.shared.networks import NONE, load_recogniser
from lrface.jobs.shared.packs import pack_for, recognition_data
from lrface.jobs.shared.seen import may_be_named, seen_tags
from lrface.jobs.shared.stage import data_tags, log_pack, register_network, stage, trained
from lrface.models.edgeface.network import EdgeFace
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.registry.versions import ModelVersion
from lrface.tracking.runs.run import Run
from lrface.training.edgeface import EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.losses.margin import MarginHead


def run(settings: PretrainSettings, context: Context, parent: Run | None = None) -> ModelVersion:
    """Register a recogniser as `edgeface@pretrained`."""
    if settings.edgeface.weights != NONE:
        return _load(settings, context, parent)
    pack = pack_for(settings.data, context)
    data = recognition_data(pack, settings.images_per_epoch, settings.loop.val_faces)
    variant = settings.edgeface.variant or "xxs"
    with stage(
        "pretrain",
        settings,
        context,
        name=f"pretrain {variant}",
        inputs={"pack": pack.digest},
        parent=parent,
        trains=True,
    ) as work:
        log_pack(work.run, pack, "training", len(data.rows))
        network = EdgeFace(variant, layer_scale=settings.layer_scale, seed=settings.seed)
        recipe = EdgeFaceRecipe(
            settings.loop,
            settings.optim,
            settings.mix,
            settings.degradation,
            settings.augmentation,
            settings.collapse,
            settings.coarse,
        )
        training = EdgeFaceTraining(
            network,
            None,
            MarginHead(settings.margin, data.classes, torch.Generator().manual_seed(settings.seed)),
            None,
            data,
            recipe,
            seed=settings.seed,
            report=work.report,
            folder=work.folder,
            device=context.device,
        )
        training.stage = "pretrain"
        outcome = trained(training, work, context, "pretrain")
        seen = seen_tags(training, outcome, None)
        work.run.set_tags(seen)
        work.run.log_best("pretrain", outcome.best)
        return register_network(
            work.run,
            network,
            made=context.made,
            alias=Alias.PRETRAINED,
            licence=pack.info.licence or "unknown",
            tags={**data_tags(pack), VersionTag.CYCLE: 0, VersionTag.JOB: "pretrain", **seen},
            out=settings.out,
            pack=pack,
            named=may_be_named(seen, Alias.PRETRAINED, context),
            figures=outcome.best,
        )


def _load(settings: PretrainSettings, context: Context, parent: Run | None) -> ModelVersion:
    source = settings.edgeface
    found = load_recogniser(
        source.weights,
        context,
        variant=source.variant,
        allow_missing=source.allow_missing,
        licence=source.licence,
    )
    tags = {"lrface.initialised": ",".join(found.initialised)} if found.initialised else {}
    with stage(
        "pretrain",
        settings,
        context,
        name=f"pretrain from {found.label}",
        inputs={"weights": found.sha256},
        parent=parent,
        tags=tags,
    ) as work:
        context.terminal.line(f"pretrain: EdgeFace {found.network.variant} from {found.origin}")
        return register_network(
            work.run,
            found.network,
            made=context.made,
            alias=Alias.PRETRAINED,
            licence=found.licence,
            tags={VersionTag.CYCLE: 0, VersionTag.JOB: "pretrain", "source_sha256": found.sha256, **tags},
            out=settings.out,
        )
