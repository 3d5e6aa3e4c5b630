"""What an ONNX file of others is, read before anything of it runs.

Nothing in such a file is code: a graph is a list of the standard's operators. What could still do harm is refused:
files beside it that it would read, loops, operators of other domains, tensors out of all proportion to a face.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from lrface.errors import WeightsError
from lrface.models.checkpoint.refusal import printable

LIMIT_BYTES: Final = 2**30
LIMIT_ELEMENTS: Final = 2**27
"""Most numbers in one tensor for one face: 512 MiB in float32."""

_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
_LOOPS: Final = frozenset({"Loop", "Scan", "If", "SequenceMap"})
_PASSING: Final = frozenset({"Cast", "Identity", "Transpose"})
_ARITHMETIC: Final = frozenset({"Sub", "Add", "Mul", "Div"})


@dataclass(frozen=True)
class Graph:
    """What a graph says about itself.

    Attributes:
        metadata: Its metadata, by key.
        normalises: Whether arithmetic with constants is the first thing that happens to its input.
    """

    metadata: Mapping[str, str]
    normalises: bool


def looks_like_onnx(start: bytes) -> bool:
    """Tell by its first bytes whether a file is an ONNX model: the version, and then who made it, or the graph."""
    return start[:1] == b"\x08" and start[2:3] in {b"\x12", b"\x1a", b"\x22", b"\x28", b"\x32", b"\x3a", b"\x42"}


def read_graph(what: str, data: bytes) -> Graph:
    """Read a graph and refuse what no recogniser needs.

    Args:
        what: The file, for messages.
        data: Its bytes.

    Raises:
        WeightsError: It is no ONNX model, or one of the kind that is not run here.
    """
    if len(data) > LIMIT_BYTES:
        raise refused(what, f"{len(data):,} bytes", f"at most {LIMIT_BYTES:,}", "give a smaller network")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own errors, which differ between its builds
        raise _no_onnx(what, f"{len(data):,} bytes that do not parse") from error
    if not model.graph.node or not model.opset_import:
        raise _no_onnx(what, "no graph in it")
    nodes = list(_nodes(model.graph))
    strange = sorted({node.domain for node in nodes} - _DOMAINS)
    if strange:
        raise refused(
            what,
            f"operators of {printable(', '.join(strange))}",
            "those of the ONNX standard",
            "export the network without operators of its own",
        )
    loops = sorted({node.op_type for node in nodes} & _LOOPS)
    if loops:
        raise refused(what, f"a graph with {', '.join(loops)}", "no control flow", "export it by tracing")
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model.graph)):
        raise refused(
            what, "weights that lie in another file", "one file", "save it whole: onnx.save(onnx.load(FILE), NEW)"
        )
    _check_sizes(what, model)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Graph(metadata, _normalises(model.graph))


def refused(what: str, got: str, expected: str, remedy: str) -> WeightsError:
    """The refusal of an ONNX recogniser."""
    return WeightsError(f"recogniser {what}", got=got, expected=expected, remedy=remedy)


def _no_onnx(what: str, got: str) -> WeightsError:
    return refused(what, got, "an ONNX model", "fetch the file again, or export it anew")


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """All nodes, those of the graphs inside nodes as well."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in _nodes(graph):
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def _check_sizes(what: str, model: ModelProto) -> None:
    """Refuse a small file that would ask for a large memory, as far as its shapes can be told without running it."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
        raise _no_onnx(what, f"a graph whose shapes contradict each other ({_first_line(error)})") from error
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        count = math.prod(max(1, side.dim_value) for side in value.type.tensor_type.shape.dim)
        if count > LIMIT_ELEMENTS:
            raise refused(
                what, f"a tensor of {count:,} numbers", f"at most {LIMIT_ELEMENTS:,}", "give a recogniser of faces"
            )


def _normalises(graph: GraphProto) -> bool:
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    names = {value.name for value in graph.input} - constants
    for node in graph.node:
        if not names & set(node.input):
            continue
        if node.op_type in _PASSING:
            names |= set(node.output)
        elif node.op_type in _ARITHMETIC and constants & set(node.input):
            return True
    return False


def _first_line(error: Exception) -> str:
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0], 200)
