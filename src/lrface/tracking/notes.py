"""Notes: what a run or a registered model is, in words, on its page in MLflow, with links to what belongs to it."""

from collections.abc import Sequence
from typing import Final

from lrface.tracking.addresses import run_address
from lrface.tracking.names import DSR, EDGEFACE, PAIR
from lrface.tracking.runs.run import Run

NOTE: Final = "mlflow.note.content"
"""The tag that MLflow shows as the description of a run."""

JOBS: Final = {
    "main": "The whole cycle: each stage is a child run. Charts: `by_size`, the headline figures over the side of the "
    "face in pixels (the step).",
    "prepare": "Faces, aligned, checked and split by people. Look at the artifact `images`, the contact sheet.",
    "pretrain": "The recogniser that the cycle begins with, `edgeface@pretrained`. Look at `val/hr_rank1`.",
    "train_dsr": "A super-resolver under a frozen recogniser. `train/loss_*` and `val/loss_*` are components of the "
    "loss; `start/...` is bicubic, which `val/psnr` and `val/tar_at_far_1e-2` have to beat. Pictures: `images`.",
    "finetune": "A recogniser, taught on small faces. `val/hr_rank1` must not fall; `start/...` is what it began with. "
    "Look at the artifact `before_and_after/report.html`.",
    "evaluate": "Every arm on people who were in no training. Look at the artifact `evaluation/report.html`; "
    "`test/<arm>/<size>/...` are its figures.",
    "promote": "The decision: the candidate pair against bicubic and the champion, on people who were in no training. "
    "Look at the artifact `evaluation/report.html`.",
    "compare": "Two pairs on the same probes. Look at the artifact `evaluation/report.html`.",
    "curve": "Every arm at every size and under every condition.",
    "sweep": "What each threshold would give.",
    "verify": "Every arm on public sets.",
}

MODELS: Final = {
    EDGEFACE: "Recognisers. `@pretrained`: what the cycle begins with. `@direct`: fine-tuned on small faces alone, the "
    "rival of the pair. `@finetuned`: fine-tuned on the faces of a super-resolver. Tags of a version say with what.",
    DSR: "Super-resolvers, 8 to 32 pixels to 112. `@baseline`: trained under the recogniser that there was. `@cycle`: "
    "under the fine-tuned one. The tag `supervisor` says which.",
    PAIR: "Pairs of a super-resolver and a recogniser, ready to be served. `@champion`: in use. `@challenger`: last "
    "candidate, whose tags `verdict_reason` and `gate.*` say why it is not. `@previous`: the champion before.",
}


def job_note(job: str, run: Run) -> str:
    """What a run of a job is, and the run that it is a stage of."""
    above = run.parent
    up = f"\n\nA stage of [{above.name}]({run_address(run.store, above.run_id)})." if above is not None else ""
    return JOBS.get(job, "") + up if job in JOBS else up.strip()


def cycle_note(run: Run, table: Sequence[Sequence[str]], sentence: str, links: Sequence[tuple[str, str]]) -> str:
    """What a cycle found: the table, the verdict in a sentence, and links to its stages and to what it made.

    Args:
        run: Its run.
        table: The heads, then a row for each arm.
        sentence: The verdict.
        links: Titles and addresses.
    """
    heads, *rows = table or [[]]
    lines = [JOBS["main"], "", f"**{sentence}**", ""]
    if heads:
        lines += [_row(heads), _row(["---"] * len(heads)), *map(_row, rows), ""]
    lines += [f"- [{title}]({address})" for title, address in links]
    return "\n".join([*lines, f"- run `{run.run_id}`"])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
