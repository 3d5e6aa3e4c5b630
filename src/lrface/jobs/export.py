"""`export`: both networks and the whole pair as ONNX, in float32 and int8, each held against what it came from."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lrface.cli.context import Context
from lrface.config import ExportSettings
from lrface.images.degradation.resample import shrink
from lrface.images.procedural import ProceduralSettings, render_faces
from lrface.images.ranges import to_float
from lrface.jobs.shared.networks import NONE, Recogniser, SuperResolver, load_recogniser, load_super_resolver
from lrface.jobs.shared.stage import copy_out, stage
from lrface.models.export.export import ParityReport, export_onnx
from lrface.models.export.graphs import DsrGraph, PairGraph
from lrface.models.export.quantise import QuantisedReport, quantise, sensitive_products
from lrface.models.export.timing import BATCH, Timing, thread_counts, time_onnx, time_torch
from lrface.models.onnx.input import UNIT_RANGE
from lrface.naming.operating_points import POINTS_NAME, OperatingPoints, read_points, write_points
from lrface.tracking.registry.pair import pairs_of
from lrface.tracking.registry.registration import tag
from lrface.tracking.registry.versions import ModelVersion, as_recorded, download
from lrface.tracking.runs.run import Run

EDGEFACE, DSR, PAIR = "edgeface", "dsr", "pair"
BENCH_SIZE = 16


@dataclass(frozen=True)
class _Graph:
    """What is to be written under one name.

    Attributes:
        module: What is exported.
        probes: Inputs at which it is compared.
        names: Of its input and outputs.
        versions: The versions in the registry that are told where it is.
    """

    module: nn.Module
    probes: Sequence[Tensor]
    names: tuple[str, ...]
    versions: Sequence[ModelVersion]

    @property
    def embedding(self) -> int | None:
        return 0 if "embedding" in self.names else None


@dataclass(frozen=True)
class Exported:
    """A graph in float32, and the one in int8 where it was wanted."""

    plain: ParityReport
    int8: QuantisedReport | None


def run(settings: ExportSettings, context: Context, parent: Run | None = None) -> dict[str, Exported]:
    """Write `edgeface.onnx`, `dsr.onnx` and `pair.onnx`, and `..._int8.onnx` beside them; operating points too.

    Without a super-resolver the pair enlarges by bicubic.
    """
    recogniser = load_recogniser(settings.edgeface, context) if settings.edgeface != NONE else None
    resolver = load_super_resolver(settings.dsr, context) if settings.dsr != NONE else None
    loaded = {EDGEFACE: recogniser, DSR: resolver}
    inputs = {name: item.sha256 for name, item in loaded.items() if item is not None}
    with (
        stage("export", settings, context, name="export", inputs=inputs, parent=parent) as work,
        tempfile.TemporaryDirectory() as scratch,
    ):
        folder = Path(scratch)
        faces = _drawn_faces(settings.seed)
        graphs = _graphs(recogniser, resolver, faces, settings.sizes, context)
        exported = _written(graphs, faces, folder, settings, context)
        figures = _figures(exported)
        timings = _timed(graphs, folder, settings, context) if settings.bench else []
        for timing in timings:
            place = f"export/{timing.network}/{timing.runtime}_{timing.threads}"
            figures |= {f"{place}/latency_ms": timing.latency_ms, f"{place}/faces_per_s": timing.faces_per_s}
        report = {
            "graphs": {name: asdict(item) for name, item in exported.items()},
            "timings": [asdict(timing) for timing in timings],
        }
        points = _points(recogniser, resolver, context) if recogniser is not None else None
        if points is not None:
            write_points(folder, points)
            context.terminal.result(f"{POINTS_NAME}: the thresholds that the graphs are used with, by size and rate")
        (folder / "export.json").write_text(json.dumps(report, indent=1).replace(f"{folder}/", "") + "\n")
        work.run.log_metrics(figures)
        work.run.log_artifacts(folder, "onnx")
        if settings.out is not None:
            copy_out(folder, settings.out)
            _tell_older(Path(settings.out), folder, context)
        _tell_registry(graphs, exported, work.run, context)
    return exported


def _points(recogniser: Recogniser, resolver: SuperResolver | None, context: Context) -> OperatingPoints | None:
    """The operating points of the newest version of `lrface` that holds both networks; None where none has any."""
    halves = recogniser.sha256, resolver.sha256 if resolver else NONE
    for version in pairs_of(context.store, *halves):
        if POINTS_NAME in (as_recorded(version.tags) or {}):
            with tempfile.TemporaryDirectory() as scratch:
                return read_points(download(context.store, version, Path(scratch) / "pair"), *halves)
    return None


def _tell_older(out: Path, made: Path, context: Context) -> None:
    """Name the graphs of an earlier export that lie beside those of this one, and are of other weights."""
    older = sorted(path.name for path in out.glob("*.onnx") if not (made / path.name).exists())
    if older:
        cause = f"{', '.join(older)} in {out} are of an earlier export, and stay as they are"
        context.terminal.finding("warning", "older_graphs", cause, "delete them, or export to another folder")


def _drawn_faces(seed: int) -> Tensor:
    """Faces to compare on; drawn, so that an export needs no data."""
    drawn = render_faces(ProceduralSettings(subjects=8, images_per_subject=2, seed=seed), workers=1)
    return to_float(np.stack([pixels for _, _, pixels in drawn]))


def _graphs(
    recogniser: Recogniser | None,
    resolver: SuperResolver | None,
    faces: Tensor,
    sizes: Sequence[int],
    context: Context,
) -> dict[str, _Graph]:
    small = [shrink(faces[place : place + 2], size) for place, size in enumerate(sizes)]
    found = {}
    if recogniser is not None:
        versions = [recogniser.version] if recogniser.version else []
        found[EDGEFACE] = _Graph(recogniser.network.cpu(), [faces[:2], faces[2:]], ("faces", "embedding"), versions)
    if resolver is not None:
        versions = [resolver.version] if resolver.version else []
        found[DSR] = _Graph(DsrGraph(resolver.network.cpu()), small, ("vlr", "sr"), versions)
    if recogniser is not None:
        pair = PairGraph(resolver.network if resolver else None, recogniser.network)
        pairs = pairs_of(context.store, recogniser.sha256, resolver.sha256 if resolver else NONE)
        halves = [version for graph in found.values() for version in graph.versions]
        found[PAIR] = _Graph(pair, small, ("vlr", "embedding", "sr"), [*pairs, *halves])
    return found


def _written(
    graphs: dict[str, _Graph], faces: Tensor, folder: Path, settings: ExportSettings, context: Context
) -> dict[str, Exported]:
    exported: dict[str, Exported] = {}
    kept: tuple[str, ...] = ()
    for name, graph in graphs.items():
        path = folder / f"{name}.onnx"
        plain = export_onnx(
            graph.module,
            graph.probes[0],
            path,
            dynamic_size=name != EDGEFACE,
            probes=graph.probes[1:],
            names=graph.names,
            metadata=UNIT_RANGE if name == EDGEFACE else None,
        )
        line = f"{path.name}: {plain.size} bytes, largest difference {plain.largest_difference:.1e}"
        int8 = None
        if settings.int8:
            if name == EDGEFACE:
                kept = sensitive_products(path, faces, settings.int8_similarity)
            int8 = quantise(path, folder / f"{name}_int8.onnx", graph.probes, kept, graph.embedding)
            line += f"; int8 {int8.size} bytes"
            line += f", mean cosine {int8.similarity[1]:.4f}" if int8.similarity else ""
            line += f", largest difference {int8.largest_difference:.1e}" if int8.largest_difference else ""
        context.terminal.result(line)
        exported[name] = Exported(plain, int8)
    return exported


def _figures(exported: dict[str, Exported]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name, item in exported.items():
        figures |= {
            f"export/{name}/bytes": item.plain.size,
            f"export/{name}/largest_difference": item.plain.largest_difference,
        }
        if item.int8 is None:
            continue
        figures[f"export/{name}_int8/bytes"] = item.int8.size
        if item.int8.similarity is not None:
            figures[f"export/{name}_int8/similarity"] = item.int8.similarity[1]
        if item.int8.largest_difference is not None:
            figures[f"export/{name}_int8/largest_difference"] = item.int8.largest_difference
    return figures


def _timed(graphs: dict[str, _Graph], folder: Path, settings: ExportSettings, context: Context) -> list[Timing]:
    """One face and a batch, with one thread and all, in onnxruntime and in torch."""
    timings = []
    for name, graph in graphs.items():
        face = graph.probes[0][:1] if name == EDGEFACE else torch.rand(1, 3, BENCH_SIZE, BENCH_SIZE)
        for threads in thread_counts():
            for label in (name, f"{name}_int8"):
                path = folder / f"{label}.onnx"
                if path.is_file():
                    timings.append(time_onnx(label, path, face, threads, settings.bench_seconds))
            timings.append(time_torch(name, graph.module, face, threads, settings.bench_seconds))
    for timing in timings:
        context.terminal.line(
            f"{timing.network:13s} {timing.runtime:12s} {timing.threads} thread(s): {timing.latency_ms:7.2f} ms a "
            f"face, {timing.faces_per_s:7.1f} faces/s in batches of {BATCH}"
        )
    return timings


def _tell_registry(graphs: dict[str, _Graph], exported: dict[str, Exported], run: Run, context: Context) -> None:
    """Tag each version with where its graphs lie. MLflow's versions take no files once they are registered."""
    for name, graph in graphs.items():
        item = exported[name]
        for version in graph.versions:
            tags = {f"onnx.{name}": f"runs:/{run.run_id}/onnx/{name}.onnx", f"onnx.{name}.sha256": item.plain.sha256}
            if item.int8 is not None:
                tags[f"onnx.{name}_int8"] = f"runs:/{run.run_id}/onnx/{name}_int8.onnx"
                tags[f"onnx.{name}_int8.sha256"] = item.int8.sha256
            tag(context.store, version, tags)
