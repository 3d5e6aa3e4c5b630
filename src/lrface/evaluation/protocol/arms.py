"""Arms: the ways from a small face to an embedding that are measured side by side."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from lrface.errors import EvaluationError
from lrface.images.degradation.resample import enlarge
from lrface.images.sizes import FACE_SIZE

Embedder = Callable[[Tensor], Tensor]
"""n x 3 x 112 x 112 in [0, 1] to n x d, unit length."""

Upscaler = Callable[[Tensor], Tensor]
"""n x 3 x s x s in [0, 1] to n x 3 x 112 x 112 in [0, 1]."""

NAME = re.compile(r"[A-Za-z0-9_.-]+")
HIGH_RESOLUTION = "hr"
BICUBIC = "bicubic"
JUDGE = "judge"
"""What the arms of a recogniser end in that took part in no training."""


@dataclass(frozen=True)
class Arm:
    """One way from VLR to embedding.

    Attributes:
        name: What it is called in figures and metrics: letters, digits, `_`, `-`, `.`.
        embedder: The recogniser of the probes.
        upscaler: From VLR to 112 x 112; None where the probe is the HR face itself (the ceiling).
        gallery_embedder: The recogniser that enrolled the gallery; None where it is the embedder.
        smallest: Least side in pixels that the upscaler takes.
        largest: Greatest side in pixels that the upscaler takes; other sizes are left out for this arm.
    """

    name: str
    embedder: Embedder
    upscaler: Upscaler | None = None
    gallery_embedder: Embedder | None = None
    smallest: int = 1
    largest: int = FACE_SIZE

    def __post_init__(self) -> None:
        """Refuses a name that a tracker would."""
        if not NAME.fullmatch(self.name):
            raise EvaluationError(
                "arm name",
                got=repr(self.name),
                expected="letters, digits, _ - .",
                remedy="rename the arm",
            )

    @property
    def enrols_with(self) -> Embedder:
        """The recogniser of the gallery."""
        return self.gallery_embedder or self.embedder

    @property
    def is_ceiling(self) -> bool:
        """Whether the probe is the HR face itself."""
        return self.upscaler is None

    @property
    def judges(self) -> bool:
        """Whether its recogniser is the independent judge."""
        return self.name.endswith(f"-{JUDGE}")

    def takes(self, size: int) -> bool:
        """Whether the upscaler takes probes of this side."""
        return self.smallest <= size <= self.largest


def bicubic(vlr: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 112 112"]:
    """Brings small faces to 112 x 112 by bicubic interpolation, clamped: what every super-resolver must beat."""
    return enlarge(vlr, FACE_SIZE)
