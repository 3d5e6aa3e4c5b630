"""Networks as ONNX, each held against the network it came from."""

import hashlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from lrface.errors import WeightsError

OPSET = 18


@dataclass(frozen=True)
class ParityReport:
    """How near an exported network is to the original.

    Attributes:
        path: The ONNX file.
        sha256: Of its bytes.
        size: Its bytes.
        opset: Version of the ONNX operators.
        shapes: Shapes of the inputs that were compared.
        largest_difference: Between any two outputs, absolute.
        tolerance: The largest that was allowed.
    """

    path: str
    sha256: str
    size: int
    opset: int
    shapes: tuple[tuple[int, ...], ...]
    largest_difference: float
    tolerance: float


def export_onnx(
    module: nn.Module,
    example: Tensor,
    path: Path,
    dynamic_batch: bool = True,
    *,
    dynamic_size: bool = False,
    probes: Sequence[Tensor] = (),
    names: Sequence[str] = ("images", "outputs"),
    tolerance: float = 1e-4,
    metadata: Mapping[str, str] | None = None,
) -> ParityReport:
    """Export a network of one input, and compare it with its graph in onnxruntime on the CPU.

    The exporter traces: torch's newer one needs onnxscript, which is no dependency here.

    Args:
        module: The network; it is exported in evaluation mode, on the CPU.
        example: An input.
        path: The file to write; it appears only when the comparison has passed.
        dynamic_batch: Whether the first dimension may differ later. It is then compared at another batch too.
        dynamic_size: Whether height and width of the input may differ later; give `probes` of other sizes.
        probes: Further inputs to compare at.
        names: Of the input and of the outputs.
        tolerance: Largest absolute difference.
        metadata: What the file is to say about itself.

    Raises:
        WeightsError: The exported network differs by more.
    """
    batch = {0: "batch"} if dynamic_batch else {}
    axes = {name: dict(batch) for name in names}
    if dynamic_size:
        axes[names[0]] |= {2: "height", 3: "width"}
    was_training, device = module.training, _device(module)
    module.cpu().eval()
    inputs = [example.cpu(), *(probe.cpu() for probe in probes)]
    if dynamic_batch:
        inputs.append(torch.cat([inputs[0], inputs[0].flip(-1), inputs[0]]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        temporary = Path(folder) / "model.onnx"
        try:
            with warnings.catch_warnings():
                # The tracing exporter announces its retirement, and that shapes become constants.
                warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.onnx")
                warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*ONNX.*")
                warnings.filterwarnings("ignore", message="(?s).*trace might not generalize")
                torch.onnx.export(
                    module,
                    (inputs[0],),
                    temporary,
                    dynamo=False,
                    opset_version=OPSET,
                    input_names=[names[0]],
                    output_names=list(names[1:]),
                    dynamic_axes=axes,
                )
            if metadata:
                _say(temporary, metadata)
            difference = _difference(module, temporary, inputs)
        finally:
            module.to(device).train(was_training)
        if not difference <= tolerance:
            raise WeightsError(
                f"export {path}",
                got=f"outputs that differ by {difference:.2g}",
                expected=f"at most {tolerance:.2g}",
                remedy="export on a CPU in float32, or raise the tolerance where that is enough",
            )
        data = temporary.read_bytes()
        temporary.replace(path)
    return ParityReport(
        path=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        opset=OPSET,
        shapes=tuple(tuple(probe.shape) for probe in inputs),
        largest_difference=difference,
        tolerance=tolerance,
    )


def _say(path: Path, metadata: Mapping[str, str]) -> None:
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, dict(metadata))
    onnx.save(model, str(path))


def _device(module: nn.Module) -> torch.device:
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _difference(module: nn.Module, path: Path, inputs: Sequence[Tensor]) -> float:
    onnx.checker.check_model(str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    largest = 0.0
    for probe in inputs:
        with torch.no_grad():
            original = module(probe)
        originals = original if isinstance(original, tuple) else (original,)
        for ours, theirs in zip(session.run(None, {name: probe.numpy()}), originals, strict=True):
            # Unlike max(), this keeps a NaN.
            largest = float(np.maximum(largest, np.abs(ours - theirs.numpy()).max()))
    return largest
