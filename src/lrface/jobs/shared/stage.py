"""What jobs do alike around a run: start it or go on with it, log its data, register what it made."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from lrface.cli.context import Context, Made
from lrface.cli.process.several import HelpedError, Order, below, summon
from lrface.config import JobSettings
from lrface.data.pack.pack import Pack
from lrface.data.pack.remote.s3 import is_s3, upload_folder
from lrface.errors import ConfigError
from lrface.evaluation.report.card import CardInput, model_card
from lrface.jobs.shared.reporter import RunReporter
from lrface.models.dsr import network as networks
from lrface.models.dsr.folder import dsr_spec
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.tracking.names import DSR, EDGEFACE, Alias, VersionTag
from lrface.tracking.notes import NOTE, job_note
from lrface.tracking.registry.licences import Licensed, ledger_lines
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import ModelVersion
from lrface.tracking.runs.lineage import joined_terms
from lrface.tracking.runs.resume import fingerprint, work_folder
from lrface.tracking.runs.run import OthersRun, Run
from lrface.tracking.runs.starting import start_run
from lrface.tracking.served.signatures import dsr_signature, edgeface_signature
from lrface.training.loop.findings import below_bicubic, start_kept
from lrface.training.loop.fit import fit
from lrface.training.loop.module import Outcome, TrainingModule
from lrface.training.processes import Processes

NOT_PARAMS = frozenset({"tracking", "out"})
NOT_WORK = frozenset({"tracking", "out", "device", "trainer"})


@dataclass(frozen=True)
class Stage:
    """A run under way.

    Attributes:
        run: The run.
        folder: Working folder; what lies in it is there again when a killed job is started again.
        report: Where a training tells what happens.
    """

    run: Run
    folder: Path
    report: RunReporter


@contextmanager
def stage(
    job: str,
    settings: JobSettings,
    context: Context,
    *,
    name: str,
    inputs: Mapping[str, str],
    parent: Run | None = None,
    tags: Mapping[str, object] | None = None,
    trains: bool = False,
) -> Iterator[Stage]:
    """Start the run of a job, or go on with the one of the same job that was killed.

    Args:
        job: The entry point.
        settings: Its config.
        context: Store and terminal.
        name: A readable name for the run.
        inputs: Digests of what the job reads.
        parent: The cycle that this is a stage of.
        tags: Tags of the run.
        trains: Whether other processes, where there are some, are to help.

    Raises:
        ConfigError: Another process is about to do other work than this one.
    """
    config = settings.model_dump(mode="json", exclude=set(NOT_WORK))
    params = settings.model_dump(mode="json", exclude=set(NOT_PARAMS))
    above = context.order.parent if context.order else parent.run_id if parent else ""
    key = fingerprint(job, config, {**inputs, "parent": above})
    if context.order is not None:
        yield _helping(context.order, key, context)
        return
    with (
        work_folder(context.store, key) as work,
        start_run(
            context.store, name, job=job, params=params, tags=tags or {}, parent=parent, resume=work.run_id
        ) as run,
    ):
        if work.run_id is not None:
            context.terminal.line(f"{job}: going on with run {run.run_id}")
        work.begin(run)
        run.set_tags({NOTE: job_note(job, run)})
        if parent is None:
            context.made.run_id = run.run_id
        if trains and Processes().count > 1:
            settled = settings.model_dump(mode="json", exclude={"tracking", "out"})
            summon(Order(job, settled, str(work.path), key, run.run_id, above))
        yield Stage(run, work.path, RunReporter(run, context.terminal))
        work.finish()


def _helping(order: Order, key: str, context: Context) -> Stage:
    if key != order.key:
        raise ConfigError(
            f"work of {order.job}",
            got="other settings, faces or weights than process 0 has",
            expected="the same on every machine",
            remedy="give each the same command, project and files",
        )
    run = OthersRun(context.store, order.run_id, order.job)
    return Stage(run, below(order.folder), RunReporter(run, context.terminal))


def trained(training: TrainingModule, work: Stage, context: Context, what: str) -> Outcome:
    """Train; the batches that were left out are logged as `skipped.json`, also where it then stops for them.

    Raises:
        TrainingError: As `fit`.
        HelpedError: This process has only helped, and is done.
    """
    try:
        with context.terminal.progress(what) as progress:
            outcome = fit(training, context.device, progress)
    finally:
        if training.skipped_batches:
            work.run.log_json(list(training.skipped_batches), "skipped.json")
    if context.order is not None:
        raise HelpedError
    if outcome.epochs and outcome.best_epoch < 0:
        work.report.finding(start_kept(outcome.epochs))
    untrained = outcome.epochs and not training.start_competes and training.start_metrics
    if untrained and training.score(training.start_metrics) >= training.best_score:
        work.report.finding(below_bicubic(outcome.epochs))
    return outcome


def log_pack(run: Run, pack: Pack, context: str, rows: int) -> None:
    """Log a pack as an input of a run, under its digest."""
    run.log_dataset(
        pack.name,
        pack.digest,
        source=pack.uri,
        rows=rows,
        context=context,
        licence=pack.info.licence or "unknown",
        terms=pack.info.terms or "unknown",
    )
    run.set_tags({VersionTag.PACK: pack.digest})


def data_tags(pack: Pack, *parts: ModelVersion | None) -> dict[VersionTag | str, object]:
    """Tags of a version that was trained on a pack: its digest, and the terms of it and of what went in besides."""
    inherited = [part.tags.get(VersionTag.TERMS, "") for part in parts if part is not None]
    return {VersionTag.PACK: pack.digest, VersionTag.TERMS: joined_terms([*inherited, pack.info.terms])}


def register_network(
    run: Run,
    network: nn.Module,
    *,
    made: Made,
    alias: Alias,
    licence: str,
    tags: Mapping[VersionTag | str, object],
    out: str | None,
    pack: Pack | None = None,
    figures: Mapping[str, float] | None = None,
    named: bool = True,
) -> ModelVersion:
    """Register a network as a version of `edgeface` or `dsr`, alias last; copy its folder to `out` where asked for.

    Its model card tells how it was made, of which faces (`pack`; none where it was only loaded), and the best
    `figures` of its training. The alias is set only where it is `named` so. `made` notes the version.

    Raises:
        RegistryError: The registry refused; nothing that looks whole is left behind.
        WeightsError: A weight is not finite.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        if isinstance(network, EdgeFace):
            name, signature, spec = EDGEFACE, edgeface_signature(), edgeface_spec(network, licence=licence)
        elif isinstance(network, networks.DSR):
            name, signature, spec = DSR, dsr_signature(), dsr_spec(network, licence=licence)
        else:
            raise TypeError(f"no registered model for {type(network).__name__}")
        write_model(folder, network, spec)
        ledger = _ledger(name, str(alias), licence, pack)
        data = (
            [f"{pack.root.name} ({pack.digest[:12]}), {len(pack)} faces of {pack.info.subjects} people"] if pack else []
        )
        card = model_card(
            CardInput(
                model=name,
                heading=f"{name}, {spec.variant}, as {alias if named else 'a trial'}",
                made={"run": run.run_id, **{str(key): str(value) for key, value in tags.items()}},
                data=data,
                licences=ledger_lines(ledger),
                validation=figures or {},
            )
        )
        version = register(
            run,
            name,
            folder,
            signature=signature,
            alias=alias if named else None,
            tags={VersionTag.LICENCE: licence, **tags},
            ledger=ledger,
            card=card,
        )
        if out is not None:
            copy_out(folder, out, name)
    made.versions.append(version.uri)
    return version


def _ledger(name: str, origin: str, licence: str, pack: Pack | None) -> tuple[Licensed, ...]:
    network = Licensed(name, origin, licence)
    if pack is None:
        return (network,)
    return (network, Licensed("faces", pack.root.name, pack.info.licence or "unknown"))


def copy_out(source: Path, out: str, *below: str) -> None:
    """Copy a folder's files to where a user wants them, a folder or S3, replacing what is there."""
    if is_s3(out):
        upload_folder(source, "/".join((out.rstrip("/"), *below)))
        return
    target = Path(out, *below)
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, dirs_exist_ok=True, copy_function=_copied_whole)


def _copied_whole(source: str, target: str) -> str:
    """Copy a file so that it is there whole or not at all."""
    place = Path(target)
    partial = place.with_name(f".{place.name}.partial")
    try:
        shutil.copy2(source, partial)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)
    return target
