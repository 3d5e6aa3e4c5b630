"""`train_dsr`: a super-resolver under a frozen recogniser; sets `dsr@baseline` or `dsr@cycle`."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "supervisor: models:/ URI, path or released name"),
    Parameter("dsr", "dsr", "size of the network: base or edge"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
    Parameter("epochs", "loop.epochs", "epochs"),
    Parameter("batch_size", "loop.batch_size", "faces in a batch"),
)

if __name__ == "__main__":
    leave(lambda: command("train_dsr", PARAMETERS))
