"""`finetune`: a recogniser on small faces; sets `edgeface@finetuned`, without a super-resolver `edgeface@direct`."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "recogniser to start from: models:/ URI, path or released name"),
    Parameter("dsr", "dsr", "super-resolver that makes its faces: models:/ URI, model folder, or none for bicubic"),
    Parameter("epochs", "loop.epochs", "epochs of stage 2"),
    Parameter("batch_size", "loop.batch_size", "faces in a batch"),
)

if __name__ == "__main__":
    leave(lambda: command("finetune", PARAMETERS))
