"""The tables of `docs/edgeface.md` and `docs/dsr.md`: how large each network is, and how fast as ONNX on one thread.

`python docs/_build/networks.py` measures anew, on this machine, and writes them; two minutes.
"""

import platform
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn

from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import VARIANTS, EdgeFace
from lrface.models.export.export import export_onnx
from lrface.models.export.graphs import DsrGraph
from lrface.models.export.timing import time_onnx
from lrface.models.settings import DsrVariant
from lrface.models.size import count_mflops, count_parameters

DOCS = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- measured: python docs/_build/networks.py -->\n", "<!-- end of what was measured -->\n"
SIDE = 16
SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """A network of a page."""

    name: str
    parameters: int
    mmac: float
    network: nn.Module
    graph: nn.Module
    face: Tensor


def rows() -> Mapping[str, list[Row]]:
    """The networks of each page; their weights are drawn, which changes neither size nor speed."""
    torch.manual_seed(0)
    return {"edgeface": list(_recognisers()), "dsr": list(_resolvers())}


def _recognisers() -> Iterator[Row]:
    face = torch.rand(1, 3, FACE_SIZE, FACE_SIZE)
    for name in VARIANTS:
        network = EdgeFace(name).eval()
        yield Row(name, count_parameters(network), count_mflops(network, face) / 2, network, network, face)


def _resolvers() -> Iterator[Row]:
    face = torch.rand(1, 3, SIDE, SIDE)
    for name in get_args(DsrVariant):
        network = DSR(name).eval()
        graph = DsrGraph(network).eval()
        yield Row(name, count_parameters(network), count_mflops(graph, face) / 2, network, graph, face)


def table(found: list[Row], folder: Path) -> str:
    """Size and speed, a row for each network."""
    lines = ["| size | parameters | MMAC a face | ONNX float32, MB | ms a face | faces/s in batches of 64 |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    for row in found:
        path = folder / f"{row.name}.onnx"
        small = row.face.shape[-1] < FACE_SIZE
        probes = [torch.rand(1, 3, side, side) for side in (VLR_MIN, VLR_MAX)] if small else []
        export_onnx(row.graph, row.face, path, dynamic_size=small, probes=probes)
        timing = time_onnx(row.name, path, row.face, 1, SECONDS)
        megabytes = path.stat().st_size / 1e6
        lines.append(f"| {cells(row)} | {megabytes:.1f} | {timing.latency_ms:.1f} | {timing.faces_per_s:.0f} |")
    return "\n".join(lines) + "\n"


def cells(row: Row) -> str:
    """What of a row is the same on every machine."""
    return f"`{row.name}` | {row.parameters:,} | {row.mmac:.0f}"


def processor() -> str:
    """What this machine calls its processor."""
    path = Path("/proc/cpuinfo")
    named = [line.partition(":")[2].strip() for line in path.read_text().splitlines()] if path.is_file() else []
    models = [words for words in named if "CPU" in words or "Processor" in words]
    return models[0] if models else platform.processor() or platform.machine()


def main() -> None:
    """Measure, and write both pages."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, found in rows().items():
            page = DOCS / f"{name}.md"
            before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
            where = f"One thread of {processor()}, onnxruntime.\n"
            text = f"{before}{BEGIN}\n{table(found, Path(folder))}\n{where}\n{END}{rest.partition(END)[2]}"
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
