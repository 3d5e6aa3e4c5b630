"""Super-resolvers, recognisers and their graphs in onnxruntime."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from lrface.images.degradation.resample import enlarge, shrink
from lrface.models.dsr.network import DSR
from lrface.models.dsr.network import VARIANTS as DSR_VARIANTS
from lrface.models.edgeface.network import VARIANTS as EDGEFACE_VARIANTS
from lrface.models.edgeface.network import EdgeFace
from lrface.models.export.export import export_onnx
from lrface.models.export.graphs import DsrGraph, PairGraph
from lrface.models.store import read_state
from lrface.models.weights.shipped import shipped_folder

from .inputs import faces, filled
from .summary import Tolerance

SIDES = (8, 12, 16, 24, 32)
DEEP = Tolerance(2e-6, 2e-5, "float32 sums in another order, through some thirty layers")
UNIT = Tolerance(2e-6, 5e-5, "float32 sums in another order, through some fifty layers")
LISTED = Tolerance(0, 0, "a list of names and numbers")


def dsr_of(variant):
    """A super-resolver with golden weights."""
    with torch.device("meta"):
        network = DSR(variant)
    # The residual is a tenth of a face's contrast, as that of a trained one is.
    return filled(network, f"dsr/{variant}", last=("tail.weight", "out.weight", "steer.weight"))


def edgeface_of(variant):
    """A recogniser with golden weights."""
    with torch.device("meta"):
        network = EdgeFace(variant)
    return filled(network, f"edgeface/{variant}")


def shipped():
    """The recogniser that comes with the package."""
    with torch.device("meta"):
        network = EdgeFace("xxs")
    state = read_state(shipped_folder())
    network.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    return network.eval().requires_grad_(False)


def dsr():
    """Each variant at each size."""
    for variant in DSR_VARIANTS:
        network = dsr_of(variant)
        for place, side in enumerate(SIDES):
            yield f"{variant}/{side}", network(shrink(faces(1, first=place), side)), DEEP


def edgeface():
    """Each size of EdgeFace, and the weights that come with the package, on HR and on small faces."""
    seen = torch.cat([faces(2), enlarge(shrink(faces(2), 16))])
    for place, variant in enumerate(EDGEFACE_VARIANTS):
        yield f"{variant}/embeddings", edgeface_of(variant)(faces(1, first=place)), UNIT
    for place, stage in enumerate(edgeface_of("xxs").features(seen[:1])):
        yield f"xxs/stage_{place}", stage.flatten(), Tolerance(5e-6, 1e-4, "as embeddings, not scaled to unit length")
    network = shipped()
    embeddings = network(torch.cat([seen, enlarge(shrink(faces(2), 8))]))
    yield "drawn/embeddings", embeddings, UNIT
    yield "drawn/cosines", embeddings @ embeddings.T, UNIT


def onnx_graphs():
    """What onnxruntime makes of the exported graphs, and which operators they have."""
    small, hr = shrink(faces(1), 16), faces(1, first=1)
    graphs = {
        "dsr": (DsrGraph(dsr_of("base")), small, ("vlr", "faces")),
        "edgeface": (shipped(), hr, ("images", "embeddings")),
        "pair": (PairGraph(dsr_of("edge"), shipped()), small, ("vlr", "embeddings", "faces")),
    }
    with tempfile.TemporaryDirectory() as scratch:
        for name, (module, example, names) in graphs.items():
            path = Path(scratch) / f"{name}.onnx"
            export_onnx(module, example, path, dynamic_size=names[0] == "vlr", names=names)
            model = onnx.load(str(path))
            counts = Counter(node.op_type for node in model.graph.node)
            yield f"{name}/operators", [f"{operator} {count}" for operator, count in sorted(counts.items())], LISTED
            told = [f"{value.name} {_shape(value)}" for value in (*model.graph.input, *model.graph.output)]
            opsets = [f"opset {item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import]
            yield f"{name}/interface", [*told, *opsets], LISTED
            session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            inputs = [example[:1], shrink(hr, 9)] if names[0] == "vlr" else [example]
            for given in inputs:
                outputs = session.run(None, {names[0]: np.ascontiguousarray(given.numpy())})
                for output, value in zip(names[1:], outputs, strict=True):
                    yield f"{name}/{output}/{given.shape[-1]}", value, DEEP if value.ndim == 4 else UNIT


def _shape(value):
    tensor = value.type.tensor_type
    return "x".join(item.dim_param or str(item.dim_value) for item in tensor.shape.dim)
