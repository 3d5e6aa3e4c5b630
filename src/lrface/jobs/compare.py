"""`compare`: two pairs on the same probes, with the verdict that `promote` would give."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface_a", "pair_a.edgeface", "recogniser of the candidate: models:/ URI, path (ONNX too) or name"),
    Parameter("dsr_a", "pair_a.dsr", "super-resolver of the candidate: models:/ URI, model folder, or none"),
    Parameter("edgeface_b", "pair_b.edgeface", "recogniser that it is held against"),
    Parameter("dsr_b", "pair_b.dsr", "super-resolver that it is held against"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
    Parameter("threshold", "measure.threshold", "cosine from which a probe is named"),
)

if __name__ == "__main__":
    leave(lambda: command("compare", PARAMETERS))
