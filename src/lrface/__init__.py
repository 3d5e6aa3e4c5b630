"""Training of a face super-resolver and a compact face recogniser on each other's output.

For programs: `lrface.load("models:/lrface@champion")` is a pair that restores, embeds and names faces (`lrface.api`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrface.api import LoadedPair, load
    from lrface.errors import LrfaceError

__version__ = "0.1.0"
__all__ = ["LoadedPair", "LrfaceError", "__version__", "load"]

_PLACES = {"load": "lrface.api", "LoadedPair": "lrface.api", "LrfaceError": "lrface.errors"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever it is
    """Import what is asked for when it is: torch takes seconds."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
