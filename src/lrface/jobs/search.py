"""`search`: many trainings that differ in some keys, each a run below this one, and which of them was best."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave
from lrface.jobs.space import own_overrides, space_of

PARAMETERS = (
    *DATA,
    Parameter("job", "job", "the training: pretrain, finetune or train_dsr"),
    Parameter("sampler", "sampler", "grid, random or optuna"),
    Parameter("trials", "trials", "trials of random and optuna"),
    Parameter("metric", "metric", "validation figure of the state that a training keeps"),
    Parameter("direction", "direction", "maximize or minimize"),
    Parameter("edgeface", None, "of the training", "default as the training has it"),
    Parameter("dsr", None, "of the training", "default as the training has it"),
    Parameter("epochs", None, "epochs of each trial", "default as the training has it"),
    Parameter("batch_size", None, "faces in a batch", "default as the training has it"),
)

if __name__ == "__main__":
    leave(lambda: command("search", PARAMETERS, own=own_overrides, check=space_of))
