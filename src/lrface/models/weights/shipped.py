"""The recogniser that comes with the package: trained on drawn people alone, for the first minutes and for tests."""

from pathlib import Path

from lrface.models.checkpoint.doctor import load_edgeface
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.store import write_model

DRAWN = "drawn"
"""Its name, wherever `edgeface=` takes one."""

LICENCE = "CC0-1.0"


def shipped_folder() -> Path:
    """The model folder of the shipped weights, with their card (`README.md`) beside them."""
    return Path(__file__).resolve().parent / DRAWN


def is_shipped(reference: str) -> bool:
    """Whether a reference means the shipped weights: their name, where no file or folder has it."""
    return reference == DRAWN and not Path(reference).exists()


def ship(source: Path, folder: Path) -> str:
    """Write a trained EdgeFace as the package carries it: in half precision, which halves the file.

    Args:
        source: A model folder, such as `pretrain` leaves in `out`.
        folder: Where to.

    Returns:
        Sha256 of the weights that were written.

    Raises:
        WeightsError: The source does not load, or a weight is too large for half precision.
    """
    network, _ = load_edgeface(source)
    spec = edgeface_spec(network, licence=LICENCE)
    return write_model(folder, network.half(), spec)
