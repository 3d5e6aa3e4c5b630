"""Whether the pictures of people who are enrolled speak for their names: two people under one, one under two."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

LOOK_ALIKE: Final = 0.7
"""Cosine of two templates from which they may be of one person. Of 20 people with ten portraits each the nearest two
are at .38 (EdgeFace-XXS as released); two and three portraits of one person at .75."""
_MOST_PEOPLE: Final = 5000
_MOST_PICTURES: Final = 2000


def parted(embeddings: Float[np.ndarray, "n d"], threshold: float) -> list[list[int]]:
    """Parts the pictures of one person into groups that no picture links to another group.

    Args:
        embeddings: Of unit length, a row per picture. Only the first 2,000 are looked at.
        threshold: Cosine from which two pictures show the same person.

    Returns:
        The rows of each group, the largest group first; one group where all hang together.
    """
    embeddings = embeddings[:_MOST_PICTURES]
    near: Bool[np.ndarray, "n n"] = embeddings @ embeddings.T >= threshold
    left, groups = set(range(len(embeddings))), list[list[int]]()
    while left:
        group, edge = set[int](), {min(left)}
        while edge:
            group |= edge
            edge = set(np.flatnonzero(near[sorted(edge)].any(axis=0)).tolist()) - group
        groups.append(sorted(group))
        left -= group
    return sorted(groups, key=len, reverse=True)


def look_alikes(templates: Mapping[str, Float[np.ndarray, " d"]]) -> list[tuple[str, str, float]]:
    """Finds people whose templates are as near as those of one person are.

    Args:
        templates: Of unit length, by name. Only the first 5,000 are held against each other.

    Returns:
        Both names and the cosine, the nearest first.
    """
    names = list(templates)[:_MOST_PEOPLE]
    stacked = np.stack([templates[name] for name in names])
    cosines = np.triu(stacked @ stacked.T, 1)
    found = [(names[one], names[other], float(cosines[one, other])) for one, other in np.argwhere(cosines > LOOK_ALIKE)]
    return sorted(found, key=lambda pair: -pair[2])


def template_of(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """The renormalised mean of the embeddings of one person."""
    total = embeddings.sum(axis=0)
    mean: np.ndarray = total / max(float(np.linalg.norm(total)), 1e-12)
    return mean
