"""What MLflow's server loads: a pair, or one of its networks. Registered versions name this module: it stays."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrface.tracking.served.model import ServedNetwork, ServedPair


def _load_pyfunc(path: str) -> "ServedNetwork | ServedPair":
    """Load what lies at a path; MLflow calls this by its name, and `load` says the rest."""
    # only now: who looks at a signature need not wait for the networks
    from lrface.tracking.served.model import load

    return load(path)
