"""The picture of the README: drawn people who were in no training, as VLR, bicubic, DSR and HR, and the curve.

    mlflow run . --env-manager local -e curve -P data=procedural -P edgeface=models:/edgeface@finetuned \
        -P dsr=models:/dsr@cycle -P out=build/curve -P overrides="degradations=[clean] data.faces.seed=77 \
        data.faces.subjects=40 data.faces.images_per_subject=4 data.splits.all_test=true"
    python docs/_build/picture.py --dsr models:/dsr@cycle --curve build/curve --out docs/images/faces.png
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lrface.evaluation.protocol.arms import bicubic
from lrface.images.procedural import draw_identity, draw_nuisance, render
from lrface.images.ranges import to_float, to_uint8
from lrface.images.degradation.resample import shrink
from lrface.images.sizes import FACE_SIZE
from lrface.cli.parameters.compose import project_root
from lrface.cli.context import Context
from lrface.jobs.shared.networks import load_super_resolver
from lrface.cli.terminal.terminal import Terminal
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import connect

SEED, SIZES, PEOPLE = 77, (8, 12, 16), (6, 15)
COLUMNS = ("VLR", "bicubic", "DSR", "HR")


def main() -> int:
    """Compose the picture and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsr", default="models:/dsr@cycle", help="super-resolver: models:/ URI or model folder")
    parser.add_argument("--curve", type=Path, required=True, help="folder that the entry point `curve` wrote to out")
    parser.add_argument("--out", type=Path, required=True, help="the picture")
    given = parser.parse_args()
    context = Context(project_root(), connect(project_root(), TrackingSettings()), Terminal(), torch.device("cpu"), {})
    network = load_super_resolver(given.dsr, context).network
    figure = Figure(figsize=(12.6, 3.2), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    faces, curve = figure.subplots(1, 2, width_ratios=(2.2, 1))
    _draw_faces(faces, network)
    _draw_curve(curve, pd.read_csv(given.curve / "curve.csv", float_precision="round_trip"))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(given.out, metadata={"Software": None})
    sys.stdout.write(f"{given.out}: {given.out.stat().st_size / 1000:.0f} kB\n")
    return 0


def _draw_faces(axes, network) -> None:  # noqa: ANN001 - matplotlib's and ours
    """A row per size, for each person VLR (each pixel as a square), bicubic, DSR and HR."""
    drawn = [render(draw_identity(SEED, who), draw_nuisance(SEED, who, 1, 0.5)) for who in PEOPLE]
    hr = to_float(np.stack([np.asarray(pixels) for pixels in drawn]))
    rows = []
    for size in SIZES:
        vlr = shrink(hr, size)
        squares = torch.nn.functional.interpolate(vlr, size=(FACE_SIZE, FACE_SIZE), mode="nearest-exact")
        with torch.inference_mode():
            shown = (squares, bicubic(vlr), network(vlr), hr)
        pictures = [to_uint8(images) for images in shown]
        rows.append(np.concatenate([pictures[way][who] for who in range(len(PEOPLE)) for way in range(4)], axis=1))
    axes.imshow(np.concatenate(rows), interpolation="nearest")
    middles = [FACE_SIZE * (place + 0.5) for place in range(4 * len(PEOPLE))]
    axes.set_xticks(middles, COLUMNS * len(PEOPLE), fontsize=11)
    axes.set_yticks(middles[: len(SIZES)], [f"{size} px" for size in SIZES], fontsize=11)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_anchor("C")
    axes.axvline(4 * FACE_SIZE - 0.5, color="white", linewidth=4)


def _draw_curve(axes, table: pd.DataFrame) -> None:  # noqa: ANN001 - matplotlib's
    """Rank-1 over the side of the face, with its 95 % interval; HR across."""
    table = table[table["degradation"] == "clean"]
    for arm in dict.fromkeys(table["arm"]):
        rows = table[table["arm"] == arm].sort_values("size")
        if len(rows) == 1:
            axes.axhline(rows["value"].iloc[0], color="0.4", linestyle="--", linewidth=1.2, label="HR")
            continue
        name = "bicubic" if "bicubic" in arm else "DSR"
        colour = "C1" if name == "bicubic" else "C0"
        axes.plot(rows["size"], rows["value"], marker="o", markersize=4, color=colour, label=name)
        axes.fill_between(rows["size"], rows["low"], rows["high"], color=colour, alpha=0.13, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks([8, 12, 16, 24, 32, 64, 112], ["8", "12", "16", "24", "32", "64", "112"])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("side of the face, pixels")
    axes.set_ylabel("named rightly (rank-1)")
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")


if __name__ == "__main__":
    sys.exit(main())
