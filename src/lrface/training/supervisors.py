"""Several supervisors as one, so that SR faces please no single one; and the judge, who is asked and never obeyed."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from lrface.models.edgeface.network import EdgeFace
from lrface.training.validation import Embedder, embed_all, recognition_metrics

JUDGED = "judge_"
"""What the validation figures of the judge begin with."""


class Ensemble(nn.Module):
    """Several frozen recognisers that speak as one.

    The embedding is theirs side by side, divided by the square root of their number: of unit length, and its cosine is
    the mean of theirs. The identity term of it is thus the mean of their identity terms; the features are those of all,
    so that feature matching is the mean too; contrast is taken of the mean cosine. Their widths may differ.

    Args:
        members: Two recognisers or more.
    """

    def __init__(self, members: Sequence[EdgeFace]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.width = sum(member.width for member in members)

    def forward(self, images: Float[Tensor, "n 3 112 112"]) -> Float[Tensor, "n d"]:
        """Embed images in [0, 1]; the embeddings have unit length."""
        return self._joined([member(images) for member in self.members])

    def embed_with_features(
        self, images: Float[Tensor, "n 3 112 112"]
    ) -> tuple[Float[Tensor, "n d"], list[Float[Tensor, "n c h w"]]]:
        """Embeddings, and the feature maps of all stages of all members."""
        seen = [member.embed_with_features(images) for member in self.members]  # type: ignore[operator]
        return self._joined([embedding for embedding, _ in seen]), [one for _, features in seen for one in features]

    def _joined(self, embeddings: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(embeddings), dim=1) / math.sqrt(len(self.members))


class Judge:
    """A recogniser that took part in nothing and says what it sees in the SR faces of the validation set.

    Args:
        embedder: The recogniser; it need not give gradients.
        faces: HR faces of the validation set.
        people: Person of each.
    """

    def __init__(
        self, embedder: Embedder, faces: UInt8[np.ndarray, "m 112 112 3"], people: Int64[np.ndarray, " m"]
    ) -> None:
        self._embedder, self._faces, self._people = embedder, faces, people
        self._gallery: Float[Tensor, "m d"] | None = None
        self._probes: list[Float[Tensor, "n d"]] = []

    def look(self, shown: Float[Tensor, "n 3 112 112"]) -> None:
        """Take note of some SR faces in [0, 1]."""
        self._probes.append(self._embedder(shown).cpu())

    def metrics(self, owner: Int64[np.ndarray, " n"], device: torch.device) -> dict[str, float]:
        """Recognition of all faces since the last call, as `recognition_metrics`, each name with `judge_` in front."""
        if self._gallery is None:
            self._gallery = embed_all(self._faces, self._embedder, device)
        probes, self._probes = torch.cat(self._probes), []
        found = recognition_metrics(probes, self._gallery, owner, self._people)
        return {f"{JUDGED}{name}": value for name, value in found.items()}
