"""`sweep`: what each threshold would give, the two best ones, the calibrated one and the one in use."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "edgeface", "recognisers, by commas: models:/ URI, path (an ONNX file too) or released name"),
    Parameter("dsr", "dsr", "super-resolvers, by commas: models:/ URI or model folder; none for bicubic alone"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
    Parameter("threshold", "measure.threshold", "cosine that is reported beside the best ones"),
)

if __name__ == "__main__":
    leave(lambda: command("sweep", PARAMETERS))
