"""`verify`: every arm on public sets, with the published figures beside."""

from lrface.jobs.command import command
from lrface.jobs.compose import Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    Parameter("source", "source", "sets, by commas: .bin of insightface, pairs.txt, pairs.csv, or the folder of a set"),
    Parameter("kind", "kind", "what the sources are: bin, lfw, table, tinyface, survface, people; auto: by files"),
    Parameter("edgeface", "edgeface", "recognisers, by commas: models:/ URI, path (an ONNX file too) or released name"),
    Parameter("dsr", "dsr", "super-resolvers, by commas: models:/ URI or model folder; none for bicubic alone"),
    Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name"),
)

if __name__ == "__main__":
    leave(lambda: command("verify", PARAMETERS))
