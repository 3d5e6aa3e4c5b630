"""Small ONNX recognisers for the tests, and all that is wrong with one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH = 16
FACE = (3, 112, 112)


def write_recogniser(
    path: Path,
    *,
    width: int = WIDTH,
    batch: int | str = "n",
    seed: int = 0,
    metadata: Mapping[str, str] | None = None,
    before: Sequence[onnx.NodeProto] = (),
    shape: Sequence[int | str] | None = None,
    channels_last: bool = False,
    trailing: bool = False,
) -> Path:
    """A linear recogniser: the face averaged over 16 x 16 squares, times a matrix that `seed` draws."""
    matrix = np.random.default_rng(seed).standard_normal((3 * 7 * 7, width)).astype(np.float32)
    nodes = list(before)
    last = nodes[-1].output[0] if nodes else "faces"
    if channels_last:
        nodes.append(helper.make_node("Transpose", [last], ["first"], perm=[0, 3, 1, 2]))
        last = "first"
    nodes += [
        helper.make_node("AveragePool", [last], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["rows"]),
        helper.make_node("Reshape", ["rows", "ends"], ["embedding"]),
    ]
    ends = [-1 if batch != 1 else 1, width] + ([1, 1] if trailing else [])
    constants = [
        numpy_helper.from_array(matrix, "matrix"),
        numpy_helper.from_array(np.array(ends, np.int64), "ends"),
        numpy_helper.from_array(np.float32(127.5), "half"),
    ]
    sides = (112, 112, 3) if channels_last else FACE
    return save_graph(
        path,
        nodes,
        [("faces", tuple(shape) if shape else (batch, *sides))],
        [("embedding", (batch, *ends[1:]))],
        constants,
        metadata,
    )


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, Sequence[int | str]]],
    outputs: Sequence[tuple[str, Sequence[int | str]]],
    constants: Sequence[TensorProto] = (),
    metadata: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
) -> Path:
    """Write a graph of float tensors."""
    graph = helper.make_graph(
        list(nodes),
        "recogniser",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        list(constants),
    )
    opsets = [helper.make_opsetid("", 17), *(helper.make_opsetid(domain, 1) for domain in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    if metadata:
        helper.set_model_props(model, dict(metadata))
    path.write_bytes(model.SerializeToString())
    return path


def _graph(path: Path, *names: str, domains: Sequence[str] = (), **shapes: Sequence[int | str]) -> Path:
    """A graph with one node, from all inputs to all outputs."""
    node, domain = names[0], domains[0] if domains else ""
    inputs = [("faces", ("n", *FACE)), *((name, shape) for name, shape in shapes.items())]
    made = helper.make_node(node, [name for name, _ in inputs], list(names[1:]), domain=domain)
    outputs = [(name, ("n", *FACE)) for name in names[1:]]
    return save_graph(path, [made], inputs, outputs, domains=domains)


def _constant(path: Path) -> Path:
    nodes = [
        helper.make_node("ReduceMean", ["faces"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "same"], ["embedding"]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros((1, 8), np.float32), "nothing"),
        numpy_helper.from_array(np.arange(8, dtype=np.float32), "same"),
    ]
    return save_graph(path, nodes, [("faces", ("n", *FACE))], [("embedding", ("n", 8))], constants)


def _of_the_batch(path: Path) -> Path:
    """Takes the mean of the batch from each face, as batch norm does that was left in training."""
    write_recogniser(path)
    model = onnx.load(path)
    nodes = [
        helper.make_node("ReduceMean", ["embedding"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Mul", ["mean", "half"], ["more"]),
        helper.make_node("Add", ["embedding", "more"], ["shifted"]),
    ]
    model.graph.node.extend(nodes)
    model.graph.output[0].name = "shifted"
    path.write_bytes(model.SerializeToString())
    return path


def _external(path: Path) -> Path:
    write_recogniser(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def _bomb(path: Path) -> Path:
    write_recogniser(path)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.array([100_000, 100_000], np.int64), "huge"))
    model.graph.node.extend(
        [
            helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["largest"]),
            helper.make_node("Add", ["embedding", "largest"], ["sum"]),
        ]
    )
    model.graph.output[0].name = "sum"
    path.write_bytes(model.SerializeToString())
    return path


def _loop(path: Path) -> Path:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["goes"]),
            helper.make_node("Identity", ["carried"], ["carries"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carried", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
            helper.make_tensor_value_info("carries", TensorProto.FLOAT, None),
        ],
    )
    nodes = [helper.make_node("Loop", ["turns", "", "faces"], ["embedding"], body=body)]
    turns = numpy_helper.from_array(np.int64(2**60), "turns")
    return save_graph(path, nodes, [("faces", ("n", *FACE))], [("embedding", ("n", *FACE))], [turns])


def _bytes(content: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return write


def _cut(path: Path) -> Path:
    write_recogniser(path)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


BROKEN: Mapping[str, tuple[Callable[[Path], Path], str]] = {
    "text": (_bytes(b"this is no network"), "an ONNX model"),
    "nothing": (_bytes(b""), "an ONNX model"),
    "a pickle": (_bytes(b"\x80\x04N."), "an ONNX model"),
    "cut off": (_cut, "an ONNX model"),
    "224 pixels": (lambda path: _graph_of(path, ("n", 3, 224, 224)), "n x 3 x 112 x 112"),
    "one channel": (lambda path: _graph_of(path, ("n", 1, 112, 112)), "n x 3 x 112 x 112"),
    "flat": (lambda path: _graph_of(path, ("n", 37632)), "n x 3 x 112 x 112"),
    "batch of 8": (lambda path: write_recogniser(path, batch=8), "a batch of 1, or any"),
    "two inputs": (lambda path: _graph(path, "Add", "embedding", more=("n", *FACE)), "one input and one output"),
    "two outputs": (lambda path: _two_outputs(path), "one input and one output"),
    "a constant": (_constant, "tells faces apart"),
    "of the batch": (_of_the_batch, "evaluation mode"),
    "weights elsewhere": (_external, "one file"),
    "a loop": (_loop, "no control flow"),
    "operators of its own": (
        lambda path: _graph(path, "Anything", "embedding", domains=("evil.example",)),
        "those of the ONNX standard",
    ),
    "too large a tensor": (_bomb, "numbers"),
    "metadata of no sense": (lambda path: write_recogniser(path, metadata={"lrface.scale": "0"}), "lrface.scale"),
}


def _graph_of(path: Path, shape: Sequence[int | str]) -> Path:
    node = helper.make_node("Identity", ["faces"], ["embedding"])
    return save_graph(path, [node], [("faces", shape)], [("embedding", shape)])


def _two_outputs(path: Path) -> Path:
    nodes = [helper.make_node("Identity", ["faces"], [name]) for name in ("embedding", "quality")]
    both = [("embedding", ("n", *FACE)), ("quality", ("n", *FACE))]
    return save_graph(path, nodes, [("faces", ("n", *FACE))], both)
