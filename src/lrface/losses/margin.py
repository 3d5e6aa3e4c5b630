"""The classification head of recogniser training: angular margins on unit-length class centres."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss, SubCenterArcFaceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.losses.terms import at_least_single
from lrface.settings import Settings

EMBEDDING_SIZE = 512


class MarginSettings(Settings):
    """The margin and how its class centres start."""

    kind: Literal["arcface", "cosface", "subcentre"] = Field("arcface", description="kind of margin")
    scale: float = Field(32.0, gt=0, le=128, description="scale of the logits")
    margin: float = Field(
        0.3, ge=0, le=1.5, description="margin: radians for arcface and subcentre, cosine for cosface"
    )
    sub_centres: int = Field(3, ge=1, le=16, description="centres of each class, for subcentre")
    start: Literal["centres", "random"] = Field(
        "centres", description="class centres start at the mean embedding of their images, or at random"
    )


class MarginHead(nn.Module):
    """ArcFace and its kin.

    `L = -log( e^{s cos(t_y + m)} / (e^{s cos(t_y + m)} + sum_{j != y} e^{s cos t_j}) )`, Deng et al., ArcFace, CVPR
    2019, eq. 3; CosFace (Wang et al., CVPR 2018, eq. 4) takes the margin from the cosine; sub-centre ArcFace (Deng et
    al., ECCV 2020) lets the nearest of several centres speak for a class. The loss is computed in float32 whatever
    the precision around it, since a margin in bfloat16 is coarser than the margin.

    Args:
        settings: Kind, scale, margin.
        classes: Number of people.
        generator: For the random start, on the CPU.
    """

    def __init__(self, settings: MarginSettings, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        degrees = math.degrees(settings.margin)
        shared = {"num_classes": classes, "embedding_size": EMBEDDING_SIZE, "scale": settings.scale}
        self.loss: nn.Module
        if settings.kind == "arcface":
            self.loss = ArcFaceLoss(margin=degrees, **shared)
        elif settings.kind == "cosface":
            self.loss = CosFaceLoss(margin=settings.margin, **shared)
        else:
            self.loss = SubCenterArcFaceLoss(margin=degrees, sub_centers=settings.sub_centres, **shared)
        with torch.no_grad():
            start = torch.randn(self.centres.shape, generator=generator)
            self.centres.copy_(F.normalize(start, dim=0))

    @property
    def centres(self) -> nn.Parameter:
        """Class centres, one column each (for `subcentre` several neighbouring columns a class)."""
        weight: nn.Parameter = self.loss.W  # type: ignore[assignment]
        return weight

    @torch.no_grad()
    def start_at_centres(
        self, embeddings: Float[Tensor, "n 512"], labels: Int64[Tensor, " n"], generator: torch.Generator
    ) -> None:
        """Move each centre to the mean direction of its class; sub-centres are spread a little round it.

        A class without an embedding keeps its random start.
        """
        each = self.settings.sub_centres if self.settings.kind == "subcentre" else 1
        classes = self.centres.shape[1] // each
        sums = torch.zeros(classes, EMBEDDING_SIZE).index_add_(0, labels.cpu(), embeddings.float().cpu())
        seen = sums.norm(dim=1) > 0
        means = F.normalize(sums, dim=1).repeat_interleave(each, dim=0)
        if each > 1:
            spread = torch.randn(means.shape, generator=generator) * (0.1 / math.sqrt(EMBEDDING_SIZE))
            means = F.normalize(means + spread, dim=1)
        start = torch.where(seen.repeat_interleave(each).unsqueeze(1), means, self.centres.detach().cpu().T)
        self.centres.copy_(start.T)

    def forward(self, embeddings: Float[Tensor, "n d"], labels: Int64[Tensor, " n"]) -> Float[Tensor, ""]:
        """Mean loss of a batch of unit-length embeddings."""
        with torch.autocast(embeddings.device.type, enabled=False):
            loss: Tensor = self.loss(at_least_single(embeddings), labels)
        return loss

    @torch.no_grad()
    def predict(self, embeddings: Float[Tensor, "n d"]) -> Int64[Tensor, " n"]:
        """The class whose centre is nearest in angle."""
        cosine = F.normalize(embeddings.to(self.centres.dtype), dim=1) @ F.normalize(self.centres, dim=0)
        each = self.settings.sub_centres if self.settings.kind == "subcentre" else 1
        return cosine.argmax(dim=1) // each
