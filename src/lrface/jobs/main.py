"""`main`: the whole cycle in one run, with a child run for each stage."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.cycle import own_overrides, stage_configs
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter(
        "edgeface", "edgeface", "first recogniser: drawn, path, released name or models:/ URI; none: it is trained"
    ),
    Parameter(
        "judge",
        None,
        "recogniser that takes part in nothing and judges every stage: an ONNX file, path, URI or name",
        "default none",
    ),
    Parameter("epochs", None, "epochs of every training", "default as each training has it"),
    Parameter("batch_size", None, "faces in a batch, in every training", "default as each training has it"),
    Parameter("threshold", None, "cosine from which a probe is named", "number -1 to 1; default 0.35"),
)

if __name__ == "__main__":
    leave(lambda: command("main", PARAMETERS, own=own_overrides, check=stage_configs))
