"""The fixed set of very small faces that a training is judged on while it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from lrface.images.degradation.degradation import SmallFaces, degrade, fixed_draw, small_faces
from lrface.images.ranges import to_float
from lrface.images.stored import StoredFaces
from lrface.metrics.diversity import effective_rank
from lrface.metrics.verification import dprime, tar_at_far

SIZES = (8, 12, 16, 24, 32)
_REAL = 0
MATES = 4
"""Most faces of a person where not everybody can be judged by."""
FARS = {"1e-1": 1e-1, "1e-2": 1e-2, "1e-3": 1e-3}

Embedder = Callable[[Float[Tensor, "n 3 112 112"]], Float[Tensor, "n d"]]


@dataclass(frozen=True)
class ValidationSet:
    """Faces of known people and their small versions, the same at every epoch.

    Attributes:
        hr: Distinct faces: those that have small versions, then those that are only searched among.
        people: Person of each distinct face.
        owner: For each small face, which distinct face it is of.
        size: For each small face, its side in pixels.
        real: For each small face, whether it is the real VLR image.
        vlr: Real VLR images of those distinct faces that have small versions, where the pack has them.
    """

    hr: UInt8[np.ndarray, "m 112 112 3"]
    people: Int64[np.ndarray, " m"]
    owner: Int64[np.ndarray, " n"]
    size: Int64[np.ndarray, " n"]
    real: Bool[np.ndarray, " n"]
    vlr: UInt8[np.ndarray, "k s s 3"] | None = None

    def take(self, places: Int64[np.ndarray, " k"]) -> Self:
        """The same with some of its small faces."""
        return replace(self, owner=self.owner[places], size=self.size[places], real=self.real[places])

    def batches(self, batch_size: int) -> list[slice]:
        """Slices over the small faces."""
        return [slice(start, start + batch_size) for start in range(0, len(self.owner), batch_size)]

    def small(self, part: slice, device: torch.device) -> tuple[SmallFaces, Float[Tensor, "n 3 112 112"]]:
        """Small faces of a slice, and the faces they were made of."""
        hr = to_float(self.hr[self.owner[part]], device)
        draw = fixed_draw(SIZES[0], len(hr))
        draw = type(draw)(**{**vars(draw), "size": torch.from_numpy(self.size[part])})
        small = degrade(hr, draw)
        if self.vlr is not None and self.real[part].any():
            places = torch.from_numpy(self.real[part].nonzero()[0]).to(device)
            given = small_faces(to_float(self.vlr[self.owner[part][self.real[part]]], device))
            small = SmallFaces(small.enlarged.index_copy(0, places, given.enlarged), small.size)
        return small, hr


def validation_set(
    faces: StoredFaces,
    rows: Int64[np.ndarray, " m"],
    people: Int64[np.ndarray, " m"],
    most: int,
    sizes: Sequence[int] = SIZES,
    gallery: tuple[Int64[np.ndarray, " g"], Int64[np.ndarray, " g"]] | None = None,
    vlr: StoredFaces | None = None,
) -> ValidationSet:
    """Choose at most `most` small faces: evenly spaced faces, each at every size where there is room for it.

    A real VLR image counts as one more size. Where most of the evenly spaced faces would be the only one of their
    person, as with thousands of people, up to `MATES` faces of each of fewer people are chosen instead: recognition is
    judged by faces that have another. Of a gallery those people are kept first, then others, `most` in all.

    Args:
        faces: All faces of a pack.
        rows: Faces to choose from.
        people: Person of each.
        most: Most small faces.
        sizes: Their sides, in pixels.
        gallery: Rows and people of faces that are only searched among, one face of each person.
        vlr: Real VLR images of all faces of the pack, where it has them.
    """
    sizes = sizes if vlr is None else (*sizes, _REAL)
    distinct = max(2, min(len(rows), max(most // len(sizes), min(len(rows), most) // 2)))
    places = np.unique(np.linspace(0, len(rows) - 1, distinct).round().astype(np.int64))
    if gallery is None and len(places) < len(rows) and _alone(people[places]) > 0.5:
        places = _with_mates(people, distinct)
    each = max(1, min(len(sizes), most // len(places)))
    owner = np.repeat(np.arange(len(places)), each)
    size = np.array([sizes[(index * each + turn) % len(sizes)] for index in range(len(places)) for turn in range(each)])
    chosen, named = rows[places], people[places]
    if gallery is not None:
        kept = _enrolled(gallery[1], people[places], max(2, most))
        chosen, named = np.concatenate([chosen, gallery[0][kept]]), np.concatenate([named, gallery[1][kept]])
    real = size == _REAL
    given = None
    if vlr is not None:
        given = vlr[rows[places]]
        size[real] = given.shape[1]
    return ValidationSet(hr=faces[chosen], people=named, owner=owner, size=size, real=real, vlr=given)


def _alone(people: Int64[np.ndarray, " n"]) -> float:
    """The share of faces that are the only one of their person."""
    return float((np.unique(people, return_counts=True)[1] == 1).sum() / len(people))


def _with_mates(people: Int64[np.ndarray, " n"], wanted: int) -> Int64[np.ndarray, " k"]:
    """Places of about `wanted` faces: up to `MATES`, evenly spaced, of each of some people who have two or more."""
    order = np.argsort(people, kind="stable")
    first, counts = np.unique(people[order], return_index=True, return_counts=True)[1:]
    able = np.flatnonzero(counts > 1)
    if not len(able):
        return np.unique(np.linspace(0, len(people) - 1, wanted).round().astype(np.int64))
    each = np.minimum(counts, MATES)
    some = max(2, round(wanted / each[able].mean()))
    kept = able[np.unique(np.linspace(0, len(able) - 1, min(some, len(able))).round().astype(np.int64))]
    spaced = [first[one] + np.linspace(0, counts[one] - 1, each[one]).round().astype(np.int64) for one in kept]
    return np.sort(order[np.concatenate(spaced)])


def _enrolled(people: Int64[np.ndarray, " g"], wanted: Int64[np.ndarray, " m"], most: int) -> Int64[np.ndarray, " k"]:
    """Places of a gallery that are kept: those of the people who are searched for, then the first of the others."""
    if len(people) <= most:
        return np.arange(len(people))
    searched = np.isin(people, wanted)
    others = np.flatnonzero(~searched)[: max(0, most - int(searched.sum()))]
    return np.sort(np.concatenate([np.flatnonzero(searched), others]))


def recognition_metrics(
    probes: Float[Tensor, "n d"],
    gallery: Float[Tensor, "m d"],
    owner: Int64[np.ndarray, " n"],
    people: Int64[np.ndarray, " m"],
) -> dict[str, float]:
    """How well small faces are recognised among the HR faces of all, each face's own HR image left out.

    Returns:
        `similarity` (to the own HR image), `genuine`, `impostor`, `dprime`, `effective_rank`, `rank1` (nearest other
        image is of the same person, over probes whose person has one), `tar_at_far_*` where there are impostors enough.
    """
    scores = (probes @ gallery.T).double().cpu().numpy()
    own = owner[:, None] == np.arange(len(people))[None, :]
    same = people[owner][:, None] == people[None, :]
    genuine, impostor = scores[same & ~own], scores[~same]
    metrics = {"similarity": float(scores[own].mean()), "effective_rank": effective_rank(probes)}
    if impostor.size:
        metrics["impostor"] = float(impostor.mean())
    if genuine.size:
        metrics["genuine"] = float(genuine.mean())
    if genuine.size and impostor.size:
        metrics["dprime"] = dprime(genuine, impostor)
        has_mate = (same & ~own).any(axis=1)
        nearest = np.where(own, -np.inf, scores)[has_mate].argmax(axis=1)
        metrics["rank1"] = float((people[nearest] == people[owner][has_mate]).mean())
        for name, far in FARS.items():
            point = tar_at_far(genuine, impostor, far)
            if point.reason is None:
                metrics[f"tar_at_far_{name}"] = point.value
    return metrics


@torch.no_grad()
def embed_all(
    faces: UInt8[np.ndarray, "n 112 112 3"], embedder: Embedder, device: torch.device, batch_size: int = 128
) -> Float[Tensor, "n d"]:
    """Embeddings of stored faces, on the CPU."""
    parts = [
        embedder(to_float(faces[start : start + batch_size], device)).cpu()
        for start in range(0, len(faces), batch_size)
    ]
    return torch.cat(parts)
