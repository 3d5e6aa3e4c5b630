"""Orders of rows that can be recomputed at any step, and batches read one ahead."""

from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Int64

from lrface.data.pack.pack import Pack
from lrface.errors import ConfigError
from lrface.images.stored import Locality


def epoch_order(
    rows: Int64[np.ndarray, " rows"],
    seed: int,
    epoch: int,
    *,
    labels: Int64[np.ndarray, " rows"] | None = None,
    balanced: bool = False,
    locality: Locality | None = None,
) -> Int64[np.ndarray, " order"]:
    """Shuffles rows for an epoch.

    The order is a pure function of the arguments: no state is kept, so a resumed run sees the very batches
    that the broken one would have seen.

    Args:
        rows: Row numbers.
        seed: Seed of the run.
        epoch: Which epoch, from 0.
        labels: The label of each row; needed when balanced.
        balanced: Draw each class equally often. As many rows come out as went in; rows of small classes are
            repeated, each as often as its fellows give or take one, and of large classes some are left out,
            others in each epoch.
        locality: Where rows cannot all be near at hand: the shards come in random order, and each row somewhere
            among those of a few shards, so that few are in use at a time. None mixes all rows evenly.

    Returns:
        Row numbers.

    Raises:
        ConfigError: A balanced order is asked for without labels, or the epoch is negative.
    """
    if seed < 0 or epoch < 0:
        raise ConfigError("order of rows", got=f"seed {seed}, epoch {epoch}", expected="0 or more", remedy="correct it")
    # Philox counts blocks under a key; key and epoch alone give the stream.
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, epoch))))
    if not balanced:
        return _mixed(generator, rows, locality)
    if labels is None or len(labels) != len(rows):
        got = "no labels" if labels is None else f"{len(labels)} labels for {len(rows)} rows"
        raise ConfigError("balanced order", got=got, expected="a label for each row", remedy="give the labels")
    if not len(rows):
        return rows.copy()
    classes, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    quota = np.full(len(classes), len(rows) // len(classes))
    quota[generator.permutation(len(classes))[: len(rows) % len(classes)]] += 1
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    chosen = np.concatenate(
        [_repeated(generator, places, int(count)) for places, count in zip(members, quota, strict=True)]
    )
    return _mixed(generator, rows[chosen], locality)


def batches(
    pack: Pack,
    order: Int64[np.ndarray, " order"],
    batch_size: int,
    *,
    drop_last: bool = False,
    start: int = 0,
) -> Generator[tuple[np.ndarray, torch.Tensor], None, None]:
    """Reads batches, the next one while the present one is worked on.

    Args:
        pack: The pack.
        order: Rows in the order in which they are wanted.
        batch_size: Faces in a batch.
        drop_last: Leave out a last batch that is not full.
        start: How many batches to pass over unread, as when a run is resumed within an epoch.

    Yields:
        Row numbers (n) and faces (uint8, n x 112 x 112 x 3, RGB).

    Raises:
        ConfigError: The batch size is not positive.
    """
    if batch_size < 1 or start < 0:
        got = f"batch size {batch_size}, start {start}"
        raise ConfigError(
            "batches", got=got, expected="a batch size of 1 or more, a start of 0 or more", remedy="correct it"
        )
    stop = len(order) // batch_size * batch_size if drop_last else len(order)
    slices = [order[place : place + batch_size] for place in range(start * batch_size, stop, batch_size)]
    if not slices:
        return
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as reader:
        waiting: Future[np.ndarray] = reader.submit(pack.batch, slices[0])
        for place, rows in enumerate(slices):
            faces = waiting.result()
            if place + 1 < len(slices):
                waiting = reader.submit(pack.batch, slices[place + 1])
            yield rows, torch.from_numpy(faces)


def _mixed(generator: np.random.Generator, rows: np.ndarray, locality: Locality | None) -> np.ndarray:
    if locality is None or not len(rows):
        return generator.permutation(rows)
    shards, codes = np.unique(rows // locality.rows, return_inverse=True)
    turn = generator.permutation(len(shards))[codes]
    # A shard begins at its turn and its rows spread over those of the next ones: a window that slides.
    order: np.ndarray = rows[np.argsort(turn + generator.uniform(0, locality.shards, len(rows)), kind="stable")]
    return order


def _repeated(generator: np.random.Generator, places: np.ndarray, count: int) -> np.ndarray:
    whole, rest = divmod(count, len(places))
    return np.concatenate([np.tile(places, whole), generator.permutation(places)[:rest]])
