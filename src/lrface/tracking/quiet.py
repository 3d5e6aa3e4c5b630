"""MLflow's own chatter, turned down: what the terminal shows is ours."""

import logging
import warnings
from typing import Final

_TALKATIVE: Final = ("mlflow", "alembic", "alembic.runtime.migration", "sqlalchemy.engine")


def quieten() -> None:
    """Keep warnings and errors of MLflow and its migrations, drop the rest."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
    # It misses a version of pip where there is none, and none is asked for.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    # The registry warns of its stages, which nothing here uses, from inside its own calls.
    warnings.filterwarnings("ignore", message=".*model registry stages.*", category=FutureWarning)
