"""`prepare`: any source of faces to a pack, checked and split."""

from pathlib import Path

import numpy as np

from lrface.config import PrepareSettings
from lrface.data.pack import Pack
from lrface.images.sheet import contact_sheet
from lrface.jobs.command import Context, command, leave
from lrface.jobs.compose import DATA
from lrface.jobs.packs import pack_for
from lrface.jobs.stage import copy_out, log_pack, stage
from lrface.tracking.runs import Run

SHEET_PEOPLE, SHEET_IMAGES = 12, 8


def run(settings: PrepareSettings, context: Context, parent: Run | None = None) -> Pack:
    """Make the pack, and log what is in it."""
    pack = pack_for(settings.data, context)
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
        work.run.log_image("contact_sheet", _sheet(pack))
        work.run.log_json(pack.info.model_dump(mode="json"), "pack.json")
        context.terminal.line(f"prepare: {len(pack)} faces of {pack.info.subjects} people in {pack.root}")
        if settings.out is not None:
            copy_out(pack.root, Path(settings.out))
    return pack


def _sheet(pack: Pack) -> np.ndarray:
    """Some people, some images of each."""
    subjects = pack.manifest["subject"]
    chosen = subjects.drop_duplicates().iloc[:SHEET_PEOPLE]
    images, titles = [], []
    for subject in chosen:
        rows = np.flatnonzero(subjects.to_numpy() == subject)[:SHEET_IMAGES]
        shown = pack.batch(rows)
        blank = np.full((SHEET_IMAGES - len(rows), *shown.shape[1:]), 255, dtype=np.uint8)
        images.append(np.concatenate([shown, blank]))
        titles.append(str(subject))
    return contact_sheet(np.concatenate(images), columns=SHEET_IMAGES, row_titles=titles)


if __name__ == "__main__":
    leave(command("prepare", PrepareSettings, run, DATA))
