"""`evaluate`: every arm on people who were in no training."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "recognisers, by commas: models:/ URI, path (an ONNX file too) or released name"),
    Parameter("dsr", "dsr", "super-resolvers, by commas: models:/ URI or model folder; none for bicubic alone"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
    Parameter("threshold", "measure.threshold", "cosine from which a probe is named"),
)

if __name__ == "__main__":
    leave(lambda: command("evaluate", PARAMETERS))
