"""The classification head of recogniser training: angular margins on unit-length class centres."""

import math
from typing import Any

import torch
from jaxtyping import Float, Int64
from pytorch_metric_learning.losses import ArcFaceLoss, CosFaceLoss, SubCenterArcFaceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from lrface.training.losses.settings import MarginSettings
from lrface.training.losses.terms import at_least_single

EMBEDDING_SIZE = 512


class _Unwaiting:
    """The library's loss without what waits for a GPU: it picks each target by a mask whose ones it has to count."""

    def compute_loss(
        self, embeddings: Tensor, labels: Tensor, indices_tuple: None, ref_emb: None, ref_labels: None
    ) -> dict[str, dict[str, object]]:
        del indices_tuple, ref_emb, ref_labels
        head: Any = self
        cosine = head.get_cosine(embeddings)
        places = labels.unsqueeze(1)
        target = cosine.gather(1, places).squeeze(1)
        mask = torch.zeros_like(cosine).scatter_(1, places, 1.0)
        logits = cosine + mask * (head.modify_cosine_of_target_classes(target) - target).unsqueeze(1)
        losses = head.cross_entropy(head.scale_logits(logits, embeddings), labels)
        indices = torch.arange(len(losses), device=losses.device)
        return {"loss": {"losses": losses, "indices": indices, "reduction_type": "element"}}


class _ArcFace(_Unwaiting, ArcFaceLoss):  # type: ignore[misc]
    pass


class _CosFace(_Unwaiting, CosFaceLoss):  # type: ignore[misc]
    pass


class _SubCentreArcFace(_Unwaiting, SubCenterArcFaceLoss):  # type: ignore[misc]
    pass


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
            self.loss = _ArcFace(margin=degrees, **shared)
        elif settings.kind == "cosface":
            self.loss = _CosFace(margin=settings.margin, **shared)
        else:
            self.loss = _SubCentreArcFace(margin=degrees, sub_centers=settings.sub_centres, **shared)
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
        each = self._each
        classes = self.centres.shape[1] // each
        sums = torch.zeros(classes, EMBEDDING_SIZE).index_add_(0, labels.cpu(), embeddings.float().cpu())
        seen = sums.norm(dim=1) > 0
        means = F.normalize(sums, dim=1).repeat_interleave(each, dim=0)
        if each > 1:
            spread = torch.randn(means.shape, generator=generator) * (0.1 / math.sqrt(EMBEDDING_SIZE))
            means = F.normalize(means + spread, dim=1)
        start = torch.where(seen.repeat_interleave(each).unsqueeze(1), means, self.centres.detach().cpu().T)
        self.centres.copy_(start.T)

    def sampled(self, present: Int64[Tensor, " m"], generator: torch.Generator) -> Int64[Tensor, " k"] | None:
        """The classes that a step compares with, in ascending order; none for all of them.

        The classes of the batch, and others drawn evenly up to the share of `sample`: PartialFC, An et al., CVPR 2022,
        section 3.2.

        Args:
            present: Labels of the whole batch.
            generator: For the draw, on the CPU.
        """
        if self.settings.sample == 1:
            return None
        classes = self.centres.shape[1] // self._each
        own = torch.unique(present.cpu())
        draw = torch.rand(classes, generator=generator)
        draw[own] = 2.0
        count = max(len(own), round(self.settings.sample * classes))
        return draw.topk(count).indices.sort().values

    def forward(
        self,
        embeddings: Float[Tensor, "n d"],
        labels: Int64[Tensor, " n"],
        classes: Int64[Tensor, " k"] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean loss of a batch of unit-length embeddings; `classes`, in ascending order, are all that are compared."""
        with torch.autocast(embeddings.device.type, enabled=False):
            loss: Tensor
            if classes is None:
                loss = self.loss(at_least_single(embeddings), labels)
                return loss
            head: Any = self.loss
            every, head.num_classes = head.num_classes, len(classes)
            try:
                few = {"W": self.centres[:, self._columns(classes)]}
                inputs = (at_least_single(embeddings), torch.searchsorted(classes, labels))
                loss = torch.func.functional_call(head, few, inputs)
            finally:
                head.num_classes = every
        return loss

    @torch.no_grad()
    def predict(
        self, embeddings: Float[Tensor, "n d"], classes: Int64[Tensor, " k"] | None = None
    ) -> Int64[Tensor, " n"]:
        """The class whose centre is nearest in angle, among `classes` or all."""
        centres = self.centres if classes is None else self.centres[:, self._columns(classes)]
        cosine = F.normalize(embeddings.to(centres.dtype), dim=1) @ F.normalize(centres, dim=0)
        nearest = cosine.argmax(dim=1) // self._each
        return nearest if classes is None else classes[nearest]

    @property
    def _each(self) -> int:
        return self.settings.sub_centres if self.settings.kind == "subcentre" else 1

    def _columns(self, classes: Int64[Tensor, " k"]) -> Int64[Tensor, " c"]:
        each = torch.arange(self._each, device=classes.device)
        return (classes.unsqueeze(1) * self._each + each).flatten()
