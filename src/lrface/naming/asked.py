"""What is asked of a naming: a fixed cosine, or a false alarm rate whose threshold the operating points know."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from lrface.errors import ConfigError

AUTO: Final = "auto"
FIXED: Final = 0.35
"""Cosine from which a face is named where nothing better is known."""
DEFAULT_FPIR: Final = 0.01
"""False alarm rate that ``auto`` stands for where none is asked for."""

Kind = Literal["fixed", "fpir", "fmr"]


@dataclass(frozen=True)
class Asked:
    """A threshold, or the rate of false alarms that it is to give.

    Attributes:
        threshold: Cosine in [-1, 1] from which a face is named, or ``auto``: as the operating points say.
        fpir: Share of searches of strangers that may end in a name (ISO/IEC 19795-1), in (0, 1]; with ``auto`` alone.
        fmr: Share of comparisons of two people that may pass for one, in (0, 1]; with ``auto`` alone.

    Raises:
        ConfigError: One of them is out of its range, or two of them are given.
    """

    threshold: float | Literal["auto"] = AUTO
    fpir: float | None = None
    fmr: float | None = None

    def __post_init__(self) -> None:
        """Refuses what says nothing, or two things."""
        for name, rate in (("fpir", self.fpir), ("fmr", self.fmr)):
            if rate is not None and not (_is_number(rate) and 0.0 < rate <= 1.0):
                raise ConfigError(name, got=repr(rate), expected="a rate above 0 and up to 1", remedy="correct it")
        if self.threshold != AUTO and not (_is_number(self.threshold) and -1 <= float(self.threshold) <= 1):
            raise ConfigError(
                "threshold", got=repr(self.threshold), expected="a cosine in [-1, 1], or auto", remedy="correct it"
            )
        given = [f"{name}={rate:g}" for name, rate in (("fpir", self.fpir), ("fmr", self.fmr)) if rate is not None]
        if self.threshold != AUTO:
            given.insert(0, f"threshold={self.threshold:g}")
        if len(given) > 1:
            raise ConfigError(
                "threshold", got=" and ".join(given), expected="one of threshold, fpir and fmr", remedy="leave one out"
            )

    @property
    def kind(self) -> Kind:
        """What the threshold is chosen by."""
        if self.threshold != AUTO:
            return "fixed"
        return "fpir" if self.fmr is None else "fmr"

    @property
    def rate(self) -> float | None:
        """The rate that is asked for, the default one included; None with a fixed threshold."""
        if self.kind == "fixed":
            return None
        return self.fmr if self.fmr is not None else self.fpir or DEFAULT_FPIR

    @property
    def insists(self) -> bool:
        """Whether a rate was given, and not left to the default."""
        return self.fpir is not None or self.fmr is not None


def _is_number(value: object) -> bool:
    """Whether it is a finite number; True, which Python takes for 1, is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
