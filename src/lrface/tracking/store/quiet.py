"""MLflow's own chatter, turned down: what the terminal shows is ours."""

import logging
import warnings
from typing import Final

_TALKATIVE: Final = ("mlflow", "alembic", "alembic.runtime.migration", "sqlalchemy.engine")
# Warnings of MLflow about its own code, which nobody here can mend: its message, its kind, why.
_OWN_WARNINGS: Final[tuple[tuple[str, type[Warning]], ...]] = (
    # its tables use a loader that SQLAlchemy 2.1 gives up
    (r".*noload.*loader strategy", DeprecationWarning),
    # its agents' type hints, met while its model flavour is imported
    (r"[\s\S]*Any type hint is inferred as AnyType", UserWarning),
    # a model is registered without an example on purpose: the signature is given
    (r"[\s\S]*input example was not provided", UserWarning),
)


def quieten() -> None:
    """Keep warnings and errors of MLflow and its migrations, drop the rest."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
    # It misses a version of pip where there is none, and none is asked for.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    for message, kind in _OWN_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=kind)
