"""`export`: networks as ONNX, each held against the network it came from."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from lrface.config import ExportSettings
from lrface.images.ranges import FACE_SIZE
from lrface.jobs.command import Context, command, leave
from lrface.jobs.compose import Parameter
from lrface.jobs.networks import NONE, load_recogniser, load_super_resolver
from lrface.jobs.stage import copy_out, stage
from lrface.models.export import ParityReport, export_onnx
from lrface.tracking.runs import Run

PARAMETERS = (
    Parameter("edgeface", "edgeface", "recogniser: models:/ URI, path, released name, or none"),
    Parameter("dsr", "dsr", "super-resolver: models:/ URI, model folder, or none"),
)


def run(settings: ExportSettings, context: Context, parent: Run | None = None) -> dict[str, ParityReport]:
    """Write `edgeface.onnx` and `dsr_<size>.onnx`, with the largest difference from the original."""
    generator = torch.Generator().manual_seed(settings.seed)
    wanted: dict[str, tuple[nn.Module, Tensor]] = {}
    inputs = {}
    if settings.edgeface != NONE:
        recogniser = load_recogniser(settings.edgeface, context)
        wanted["edgeface"] = (recogniser.network, torch.rand(2, 3, FACE_SIZE, FACE_SIZE, generator=generator))
        inputs["edgeface"] = recogniser.sha256
    if settings.dsr != NONE:
        resolver = load_super_resolver(settings.dsr, context)
        inputs["dsr"] = resolver.sha256
        for size in settings.sizes:
            wanted[f"dsr_{size}"] = (resolver.network, torch.rand(2, 3, size, size, generator=generator))
    reports = {}
    with (
        stage("export", settings, context, name="export", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for name, (network, example) in wanted.items():
            reports[name] = export_onnx(network, example, Path(scratch) / f"{name}.onnx")
            context.terminal.line(
                f"{name}.onnx: {reports[name].size} bytes, largest difference {reports[name].largest_difference:.1e}"
            )
        work.run.log_artifacts(Path(scratch), "onnx")
        if settings.out is not None:
            copy_out(Path(scratch), settings.out)
    return reports


if __name__ == "__main__":
    leave(command("export", ExportSettings, run, PARAMETERS))
