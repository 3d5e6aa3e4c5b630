"""`gallery`: enrol people, list them, name faces, remove somebody for good, take galleries in and out."""

from lrface.jobs.command import command
from lrface.jobs.compose import Parameter
from lrface.jobs.leaving import leave

PARAMETERS = (
    Parameter("action", "action", "enrol, list, remove, identify, import, export or accept"),
    Parameter("source", "source", "pictures to enrol or name, a film, or the file to import from or export to"),
    Parameter("probes", "probes", "identify: files, each named by itself, or folders, each one unknown person"),
    Parameter("detect", "detect", "find and name every face of photographs; true or false"),
    Parameter("person", "person", "who is to be removed: the key that list shows"),
    Parameter("gallery", "gallery", "path of a .parquet file"),
    Parameter("pair", "pair", "models:/lrface@ALIAS, or a folder that holds edgeface/ and dsr/"),
    Parameter("edgeface", "edgeface", "recogniser in the place of the pair's"),
    Parameter("dsr", "dsr", "super-resolver in the place of the pair's, or none"),
    Parameter("threshold", "threshold", "cosine from which a face is named; auto: as the operating points say"),
    Parameter("fpir", "fpir", "share of the searches of strangers that may end in a name"),
    Parameter("fmr", "fmr", "share of the comparisons of two people that may pass for one"),
)

if __name__ == "__main__":
    leave(lambda: command("gallery", PARAMETERS))
