"""Stage 1 of fine-tuning: the class centres alone, on embeddings that are computed once.

Body and super-resolver are frozen, so an image has one embedding (and one mirrored): an epoch is a few small matrix
products.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lrface.images.ranges import to_float
from lrface.losses.margin import MarginHead
from lrface.models.edgeface import EdgeFace
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe, Restorer, mixed
from lrface.training.settings import HeadSettings


@torch.no_grad()
def cached_embeddings(
    edgeface: EdgeFace,
    restore: Restorer | None,
    data: EdgeFaceData,
    recipe: EdgeFaceRecipe,
    generator: torch.Generator,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int = 64,
) -> tuple[Float[Tensor, "n 512"], Int64[Tensor, " n"]]:
    """Embed every training face once as it is and once mirrored, as one draw of the mix for each batch shows it."""
    edgeface.eval()
    embeddings, labels = [], []
    for start in range(0, len(data.rows), batch_size):
        rows = data.rows[start : start + batch_size]
        hr = to_float(data.pack.batch(rows)).to(device)
        images = mixed(hr, recipe, restore, generator)
        people = torch.from_numpy(data.people[start : start + batch_size])
        for shown in (images, images.flip(-1)):
            embeddings.append(edgeface(shown).cpu())
            labels.append(people)
        if progress is not None:
            progress(min(start + batch_size, len(data.rows)), len(data.rows))
    return torch.cat(embeddings), torch.cat(labels)


def train_head(
    head: MarginHead,
    embeddings: Float[Tensor, "n 512"],
    labels: Int64[Tensor, " n"],
    settings: HeadSettings,
    batch_size: int,
    seed: int,
) -> list[dict[str, float]]:
    """Train the class centres on cached embeddings.

    Returns:
        For each epoch `loss_arcface` and `accuracy`.
    """
    optimizer = torch.optim.AdamW(head.parameters(), lr=settings.lr, weight_decay=0.0, fused=True)
    history = []
    for epoch in range(settings.epochs):
        order = torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(len(labels)))
        total, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        for part in torch.split(order, batch_size):
            classes = head.sampled(labels[part], generator)
            loss = head(embeddings[part], labels[part], classes)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), settings.clip)
            optimizer.step()
            total += loss.detach() * len(part)
            right += (head.predict(embeddings[part], classes) == labels[part]).sum()
        history.append({"loss_arcface": float(total) / len(labels), "accuracy": int(right) / len(labels)})
    return history
