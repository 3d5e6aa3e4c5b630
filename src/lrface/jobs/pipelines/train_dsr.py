"""`train_dsr`: a super-resolver under a frozen recogniser; sets `dsr@baseline` or `dsr@cycle`."""

from collections.abc import Sequence

import numpy as np
import torch

from lrface.config import TrainDsrSettings
from lrface.errors import ConfigError
from lrface.images.sheet import contact_sheet
from lrface.jobs.context import Context
from lrface.jobs.networks import NONE, Recogniser, SuperResolver, load_recogniser, load_super_resolver
from lrface.jobs.packs import pack_for, super_resolution_data
from lrface.jobs.seen import may_be_named, seen_tags
from lrface.jobs.stage import data_tags, log_pack, register_network, stage, trained
from lrface.models.dsr import DSR
from lrface.tracking.lineage import joined_licences
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.runs import Run
from lrface.tracking.versions import ModelVersion
from lrface.training.dsr import DsrRecipe, DsrTraining


def run(settings: TrainDsrSettings, context: Context, parent: Run | None = None) -> ModelVersion:
    """Register a super-resolver as `dsr@baseline`, or as `dsr@cycle` where its supervisor was fine-tuned."""
    supervisor = load_recogniser(settings.edgeface, context)
    alias = _alias(settings, supervisor)
    pack = pack_for(settings.data, context)
    data = super_resolution_data(pack, settings.images_per_epoch, settings.drawn_share, settings.loop.val_faces)
    start = None if settings.start == NONE else load_super_resolver(settings.start, context)
    inputs = {"pack": pack.digest, "supervisor": supervisor.sha256, "start": start.sha256 if start else NONE}
    lineage = {
        VersionTag.SUPERVISOR: supervisor.origin,
        "supervisor_sha256": supervisor.sha256,
        VersionTag.CYCLE: supervisor.cycle,
        **_ancestors(supervisor),
    }
    with stage(
        "train_dsr",
        settings,
        context,
        name=f"train_dsr {alias}",
        inputs=inputs,
        parent=parent,
        tags=lineage,
        trains=True,
    ) as work:
        log_pack(work.run, pack, "training", sum(len(rows) for rows in data.groups))
        context.terminal.line(f"train_dsr: {settings.dsr}, supervised by {supervisor.origin}")
        if settings.loss.weights()["perceptual"] == 0:
            context.terminal.line("train_dsr: the perceptual term is off")
            work.run.set_tags({"perceptual": "off"})
        network = _network(settings, start)
        training = DsrTraining(
            network,
            supervisor.network,
            data,
            DsrRecipe(settings.loop, settings.optim, settings.loss, settings.degradation, settings.augmentation),
            seed=settings.seed,
            report=work.report,
            folder=work.folder,
            sheet=lambda rows, titles: contact_sheet(
                _stacked(rows), columns=len(rows[0]), titles=titles, row_titles=("VLR", "bicubic", "SR", "HR")
            ),
            device=context.device,
        )
        outcome = trained(training, work, context, "train_dsr")
        seen = seen_tags(training, outcome, start.version if start else None)
        work.run.set_tags(seen)
        restorer = training.trained()
        work.run.log_headline({f"dsr_{alias}/{name}": value for name, value in outcome.best.items()})
        return register_network(
            work.run,
            restorer,
            made=context.made,
            alias=alias,
            licence=joined_licences([supervisor.licence, pack.info.licence or "unknown"]),
            tags={**data_tags(pack, supervisor.version), VersionTag.JOB: "train_dsr", **lineage, **seen},
            out=settings.out,
            pack=pack,
            named=may_be_named(seen, alias, context),
            figures=outcome.best,
        )


def _alias(settings: TrainDsrSettings, supervisor: Recogniser) -> Alias:
    if supervisor.cycle > 1 and not settings.allow_second_cycle:
        raise ConfigError(
            f"supervisor {supervisor.origin}",
            got=f"a recogniser of cycle {supervisor.cycle}, fine-tuned on a DSR that was itself of the cycle",
            expected="one of cycle 0 or 1, since a second cycle has only ever made results worse",
            remedy="name an earlier version, or say allow_second_cycle=true",
        )
    if settings.alias == "auto":
        return Alias.CYCLE if supervisor.cycle else Alias.BASELINE
    return Alias(settings.alias)


def _ancestors(supervisor: Recogniser) -> dict[str, str]:
    """What the supervisor was itself made with, so that one look at a DSR tells its whole line."""
    version = supervisor.version
    if version is None or VersionTag.SUPER_RESOLVER not in version.tags:
        return {}
    return {"supervisor_super_resolver": version.tags[VersionTag.SUPER_RESOLVER]}


def _network(settings: TrainDsrSettings, start: SuperResolver | None) -> DSR:
    if start is not None:
        return start.network.requires_grad_(True).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return DSR(settings.dsr, settings.network)


def _stacked(rows: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(rows))
