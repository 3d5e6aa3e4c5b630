"""The golden files: figures and tolerances in JSON, small copies in safetensors."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from .summary import Kept

HERE = Path(__file__).parent
FIGURES, COPIES = "golden.json", "golden.safetensors"


def read(folder=HERE):
    """Every kept output by name; none where there are no files yet."""
    if not (folder / FIGURES).is_file():
        return {}
    copies = load_file(folder / COPIES)
    return {name: Kept(told, copies.get(name)) for name, told in json.loads((folder / FIGURES).read_text()).items()}


def write(kept, folder=HERE):
    """Write both files beside their places, and rename them."""
    ordered = dict(sorted(kept.items()))
    figures, copies = folder / f".{FIGURES}.partial", folder / f".{COPIES}.partial"
    lines = [f"{json.dumps(name)}: {json.dumps(one.told)}" for name, one in ordered.items()]
    figures.write_text("{\n" + ",\n".join(lines) + "\n}\n")  # a line each, for whoever reads a change
    save_file({name: np.ascontiguousarray(one.copy) for name, one in ordered.items() if one.copy is not None}, copies)
    copies.replace(folder / COPIES)
    figures.replace(folder / FIGURES)
