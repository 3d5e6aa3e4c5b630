"""Stage 1 of fine-tuning: the class centres alone, on embeddings that are computed once.

Body and super-resolver are frozen, so an image has one embedding (and one mirrored): an epoch is a few small matrix
products.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lrface.data.pack.loaders import batches
from lrface.images.ranges import to_float
from lrface.models.chunks import in_chunks
from lrface.models.edgeface.network import EdgeFace
from lrface.training.batches.mix import MixDraw, Restorer, draw_mix, mix_by
from lrface.training.batches.ready import GROUP_FACES
from lrface.training.edgeface import EdgeFaceData, EdgeFaceRecipe
from lrface.training.loop.graph import Graphed, own_stream
from lrface.training.losses.margin import MarginHead
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
    # Draws are for `batch_size` faces each; a GPU gets many of these batches at once.
    each = batch_size * (max(1, GROUP_FACES // batch_size) if device.type == "cuda" else 1)
    people = torch.from_numpy(data.people)
    start = 0
    for rows, faces in batches(data.pack, data.rows, each):
        hr = to_float(faces, device)
        counts = [len(part) for part in torch.split(faces, batch_size)]
        draw = MixDraw.joined([draw_mix(recipe, n, generator, restores=restore is not None) for n in counts])
        images = mix_by(hr, draw, restore)
        both = [torch.split(in_chunks(edgeface, shown), counts) for shown in (images, images.flip(-1))]
        embeddings += [part for pair in zip(*both, strict=True) for part in pair]
        named = torch.split(people[start : start + len(rows)], counts)
        labels += [part for part in named for _ in range(2)]
        start += len(rows)
        if progress is not None:
            progress(start, len(data.rows))
    return torch.cat(embeddings), torch.cat(labels).to(device)


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
    device = embeddings.device
    head.to(device)
    labels = labels.to(device)
    optimizer = torch.optim.AdamW(
        head.parameters(), lr=settings.lr, weight_decay=0.0, fused=True, capturable=device.type == "cuda"
    )
    total, right = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)

    def step(inputs: Mapping[str, Tensor]) -> None:
        part, classes = inputs["part"], inputs.get("classes")
        seen, people = embeddings[part], labels[part]
        loss = head(seen, people, classes)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), settings.clip)
        optimizer.step()
        total.add_(loss.detach() * len(part))
        right.add_((head.predict(seen, classes) == people).sum())

    history, named = [], labels.cpu()
    with own_stream(device):
        graphed = Graphed(step, device, lambda _: None, lambda: optimizer.zero_grad(set_to_none=True))
        for epoch in range(settings.epochs):
            order = torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(len(labels)))
            total.zero_()
            right.zero_()
            generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
            placed = order.to(device)
            for start in range(0, len(order), batch_size):
                part = slice(start, start + batch_size)
                classes = head.sampled(named[order[part]], generator)
                inputs = {"part": placed[part]}
                graphed(inputs if classes is None else {**inputs, "classes": classes.to(device)})
            history.append({"loss_arcface": float(total) / len(labels), "accuracy": int(right) / len(labels)})
    return history
