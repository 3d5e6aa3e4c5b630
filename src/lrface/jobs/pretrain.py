"""`pretrain`: a recogniser to start from, loaded from weights or trained on HR faces; sets `edgeface@pretrained`."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter(
        "edgeface",
        "edgeface.weights",
        "drawn (comes with the package), path, released name or models:/ URI; none: from nothing",
    ),
    Parameter("epochs", "loop.epochs", "epochs"),
    Parameter("batch_size", "loop.batch_size", "faces in a batch"),
)

if __name__ == "__main__":
    leave(lambda: command("pretrain", PARAMETERS))
