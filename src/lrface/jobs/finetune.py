"""`finetune`: a recogniser on what a super-resolver makes; sets `edgeface@finetuned`."""

import copy

import torch

from lrface.config import FinetuneSettings
from lrface.jobs.command import Context, command, leave
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.networks import NONE, SuperResolver, load_recogniser, load_super_resolver
from lrface.jobs.packs import pack_for, recognition_data
from lrface.jobs.stage import Stage, log_pack, register_network, stage
from lrface.losses.margin import MarginHead
from lrface.models.edgeface import EdgeFace
from lrface.tracking.lineage import joined_licences
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.runs import Run
from lrface.tracking.versions import ModelVersion
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, EdgeFaceTraining
from lrface.training.fit import fit
from lrface.training.head import cached_embeddings, train_head

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "recogniser to start from: models:/ URI, path or released name"),
    Parameter("dsr", "dsr", "super-resolver that makes its faces: models:/ URI, model folder, or none for bicubic"),
    Parameter("epochs", "loop.epochs", "epochs of stage 2"),
    Parameter("batch_size", "loop.batch_size", "faces in a batch"),
)


def run(settings: FinetuneSettings, context: Context, parent: Run | None = None) -> ModelVersion:
    """Fine-tune in two stages and register the best state as `edgeface@finetuned`."""
    start = load_recogniser(settings.edgeface, context)
    resolver = load_super_resolver(settings.dsr, context) if settings.dsr != NONE else None
    pack = pack_for(settings.data, context)
    data = recognition_data(pack, settings.images_per_epoch, settings.loop.val_faces)
    inputs = {"pack": pack.digest, "edgeface": start.sha256, "dsr": resolver.sha256 if resolver else NONE}
    cycle = (resolver.cycle if resolver else 0) + 1
    lineage = {
        VersionTag.SUPER_RESOLVER: resolver.origin if resolver else "bicubic",
        "super_resolver_sha256": inputs["dsr"],
        "start": start.origin,
        "start_sha256": start.sha256,
        VersionTag.CYCLE: cycle,
    }
    with stage(
        "finetune", settings, context, name=f"finetune {start.label}", inputs=inputs, parent=parent, tags=lineage
    ) as work:
        log_pack(work.run, pack, "training", len(data.rows))
        context.terminal.line(f"finetune: {start.origin} on faces of {lineage[VersionTag.SUPER_RESOLVER]}")
        network = copy.deepcopy(start.network).requires_grad_(True)
        _train(settings, context, work, network, start.network, resolver, data)
        licences = [start.licence, resolver.licence if resolver else "", pack.info.licence or "unknown"]
        return register_network(
            work.run,
            network,
            alias=Alias.FINETUNED,
            licence=joined_licences(filter(None, licences)),
            tags={VersionTag.PACK: pack.digest, VersionTag.JOB: "finetune", **lineage},
            out=settings.out,
        )


def _train(
    settings: FinetuneSettings,
    context: Context,
    work: Stage,
    network: EdgeFace,
    anchor: EdgeFace,
    resolver: SuperResolver | None,
    data: EdgeFaceData,
) -> None:
    recipe = EdgeFaceRecipe(
        settings.loop, settings.optim, settings.mix, settings.degradation, settings.augmentation, settings.collapse
    )
    restore = resolver.network.restore if resolver else None
    generator = torch.Generator().manual_seed(settings.seed)
    head = MarginHead(settings.margin, data.classes, generator)
    with context.terminal.progress("finetune stage 1") as progress:
        embeddings, labels = cached_embeddings(anchor, restore, data, recipe, generator, context.device, progress)
    if settings.margin.start == "centres":
        head.start_at_centres(embeddings, labels, generator)
    for epoch, values in enumerate(
        train_head(head, embeddings, labels, settings.head, settings.loop.batch_size, settings.seed)
    ):
        work.run.log_metrics({f"stage1/{name}": value for name, value in values.items()}, step=epoch)
        context.terminal.line(
            f"finetune stage 1 epoch {epoch + 1}/{settings.head.epochs} "
            f"loss {values['loss_arcface']:.4f} accuracy {values['accuracy']:.4f}"
        )
    training = EdgeFaceTraining(
        network,
        anchor,
        head,
        restore,
        data,
        recipe,
        seed=settings.seed,
        report=work.report,
        folder=work.folder,
        device=context.device,
    )
    training.stage = "finetune"
    with context.terminal.progress("finetune stage 2") as progress:
        outcome = fit(training, context.device, progress)
    work.run.log_headline({f"finetune/{name}": value for name, value in outcome.best.items()})


if __name__ == "__main__":
    leave(command("finetune", FinetuneSettings, run, PARAMETERS))
