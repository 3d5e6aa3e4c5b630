"""What is kept of an output: figures that any change moves, and a small copy that a person can look at.

Of a whole output its shape, mean, standard deviation, least and greatest value are kept, and its sums along fixed
random directions. An output that differs by `d` from number to number changes such a sum by about the root mean square
of `d`, wherever in the picture and of whatever sign `d` is, so that no change hides. Of two faces a copy at
a quarter of their side in half precision is kept beside that, small arrays as they are.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import torch

from .inputs import raw

DIRECTIONS = 6
WHOLE = 1600
"""Numbers up to which an array is kept as it is."""
COPIED = 2
"""Pictures of an output of which there is a small copy."""
HALF = 2.0**-10
"""The largest step of half precision, as a share of a value: two values that all but agree may be a step apart."""


@dataclass(frozen=True)
class Tolerance:
    """How far a new output may be from the one that is kept.

    Attributes:
        figures: Of the mean, the deviation and the sums along directions.
        each: Of single values: the least, the greatest, and those of the small copy.
        why: Where such differences come from.
    """

    figures: float
    each: float
    why: str


def reduced(array):
    """The small copy, float64."""
    if array.ndim == 4 and array.shape[1] == 3:
        first = array[:COPIED]
        n, c, h, w = first.shape
        return first.reshape(n, c, h // 4, 4, w // 4, 4).mean((3, 5)) if w >= 56 else first
    if array.size <= WHOLE:
        return array
    return array.reshape(-1)[:: -(-array.size // WHOLE)]


@lru_cache(maxsize=16)
def _directions(size):
    return raw(size, DIRECTIONS * size).reshape(DIRECTIONS, size).astype(np.float64) / np.sqrt(size)


def plain(value):
    """An output as a float64 array, or as the list of texts that it is; bytes of pictures become 0 to 1."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, list) and value and isinstance(value[0], str):
        return value
    array = np.asarray(value)
    if array.dtype == np.uint8:
        array = array / 255.0
        array = np.moveaxis(array, -1, 1) if array.ndim == 4 else array
    return np.ascontiguousarray(array, dtype=np.float64)


@dataclass(frozen=True)
class Kept:
    """An output as it is stored: what goes into JSON, and the small copy."""

    told: dict
    copy: np.ndarray | None


def keep(value, tolerance):
    """What to store of an output."""
    found = plain(value)
    told = {"tolerance": asdict(tolerance)}
    if isinstance(found, list):
        return Kept({**told, "texts": found}, None)
    figures = {"mean": found.mean(), "std": found.std()}
    figures |= {f"along_{number}": along for number, along in enumerate(_directions(found.size) @ found.reshape(-1))}
    told |= {
        "shape": list(found.shape),
        "figures": {name: float(figure) for name, figure in figures.items()},
        "ends": {"min": float(found.min()), "max": float(found.max())},
    }
    small = reduced(found)
    # half precision is for pictures, whose values are 0 to 1
    return Kept(told, small.astype(np.float16 if found.ndim == 4 and found.shape[1] == 3 else np.float32))


@dataclass(frozen=True)
class Difference:
    """The largest difference of an output to the stored one, in units of what is allowed, and where it is."""

    part: str
    size: float
    allowed: float

    @property
    def share(self):
        return self.size / self.allowed if self.allowed else (np.inf if self.size else 0.0)

    @property
    def fits(self):
        return bool(self.share <= 1.0)  # not for a NaN

    def __str__(self):
        return f"{self.part} by {self.size:.3g}, allowed {self.allowed:.3g}"


def difference(new, old):
    """Hold a new output (as `keep` gives it) against the stored one; the tolerance is the stored one's.

    The part that is furthest out of what it is allowed is told.
    """
    if ("texts" in new.told) != ("texts" in old.told):
        return Difference("kind", np.inf, 0.0)
    if "texts" in old.told:
        ours, theirs = new.told["texts"], old.told["texts"]
        wrong = sorted(set(ours) ^ set(theirs)) or ["order or count"] * (ours != theirs)
        return Difference(f"texts ({', '.join(wrong[:6])})" if wrong else "texts", float(len(wrong)), 0.0)
    if new.told["shape"] != old.told["shape"]:
        return Difference(f"shape {new.told['shape']} for {old.told['shape']}", np.inf, 0.0)
    figures, each = old.told["tolerance"]["figures"], old.told["tolerance"]["each"]
    apart = [
        Difference(name, abs(value - old.told[group][name]), allowed)
        for group, allowed in (("figures", figures), ("ends", each))
        for name, value in new.told[group].items()
    ]
    ours, theirs = new.copy.astype(np.float64), old.copy.astype(np.float64)
    rounding = HALF * max(1.0, float(np.abs(theirs).max())) if old.copy.dtype == np.float16 else 0.0
    apart.append(Difference("a single value", float(np.abs(ours - theirs).max()), each + rounding))
    # a NaN is no smaller than anything
    return max(apart, key=lambda one: np.inf if np.isnan(one.share) else one.share)
