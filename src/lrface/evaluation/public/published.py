"""What EdgeFace's authors give for their networks on public sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

SETS = ("lfw", "calfw", "cplfw", "cfp_fp", "agedb_30")


@dataclass(frozen=True)
class Published:
    """A published ten-fold accuracy in HR; shares in [0, 1].

    Attributes:
        accuracy: Mean over the folds.
        deviation: Standard deviation over the folds.
    """

    accuracy: float
    deviation: float


def _row(*figures: tuple[float, float]) -> Mapping[str, Published]:
    made = (Published(round(mean / 100, 4), round(spread / 100, 4)) for mean, spread in figures)
    return MappingProxyType(dict(zip(SETS, made, strict=True)))


PUBLISHED: Mapping[str, Mapping[str, Published]] = MappingProxyType(
    {
        "edgeface_xxs": _row((99.57, 0.33), (94.83, 0.98), (90.27, 0.93), (93.63, 0.99), (94.92, 1.15)),
        "edgeface_xs_gamma_06": _row((99.73, 0.35), (95.28, 1.37), (91.58, 1.42), (94.71, 1.07), (96.08, 0.95)),
        "edgeface_s_gamma_05": _row((99.78, 0.27), (95.55, 1.05), (92.48, 1.42), (95.74, 1.09), (97.03, 0.85)),
        "edgeface_base": _row((99.83, 0.24), (96.07, 1.03), (93.75, 1.16), (97.01, 0.94), (97.60, 0.70)),
    }
)
"""Mean and deviation over ten folds, per cent, by network and set: the authors' repository (George et al., "EdgeFace:
Efficient Face Recognition Model for Edge Devices", IEEE TBIOM 2024)."""

_OTHER_NAMES = {"cfp": "cfp_fp", "cfpfp": "cfp_fp", "agedb": "agedb_30", "agedb30": "agedb_30"}


def set_name(name: str) -> str:
    """Gives the name under which a set is published: `cfp_fp` for CFP-FP, `agedb_30` for AgeDB30."""
    plain = name.lower().replace("-", "_").replace(" ", "_")
    return _OTHER_NAMES.get(plain, plain)


def published_network(reference: str) -> str | None:
    """Gives the released network that a name or a path says it is, None where it says nothing of the kind."""
    stem = PurePath(reference).stem
    return stem if stem in PUBLISHED and not reference.startswith("models:") else None


def published(network: str | None, name: str) -> Published | None:
    """Gives the published figure of a network on a set, None where there is none."""
    return None if network is None else PUBLISHED.get(network, {}).get(set_name(name))
