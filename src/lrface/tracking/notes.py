"""Notes: what a run or a registered model is, in words, on its page in MLflow, with links to what belongs to it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lrface.tracking.addresses import curves_page, file_page, run_page, stages_page
from lrface.tracking.names import DSR, EDGEFACE, PAIR
from lrface.tracking.runs.run import Run

NOTE: Final = "mlflow.note.content"
"""The tag that MLflow shows as the description of a run."""

JOBS: Final = {
    "prepare": "Faces, aligned, checked and split by people.",
    "pretrain": "The recogniser that the cycle begins with, `edgeface@pretrained`. Look at `val/hr_rank1`.",
    "train_dsr": "A super-resolver under a frozen recogniser. `train/loss_*` and `val/loss_*` are components of the "
    "loss; `val_start/*` is bicubic, which `val/psnr` and `val/tar_at_far_1e-2` have to beat.",
    "finetune": "A recogniser, taught on small faces. `val/hr_rank1` must not fall; `val_start/*` is how it began.",
    "evaluate": "Every arm on people who were in no training. `test/<arm>/<size>/*` are its figures.",
    "promote": "The decision: the candidate pair against bicubic and the champion, on people who were in no training.",
    "compare": "Two pairs on the same probes.",
    "curve": "Every arm at every size and under every condition.",
    "sweep": "What each threshold would give.",
    "verify": "Every arm on public sets.",
}
LOOKS: Final = {
    "prepare": "pack.html",
    "finetune": "before_and_after/report.html",
    "evaluate": "evaluation/report.html",
    "promote": "evaluation/report.html",
    "compare": "evaluation/report.html",
}
"""The artifact that shows most of what a job has found."""
FOLDER: Final = "note"
"""Where among the artifacts of a run the pictures of its note lie."""
WIDTH: Final = 600
"""Of a picture in a note [pixels]: MLflow shows pictures as large as they are, and pushes all else aside."""

MODELS: Final = {
    EDGEFACE: "Recognisers. `@pretrained`: what the cycle begins with. `@direct`: fine-tuned on small faces alone, the "
    "rival of the pair. `@finetuned`: fine-tuned on the faces of a super-resolver. Tags of a version say with what.",
    DSR: "Super-resolvers, 8 to 32 pixels to 112. `@baseline`: trained under the recogniser that there was. `@cycle`: "
    "under the fine-tuned one. The tag `supervisor` says which.",
    PAIR: "Pairs of a super-resolver and a recogniser, ready to be served. `@champion`: in use. `@challenger`: last "
    "candidate, whose tags `verdict_reason` and `gate.*` say why it is not. `@previous`: the champion before.",
}


def job_note(job: str, run: Run, picture: str = "") -> str:
    """What a run of a job is, what to look at, and the run that it is a stage of.

    Args:
        job: The job.
        run: Its run.
        picture: A picture that `picture` has made, if there is one.
    """
    look = f" Look at [{LOOKS[job]}]({run_page(run.store, run.run_id, LOOKS[job])})." if job in LOOKS else ""
    above = run.parent
    up = f"A stage of [{above.name}]({run_page(run.store, above.run_id)})." if above is not None else ""
    return "\n\n".join(filter(None, [JOBS.get(job, "") + look, up, picture]))


def cycle_note(
    run: Run, table: Sequence[Sequence[str]], sentence: str, links: Sequence[tuple[str, str]], pictures: Sequence[str]
) -> str:
    """What a cycle found: the verdict in a sentence, links to its stages and to what it made, plots, the table.

    MLflow shows the first lines alone until somebody asks for more.

    Args:
        run: Its run.
        table: The heads, then a row for each arm.
        sentence: The verdict.
        links: Titles and pages.
        pictures: Pictures that `picture` has made.
    """
    curves = [
        ("figures by size", curves_page(run.store, run.run_id)),
        ("losses of both super-resolvers", stages_page(run.store, run.run_id, "train_dsr")),
    ]
    look = " · ".join(f"[{title}]({page})" for title, page in [*links, *curves])
    heads, *rows = table or [[]]
    lines = [_row(heads), _row(["---"] * len(heads)), *map(_row, rows)] if heads else []
    about = "The whole cycle: each stage is a child run. In the charts of `by_size` the step is the side of the face."
    return "\n\n".join(filter(None, [f"**{sentence}**", look, *pictures, "\n".join(lines), about]))


def picture(run: Run, name: str, image: Path | UInt8[np.ndarray, "h w 3"], width: int = WIDTH) -> str:
    """Log a picture for a note, made smaller where it is too wide, and return it as Markdown.

    Args:
        run: Whose artifact it becomes: `note/<name>.png`.
        name: What it shows.
        image: A PNG, or uint8 RGB.
        width: The widest that it may be [pixels].
    """
    shown = Image.open(image) if isinstance(image, Path) else Image.fromarray(image)
    scale = min(1.0, width / shown.width)
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch, f"{name}.png")
        small = shown.convert("RGB").resize((round(shown.width * scale), max(1, round(shown.height * scale))))
        small.save(place)
        run.log_artifact(place, FOLDER)
    return f"![{name}]({file_page(run.run_id, f'{FOLDER}/{name}.png')})"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
