"""`prepare`: any source of faces to a pack, checked and split."""

from pathlib import Path

from lrface.cli.context import Context
from lrface.config import PrepareSettings
from lrface.data.pack.copy import copy_pack
from lrface.data.pack.pack import Pack
from lrface.data.pack.remote.s3 import is_s3
from lrface.data.pack.remote.shards import publish_pack
from lrface.data.pack.writer import check_target
from lrface.data.page import pack_page, pack_sheet
from lrface.data.settings import ProceduralData
from lrface.errors import ConfigError
from lrface.jobs.shared.packs import make_pack
from lrface.jobs.shared.stage import log_pack, stage
from lrface.tracking.runs.run import Run

MANY = 100
"""People in training from which preset `many` is the better one."""


def run(settings: PrepareSettings, context: Context, parent: Run | None = None) -> Pack:
    """Make the pack, and log what is in it."""
    if settings.out is not None and not is_s3(settings.out):
        check_target(Path(settings.out).absolute())
    pack, summary = make_pack(settings.data, context)
    with stage(
        "prepare", settings, context, name=f"prepare {settings.data.kind}", inputs={"pack": pack.digest}, parent=parent
    ) as work:
        log_pack(work.run, pack, "source", len(pack))
        counts = {
            f"data/{split}_{what}": float(count)
            for split in ("train", "val", "test")
            for what, count in (
                ("images", len(pack.rows(superres=split))),
                ("subjects", len(set(pack.subjects(pack.rows(superres=split))))),
            )
        }
        work.run.log_metrics(counts)
        work.run.log_image("contact_sheet", pack_sheet(pack))
        if summary is not None:
            work.run.log_text(pack_page(pack, summary), "pack.html")
        work.run.log_json(pack.info.model_dump(mode="json"), "pack.json")
        context.terminal.line(f"prepare: {len(pack)} faces of {pack.info.subjects} people in {pack.location}")
        if not isinstance(settings.data, ProceduralData):
            people = int(counts["data/train_subjects"])
            preset = "many" if people >= MANY else "real"
            context.terminal.line(f"prepare: {people} of them train; preset={preset} is made for so many")
        if settings.out is not None:
            _put(pack, settings.out, context)
    return pack


def _put(pack: Pack, out: str, context: Context) -> None:
    """Copy the pack to a folder, or to S3 in shards."""
    if pack.streamed:
        raise ConfigError(
            f"copy of {pack.uri} to {out}",
            got="a pack on S3, of which only what is asked for is fetched",
            expected="a pack or source on a disk",
            remedy="copy its folder with a client of S3, or leave out away and name the pack where it lies",
        )
    if not is_s3(out):
        copy_pack(pack, out)
        return
    with context.terminal.progress("publish") as progress:
        context.terminal.line(f"prepare: published as {publish_pack(pack, out, progress=progress)}")
