"""Search in TinyFace and SurvFace: gallery and probes are small as they are, so both take the arm's way."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lrface.evaluation.figures.open_set import rate_name
from lrface.evaluation.protocol.arms import Arm
from lrface.evaluation.protocol.seen import checked_embeddings
from lrface.evaluation.public.pictures import broken, read_small
from lrface.evaluation.public.records import PublicRecord, made
from lrface.evaluation.public.sets import SearchSet
from lrface.evaluation.public.settings import SearchSettings
from lrface.images.ranges import to_float
from lrface.metrics.identification import NOT_MATED, Identification, outcomes, rank_rate, search, tpir_at_fpir

RANKS = (1, 5, 10, 20, 50)


Found = tuple[Identification, Float[np.ndarray, " n"]]
"""What was found for the mated probes, and the best score of each non-mated probe."""


def _embedded(
    paths: Sequence[Path],
    arms: Sequence[Arm],
    size: int,
    batch: int,
    device: torch.device | str,
    step: Callable[[int], None],
) -> dict[str, Tensor]:
    """Embeds pictures as each arm sees them; each file is read once."""
    parts: dict[str, list[Tensor]] = {arm.name: [] for arm in arms}
    with torch.inference_mode():
        for start in range(0, len(paths), batch):
            chosen = paths[start : start + batch]
            images = to_float(np.stack([read_small(path, size) for path in chosen]), device)
            for arm in arms:
                if arm.upscaler is None:
                    raise TypeError("the ceiling sees no small faces")
                parts[arm.name].append(checked_embeddings(arm.embedder(arm.upscaler(images)), len(chosen), arm.name))
            step(len(chosen))
    return {name: torch.cat(found) if found else torch.empty(0) for name, found in parts.items()}


def search_set(
    faces: SearchSet,
    arms: Sequence[Arm],
    size: int,
    *,
    batch: int = 64,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Found]:
    """Searches all probes of a set.

    Args:
        faces: The set.
        arms: Upscalers and recognisers; a gallery enrolled by another network is not for these sets.
        size: Side to which every picture is brought, in pixels.
        batch: Faces per batch.
        device: Where the networks are.
        progress: Told (pictures done, all pictures).

    Returns:
        By arm, what was found for the mated probes (see `lrface.metrics.identification`), and the best score of each
        non-mated probe.

    Raises:
        EvaluationError: An arm without upscaler, a size that it does not take, a broken picture.
    """
    for arm in arms:
        if arm.upscaler is None or not arm.takes(size):
            raise broken(
                f"{faces.name} with {arm.name}", f"{size} px", "an upscaler that takes it", "choose another size"
            )
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, faces.pictures)

    gallery, distractors, mated, non_mated = (
        _embedded(part, arms, size, batch, device, step)
        for part in (faces.gallery, faces.distractors, faces.mated, faces.non_mated)
    )
    names = list(dict.fromkeys(faces.gallery_subjects))
    number = {name: place for place, name in enumerate(names)}
    enrolled = torch.tensor([number[name] for name in faces.gallery_subjects])
    mates = torch.tensor([number[name] for name in faces.mated_subjects])
    found = {}
    for arm in arms:
        own = gallery[arm.name]
        templates = F.normalize(torch.zeros(len(names), own.shape[1]).index_add(0, enrolled, own))
        if faces.distractors:
            templates = torch.cat([templates, distractors[arm.name]])
        strangers = np.empty(0, np.float32)
        if faces.non_mated:
            nobody = torch.full((len(faces.non_mated),), NOT_MATED)
            strangers = search(non_mated[arm.name], templates, nobody).best
        found[arm.name] = (search(mated[arm.name], templates, mates), strangers)
    return found


def search_records(name: str, arm: str, size: int, found: Found, settings: SearchSettings) -> list[PublicRecord]:
    """Gives what a search found as records: ranks, shares at the threshold, TPIR at each FPIR."""
    searched, strangers = found
    where, count = (name, arm, size), int(searched.rank.size)
    records = [made(where, f"rank{k}", rank_rate(searched, k), count) for k in RANKS]
    named = outcomes(searched, settings.threshold)
    records += [made(where, which, getattr(named, which), count) for which in ("correct", "wrong", "unknown")]
    if strangers.size:
        alarms = float(np.mean(strangers >= settings.threshold))
        records.append(made(where, "false_alarm", alarms, int(strangers.size)))
        for fpir in settings.fpirs:
            point = tpir_at_fpir(searched, strangers, fpir)
            records.append(made(where, f"tpir_at_fpir_{rate_name(fpir)}", point.value, point.n, reason=point.reason))
    return records


def evaluate_search(
    faces: SearchSet,
    arms: Sequence[Arm],
    sizes: Sequence[int],
    *,
    settings: SearchSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> list[PublicRecord]:
    """Measures all arms with an upscaler on a search set at all sizes that they take.

    Args:
        faces: The set.
        arms: The ways to compare; those without upscaler, or with a gallery of another network, are left out.
        sizes: Sides to which every picture is brought, in pixels.
        settings: Threshold and rates.
        device: Where the networks are.
        progress: Told (pictures done, all pictures, over all sizes).

    Raises:
        EvaluationError: A broken picture, or embeddings that are not unit rows.
    """
    chosen = settings or SearchSettings()
    records = []
    usable = [arm for arm in arms if not arm.is_ceiling and arm.gallery_embedder is None]
    for place, size in enumerate(sizes):
        taking = [arm for arm in usable if arm.takes(size)]

        def told(done: int, total: int, place: int = place) -> None:
            if progress is not None:
                progress(place * total + done, len(sizes) * total)

        found = search_set(faces, taking, size, batch=chosen.batch, device=device, progress=told)
        for arm in taking:
            records += search_records(faces.name, arm.name, size, found[arm.name], chosen)
    return records
