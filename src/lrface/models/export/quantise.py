"""ONNX graphs with their matrix products in int8.

Weights are int8 by output channel, activations uint8 by their range at the time of the call (Jacob et al., Quantization
and training of neural networks for efficient integer-arithmetic-only inference, CVPR 2018): nothing is calibrated.
Convolutions stay in float32: fixed ranges cost the recogniser far more than they gain (docs/speed.md). So do the few
products whose quantisation alone moves embeddings most; `sensitive_products` finds them.
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from jaxtyping import Float
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from lrface.errors import WeightsError

PRODUCTS = ("MatMul", "Gemm")


@dataclass(frozen=True)
class QuantisedReport:
    """How near a graph in int8 is to the one in float32.

    Attributes:
        path: The graph.
        sha256: Of its bytes.
        size: Its bytes.
        kept: Matrix products that stay in float32, by the name of their node.
        similarity: Smallest and mean cosine of the embeddings, where it gives any.
        largest_difference: Of all other outputs, absolute.
    """

    path: str
    sha256: str
    size: int
    kept: tuple[str, ...]
    similarity: tuple[float, float] | None
    largest_difference: float | None


def sensitive_products(path: Path, faces: Float[Tensor, "n 3 112 112"], similarity: float) -> tuple[str, ...]:
    """The matrix products of a recogniser that have to stay in float32.

    Each product is quantised alone; then those that moved the embeddings most are kept, one more at a time, until the
    whole graph in int8 gives embeddings whose mean cosine to the float32 ones is `similarity`.

    Args:
        path: The recogniser in float32.
        faces: Faces in [0, 1] to measure on.
        similarity: Mean cosine that is wanted.

    Raises:
        WeightsError: Not even one product may be quantised.
    """
    with tempfile.TemporaryDirectory() as scratch:
        plain, trial = Path(scratch) / "plain.onnx", Path(scratch) / "trial.onnx"
        _prepare(path, plain)
        wanted = _outputs(plain, faces)[0]
        names = _products(plain)

        def loss(kept: Sequence[str]) -> float:
            _quantise(plain, trial, [name for name in names if name not in set(kept)])
            return 1 - float((_outputs(trial, faces)[0] * wanted).sum(1).mean())

        alone = {name: loss([other for other in names if other != name]) for name in names}
        worst = sorted(names, key=lambda name: -alone[name])
        for count in range(len(worst)):
            if loss(worst[:count]) <= 1 - similarity:
                return tuple(sorted(worst[:count]))
    raise WeightsError(
        f"int8 of {path.name}",
        got=f"embeddings that move too far whichever of {len(names)} products are quantised",
        expected=f"a mean cosine of {similarity} to the float32 ones",
        remedy="lower int8_similarity, or export with int8=false",
    )


def quantise(
    path: Path, target: Path, probes: Sequence[Tensor], kept: Sequence[str] = (), embedding: int | None = None
) -> QuantisedReport:
    """Write a graph in int8 and hold it against the one in float32.

    Args:
        path: The graph in float32.
        target: The file to write; it appears when it is whole.
        probes: Inputs to compare at.
        kept: Nodes that stay in float32; a name that a longer one ends in counts too, so that the nodes of a
            recogniser are found in the graph of a pair.
        embedding: Which output holds embeddings, from 0; None: none does.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as scratch:
        plain, made = Path(scratch) / "plain.onnx", Path(scratch) / "made.onnx"
        _prepare(path, plain)
        names = _products(plain)
        stays = tuple(name for name in names if any(name.endswith(end) for end in kept))
        _quantise(plain, made, [name for name in names if name not in stays])
        _keep_metadata(path, made)
        cosines: list[float] = []
        largest: float | None = None
        for probe in probes:
            for place, (ours, theirs) in enumerate(zip(_outputs(made, probe), _outputs(path, probe), strict=True)):
                if place == embedding:
                    cosines += (ours * theirs).sum(1).tolist()
                else:
                    # Unlike max(), this keeps a NaN.
                    largest = float(np.maximum(largest or 0.0, np.abs(ours - theirs).max()))
        data = made.read_bytes()
        made.replace(target)
    return QuantisedReport(
        path=str(target),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        kept=stays,
        similarity=(float(np.min(cosines)), float(np.mean(cosines))) if cosines else None,
        largest_difference=largest,
    )


def _prepare(path: Path, target: Path) -> None:
    with _silent():
        # The symbolic pass does not know a size that is read from the input.
        quant_pre_process(str(path), str(target), skip_symbolic_shape=True)


def _products(path: Path) -> list[str]:
    graph = onnx.load(str(path)).graph
    weights = {item.name for item in graph.initializer}
    found = [node for node in graph.node if node.op_type in PRODUCTS and node.input[1] in weights]
    # The quantiser first makes a product and a sum of each Gemm, and knows the product by this name only.
    return [f"{node.name}_MatMul" if node.op_type == "Gemm" else node.name for node in found]


def _quantise(path: Path, target: Path, nodes: list[str]) -> None:
    if not nodes:
        # An empty list would mean all of them.
        target.write_bytes(path.read_bytes())
        return
    with _silent():
        quantize_dynamic(
            str(path),
            str(target),
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_quantize=nodes,
            weight_type=QuantType.QInt8,
            per_channel=True,
        )


def _keep_metadata(path: Path, target: Path) -> None:
    """What the graph in float32 says of itself holds for the one in int8; the quantiser drops it."""
    said = {entry.key: entry.value for entry in onnx.load(str(path)).metadata_props}
    if said:
        model = onnx.load(str(target))
        onnx.helper.set_model_props(model, said)
        onnx.save(model, str(target))


def _outputs(path: Path, probe: Tensor) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: probe.numpy()}))


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser advises, through the root logger, on passes that have been done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
