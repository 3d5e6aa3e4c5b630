"""What ``mlflow run`` has left in the environment of its child, and whose choice the store was.

``mlflow run`` makes a run before our code starts, and hands its id, its experiment and its tracking URI to
the child, also where nobody chose a URI: then it is ``sqlite:///<folder of the caller>/mlflow.db``. The child
cannot tell the two apart by the value, but the environment that the launcher was started with can.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from lrface.tracking.store.locations import sqlite_path, sqlite_uri

_RUN_ID = "MLFLOW_RUN_ID"
_EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID"
_EXPERIMENT_NAME = "MLFLOW_EXPERIMENT_NAME"
_URI = "MLFLOW_TRACKING_URI"


@dataclass(frozen=True)
class Launch:
    """What the environment says at the start.

    Attributes:
        uri: The tracking URI in the environment, absolute, or None.
        chosen: Whether a person chose that URI (False: MLflow derived it from the caller's folder).
        run_id: The run that ``mlflow run`` has made for us, or None.
        experiment_id: The experiment of that run, or None.
        experiment: An experiment's name that the user has set, or None.
    """

    uri: str | None
    chosen: bool
    run_id: str | None
    experiment_id: str | None
    experiment: str | None


def read_launch() -> Launch:
    """Read the environment of this process, and where it matters that of the launcher."""
    uri = os.environ.get(_URI) or None
    run_id = os.environ.get(_RUN_ID) or None
    launch = Launch(
        uri=uri,
        chosen=uri is not None,
        run_id=run_id,
        experiment_id=os.environ.get(_EXPERIMENT_ID) or None,
        experiment=os.environ.get(_EXPERIMENT_NAME) or None,
    )
    database = sqlite_path(uri) if uri is not None else None
    if database is None:
        return launch
    launcher = _launcher(run_id) if run_id is not None else None
    folder = launcher[0] if launcher is not None else Path.cwd()
    if not database.is_absolute():
        return replace(launch, uri=sqlite_uri(folder / database))
    if launcher is not None and database.resolve() == (folder / "mlflow.db").resolve():
        return replace(launch, chosen=bool(launcher[1]))
    return launch


def forget_launch(launch: Launch) -> None:
    """Take the run of ``mlflow run`` out of the environment: it is used once, by the first run.

    A store that nobody chose goes with it, so that nothing later takes it for a choice.
    """
    for name in (_RUN_ID, _EXPERIMENT_ID) if launch.chosen else (_RUN_ID, _EXPERIMENT_ID, _URI):
        os.environ.pop(name, None)


def _launcher(run_id: str) -> tuple[Path, str | None] | None:
    """Return the folder of the process that started the run, and the tracking URI it was started with.

    It is the first ancestor that was not itself born with this run's id. None where the system does not let
    us look: then the URI in the environment is taken at its word.
    """
    try:
        for ancestor in psutil.Process().parents():
            born_with = ancestor.environ()
            if born_with.get(_RUN_ID) != run_id:
                return Path(ancestor.cwd()), born_with.get(_URI)
    except (psutil.Error, OSError):
        return None
    return None
