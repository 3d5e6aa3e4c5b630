"""`export`: both networks and the whole pair as ONNX, in float32 and int8, each held against what it came from."""

from lrface.jobs.command import command
from lrface.jobs.compose import Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    Parameter("edgeface", "edgeface", "recogniser: models:/ URI, path, released name, or none"),
    Parameter("dsr", "dsr", "super-resolver: models:/ URI, model folder, or none"),
    Parameter("bench", "bench", "true: measure latency and throughput too"),
)

if __name__ == "__main__":
    leave(lambda: command("export", PARAMETERS))
