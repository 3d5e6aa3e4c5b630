"""`promote`: the candidate pair becomes `lrface@champion`, or a refusal says why not; or the last one comes back."""

from lrface.jobs.command import command
from lrface.jobs.compose import DATA, Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    *DATA,
    Parameter("edgeface", "pair.edgeface", "recogniser of the candidate: a version or alias in the registry"),
    Parameter("dsr", "pair.dsr", "super-resolver of the candidate: a version or alias in the registry"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
    Parameter("threshold", "measure.threshold", "cosine from which a probe is named"),
    Parameter("rollback", "rollback", "true: put the previous champion back instead"),
)

if __name__ == "__main__":
    leave(lambda: command("promote", PARAMETERS))
