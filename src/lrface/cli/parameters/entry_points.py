"""The parameters of every entry point: what its command line and MLproject take, and which key each sets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """A parameter of an entry point.

    Attributes:
        name: Its name in MLproject.
        key: The config key that it sets; none where the composition itself reads it.
        text: What it is, with its unit.
        default: What holds where it is not given, for one that sets no single key.
    """

    name: str
    key: str | None
    text: str
    default: str = ""


COMMON = (
    Parameter("preset", None, "a named set of values"),
    Parameter("device", "device", "where networks run: auto (the GPU where there is one), cpu, cuda or cuda:N"),
    Parameter("seed", "seed", "seed of every draw; the same seed gives the same figures on a CPU"),
    Parameter("out", "out", "folder, or s3://bucket/prefix, that gets a copy of the job's files"),
    Parameter("log", None, "what is shown: plain; quiet, for errors and results alone; json, for an object a line"),
    Parameter(
        "overrides",
        None,
        "any other keys of the config: key=value, parted by spaces; quote what holds spaces",
        "default none",
    ),
)
DATA = (
    Parameter("data", None, "kind of source"),
    Parameter("source", "data.source", "path of the source; of a pack also s3://bucket/prefix", "none for procedural"),
)
ARMS = (
    Parameter("edgeface", "edgeface", "recognisers, by commas: models:/ URI, path (an ONNX file too) or released name"),
    Parameter("dsr", "dsr", "super-resolvers, by commas: models:/ URI or model folder; none for bicubic alone"),
)
JUDGE = Parameter("judge", "judge", "recogniser that takes part in nothing and judges: an ONNX file, path, URI or name")
THRESHOLD = Parameter("threshold", "measure.threshold", "cosine from which a probe is named")
BATCH = Parameter("batch_size", "loop.batch_size", "faces in a batch")
NAMING = (
    Parameter("gallery", "gallery", "path of a .parquet file"),
    Parameter("pair", "pair", "models:/lrface@ALIAS, or a folder that holds edgeface/ and dsr/"),
    Parameter("edgeface", "edgeface", "recogniser in the place of the pair's"),
    Parameter("dsr", "dsr", "super-resolver in the place of the pair's, or none"),
    Parameter("threshold", "threshold", "cosine from which a face is named; auto: as the operating points say"),
    Parameter("fpir", "fpir", "share of the searches of strangers that may end in a name"),
    Parameter("fmr", "fmr", "share of the comparisons of two people that may pass for one"),
)

PARAMETERS: dict[str, tuple[Parameter, ...]] = {
    "main": (
        *DATA,
        Parameter(
            "edgeface", "edgeface", "first recogniser: drawn, path, released name or models:/ URI; none: it is trained"
        ),
        Parameter(
            "judge",
            None,
            "recogniser that takes part in nothing and judges every stage: an ONNX file, path, URI or name",
            "default none",
        ),
        Parameter("epochs", None, "epochs of every training", "default as each training has it"),
        Parameter("batch_size", None, "faces in a batch, in every training", "default as each training has it"),
        Parameter("threshold", None, "cosine from which a probe is named", "number -1 to 1; default 0.35"),
    ),
    "prepare": DATA,
    "pretrain": (
        *DATA,
        Parameter(
            "edgeface",
            "edgeface.weights",
            "drawn (comes with the package), path, released name or models:/ URI; none: from nothing",
        ),
        Parameter("epochs", "loop.epochs", "epochs"),
        BATCH,
    ),
    "train_dsr": (
        *DATA,
        Parameter("edgeface", "edgeface", "supervisor: models:/ URI, path or released name"),
        Parameter("dsr", "dsr", "size of the network: base or edge"),
        JUDGE,
        Parameter("epochs", "loop.epochs", "epochs"),
        BATCH,
    ),
    "finetune": (
        *DATA,
        Parameter("edgeface", "edgeface", "recogniser to start from: models:/ URI, path or released name"),
        Parameter("dsr", "dsr", "super-resolver that makes its faces: models:/ URI, model folder, or none for bicubic"),
        Parameter("epochs", "loop.epochs", "epochs of stage 2"),
        BATCH,
    ),
    "evaluate": (
        *DATA,
        *ARMS,
        JUDGE,
        THRESHOLD,
    ),
    "promote": (
        *DATA,
        Parameter("edgeface", "pair.edgeface", "recogniser of the candidate: a version or alias in the registry"),
        Parameter("dsr", "pair.dsr", "super-resolver of the candidate: a version or alias in the registry"),
        JUDGE,
        THRESHOLD,
        Parameter("rollback", "rollback", "true: put the previous champion back instead"),
    ),
    "compare": (
        *DATA,
        Parameter(
            "edgeface_a", "pair_a.edgeface", "recogniser of the candidate: models:/ URI, path (ONNX too) or name"
        ),
        Parameter("dsr_a", "pair_a.dsr", "super-resolver of the candidate: models:/ URI, model folder, or none"),
        Parameter("edgeface_b", "pair_b.edgeface", "recogniser that it is held against"),
        Parameter("dsr_b", "pair_b.dsr", "super-resolver that it is held against"),
        JUDGE,
        THRESHOLD,
    ),
    "sweep": (
        *DATA,
        *ARMS,
        JUDGE,
        Parameter("threshold", "measure.threshold", "cosine that is reported beside the best ones"),
    ),
    "verify": (
        Parameter(
            "source", "source", "sets, by commas: .bin of insightface, pairs.txt, pairs.csv, or the folder of a set"
        ),
        Parameter("kind", "kind", "what the sources are: bin, lfw, table, tinyface, survface, people; auto: by files"),
        *ARMS,
        JUDGE,
    ),
    "search": (
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
    ),
    "gallery": (
        Parameter("action", "action", "enrol, list, remove, identify, import, export or accept"),
        Parameter("source", "source", "pictures to enrol or name, a film, or the file to import from or export to"),
        Parameter("probes", "probes", "identify: files, each named by itself, or folders, each one unknown person"),
        Parameter("detect", "detect", "find and name every face of photographs; true or false"),
        Parameter("person", "person", "who is to be removed: the key that list shows"),
        *NAMING,
    ),
    "app": (*NAMING,),
    "export": (
        Parameter("edgeface", "edgeface", "recogniser: models:/ URI, path, released name, or none"),
        Parameter("dsr", "dsr", "super-resolver: models:/ URI, model folder, or none"),
        Parameter("bench", "bench", "true: measure latency and throughput too"),
    ),
}
PARAMETERS["curve"] = PARAMETERS["evaluate"]
