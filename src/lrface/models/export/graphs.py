"""What an exported graph computes: very small faces of any size in, SR faces and embeddings out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lrface.images.degradation.degradation import SmallFaces
from lrface.images.degradation.resample import enlarge_matrices
from lrface.images.sizes import FACE_SIZE, VLR_MAX, VLR_MIN
from lrface.models.dsr.network import DSR
from lrface.models.edgeface.network import EdgeFace


class DsrGraph(nn.Module):
    """DSR, or bicubic where there is none, with the size of its input read from the input, as a graph can.

    The enlargement is a product with one of a bank of matrices. Those for sides below 8 pixels are NaN, so that such a
    face gives NaN and no plausible picture; sides above 32 are outside of the bank, which onnxruntime refuses.
    """

    def __init__(self, dsr: DSR | None) -> None:
        super().__init__()
        self.dsr = dsr
        bank = torch.full((VLR_MAX + 1, FACE_SIZE, VLR_MAX), torch.nan)
        bank[VLR_MIN:] = enlarge_matrices()
        self.register_buffer("bank", bank, persistent=False)

    def forward(self, vlr: Float[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 112 112"]:
        """Super-resolve faces in [0, 1]; the result is clamped to [0, 1]."""
        side = torch._shape_as_tensor(vlr)[2]
        bank: Tensor = self.bank  # type: ignore[assignment]
        up = bank.index_select(0, side.unsqueeze(0)).squeeze(0)[:, :side]
        small = SmallFaces(enlarged=up @ vlr @ up.transpose(-1, -2), size=side.expand(vlr.shape[0]))
        restored = small.enlarged if self.dsr is None else self.dsr.restore(small)
        return restored.clamp(0.0, 1.0)


class PairGraph(nn.Module):
    """The whole pair: VLR faces in, embeddings and SR faces out; those of bicubic where there is no super-resolver."""

    def __init__(self, dsr: DSR | None, edgeface: EdgeFace) -> None:
        super().__init__()
        self.restore = DsrGraph(dsr)
        self.edgeface = edgeface

    def forward(self, vlr: Float[Tensor, "n 3 s s"]) -> tuple[Float[Tensor, "n 512"], Float[Tensor, "n 3 112 112"]]:
        """Embed and super-resolve faces in [0, 1]."""
        restored = self.restore(vlr)
        return self.edgeface(restored), restored
