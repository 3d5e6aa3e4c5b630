"""What a model folder holds, as hashes."""

import hashlib
from pathlib import Path
from typing import Final

from lrface.errors import WeightsError

WEIGHTS: Final = frozenset({"model.safetensors", "model.onnx"})
SPEC: Final = "config.json"


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_hashes(folder: Path) -> dict[str, str]:
    """Return ``{path below the folder: sha256}`` of every file in it, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def weights_sha256(hashes: dict[str, str]) -> str:
    """Return the sha256 of the weights in a model folder; of a pair, that over both halves' hashes.

    Raises:
        WeightsError: A weight file has no spec beside it, or there are no weights.
    """
    weights = {name: digest for name, digest in hashes.items() if Path(name).name in WEIGHTS}
    bare = [name for name in weights if (Path(name).parent / SPEC).as_posix() not in hashes]
    if not weights or bare:
        raise WeightsError(
            "model folder",
            got=f"files {sorted(hashes)}",
            expected=f"model.safetensors or model.onnx with {SPEC} beside it",
            remedy="write the model with write_model",
        )
    if len(weights) == 1 and (only := next(iter(weights))) in WEIGHTS:
        return weights[only]
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(weights.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
