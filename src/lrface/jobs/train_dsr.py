"""`train_dsr`: a super-resolver under a frozen recogniser; sets `dsr@baseline` or `dsr@cycle`."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int64

from lrface.cli.context import Context
from lrface.config import TrainDsrSettings
from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError
from lrface.images.sheet import contact_sheet
from lrface.jobs.shared.evaluation.strangers import load_judge
from lrface.jobs.shared.networks import NONE, Recogniser, SuperResolver, load_recogniser, load_super_resolver
from lrface.jobs.shared.packs import pack_for, super_resolution_data
from lrface.jobs.shared.seen import may_be_named, seen_tags
from lrface.jobs.shared.stage import data_tags, log_pack, register_network, stage, trained
from lrface.models.dsr.network import DSR, VARIANTS
from lrface.tracking.names import Alias, VersionTag
from lrface.tracking.notes import NOTE, job_note, picture
from lrface.tracking.registry.versions import ModelVersion
from lrface.tracking.runs.lineage import joined_licences
from lrface.tracking.runs.run import Run
from lrface.training.dsr import DsrRecipe, DsrTraining
from lrface.training.supervisors import Ensemble

FACES_WIDTH = 800
"""Of the sheet of faces in the note of a run [pixels]."""


def run(settings: TrainDsrSettings, context: Context, parent: Run | None = None) -> ModelVersion:
    """Register a super-resolver as `dsr@baseline`, or as `dsr@cycle` where its supervisor was fine-tuned."""
    supervisor = load_recogniser(settings.edgeface, context)
    others = _others(settings, context, supervisor)
    everyone = (supervisor, *others)
    judge = load_judge(settings.judge, settings, context, everyone)
    alias = _alias(settings, everyone)
    pack = pack_for(settings.data, context)
    data = super_resolution_data(pack, settings.images_per_epoch, settings.drawn_share, settings.loop.val_faces)
    if settings.optim.select != "psnr":
        _may_be_chosen_by_identity(data.validation.people, pack, settings.optim.select)
    start = _start(settings, context)
    parts = (*everyone, *((start,) if start else ()))
    inputs = {"pack": pack.digest, "supervisor": supervisor.sha256, "start": start.sha256 if start else NONE}
    inputs |= {f"supervisor_{place}": item.sha256 for place, item in enumerate(others, start=2)}
    inputs |= {"judge": judge.sha256} if judge else {}
    lineage = {
        VersionTag.SUPERVISOR: supervisor.origin,
        "supervisor_sha256": supervisor.sha256,
        VersionTag.CYCLE: max(item.cycle for item in everyone),
        **_ancestors(supervisor),
    }
    if others:
        lineage["supervisors"] = ", ".join(item.origin for item in everyone)
        lineage["supervisors_sha256"] = ", ".join(item.sha256 for item in everyone)
    if start is not None:
        lineage |= {"start": start.origin, "start_sha256": start.sha256}
    if judge is not None:
        lineage |= {"judge": judge.origin, "judge_sha256": judge.sha256}
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
        context.terminal.line(f"train_dsr: {settings.dsr}, supervised by {', '.join(item.origin for item in everyone)}")
        if settings.loss.weights()["perceptual"] == 0:
            context.terminal.line("train_dsr: the perceptual term is off")
            work.run.set_tags({"perceptual": "off"})
        own, drawn = map(len, data.groups)
        if own and drawn and settings.drawn_share and not settings.images_per_epoch:
            context.terminal.line(
                f"train_dsr: {drawn} drawn faces of {own + drawn} are shown once an epoch, as every other; drawn_share "
                "counts with images_per_epoch"
            )
        network = _network(settings, start)
        training = DsrTraining(
            network,
            Ensemble([item.network for item in everyone]) if others else supervisor.network,
            data,
            DsrRecipe(settings.loop, settings.optim, settings.loss, settings.degradation, settings.augmentation),
            seed=settings.seed,
            report=work.report,
            folder=work.folder,
            sheet=lambda rows, titles: contact_sheet(
                np.concatenate(list(rows)),
                columns=len(rows[0]),
                titles=titles,
                row_titles=("VLR", "bicubic", "SR", "HR"),
            ),
            device=context.device,
            judge=judge.network if judge else None,
        )
        training.start_competes = start is not None
        outcome = trained(training, work, context, "train_dsr")
        seen = seen_tags(training, outcome, start.version if start else None)
        work.run.set_tags(seen)
        restorer = training.trained()
        work.run.log_best(f"dsr_{alias}", outcome.best)
        shown = [picture(work.run, name, image, FACES_WIDTH) for name, image in work.report.last.items()]
        work.run.set_tags({NOTE: job_note("train_dsr", work.run, "\n\n".join(shown))})
        return register_network(
            work.run,
            restorer,
            made=context.made,
            alias=alias,
            licence=joined_licences([*(item.licence for item in parts), pack.info.licence or "unknown"]),
            tags={
                **data_tags(pack, *(item.version for item in parts)),
                VersionTag.JOB: "train_dsr",
                **lineage,
                **seen,
            },
            out=settings.out,
            pack=pack,
            named=may_be_named(seen, alias, context),
            figures=outcome.best,
        )


def _others(settings: TrainDsrSettings, context: Context, first: Recogniser) -> tuple[Recogniser, ...]:
    """The further supervisors, none of them twice."""
    found = tuple(load_recogniser(reference, context) for reference in settings.supervisors)
    hashes = [first.sha256, *(item.sha256 for item in found)]
    if twice := [item.origin for place, item in enumerate(found, start=1) if item.sha256 in hashes[:place]]:
        raise ConfigError(
            "supervisors",
            got=f"{twice[0]}, which is there already",
            expected="recognisers that differ",
            remedy="name each once; edgeface is among them",
        )
    return found


def _alias(settings: TrainDsrSettings, supervisors: Sequence[Recogniser]) -> Alias:
    supervisor = max(supervisors, key=lambda item: item.cycle)
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


def _may_be_chosen_by_identity(people: Int64[np.ndarray, " n"], pack: Pack, select: str) -> None:
    """Refuse what could not tell a super-resolver that keeps people apart from one that makes all faces one.

    Raises:
        ConfigError: Nobody of those who are judged by has two faces, or there is one person alone.
    """
    each = np.unique(people, return_counts=True)[1]
    if len(each) < 2 or each.max() < 2:
        raise ConfigError(
            f"optim.select={select}",
            got=f"{len(people)} faces of {len(each)} people in the val split of {pack.location}",
            expected="two people or more, one with two faces: else one face for everybody would be the best",
            remedy="say optim.select=psnr, or give more faces of each person",
        )


def _start(settings: TrainDsrSettings, context: Context) -> SuperResolver | None:
    """The super-resolver that is trained on.

    Raises:
        ConfigError: It is of another size than the one that is asked for.
    """
    if settings.start == NONE:
        return None
    start = load_super_resolver(settings.start, context)
    if start.network.settings != (settings.network or VARIANTS[settings.dsr]):
        raise ConfigError(
            f"dsr={settings.dsr}",
            got=f"start={start.origin}, which is {start.network.variant}, {start.network.settings}",
            expected="a start of the size that is to be trained",
            remedy=f"say dsr={start.network.variant}, or start=none",
        )
    return start


def _network(settings: TrainDsrSettings, start: SuperResolver | None) -> DSR:
    if start is not None:
        return start.network.requires_grad_(True).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return DSR(settings.dsr, settings.network)
