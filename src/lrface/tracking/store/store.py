"""The tracking store: which one it is, and the one experiment that the project writes to."""

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from lrface.base.locks import locked
from lrface.errors import ConfigError
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store import launch as launching
from lrface.tracking.store.failures import http_status, refusal
from lrface.tracking.store.launch import Launch
from lrface.tracking.store.locations import (
    artifacts_of,
    database_of,
    follow_move,
    refuse_file_store,
    sqlite_path,
    sqlite_uri,
)
from lrface.tracking.store.quiet import quieten

_log = logging.getLogger(__name__)
_SQLITE = "sqlite:///"
_SIGNS = "%?#"
_QUERY = re.compile(r"\?\w+=[^/]*$")
_DEFAULT_EXPERIMENT_ID = "0"
_WAIT_SECONDS = 120.0
_ABOUT = {
    "mlflow.note.content": "Cycles of lrface: a run `cycle`, and a child run for each stage. Open the cycle: its note "
    "has the verdict, the plots and links; `by_size` in its charts the figures over the side of the face in pixels.",
    # of MLflow's kinds the one whose pages show runs and registered models
    "mlflow.experimentKind": "custom_model_development",
}
"""What the page of the experiment says about it."""


@dataclass(frozen=True)
class Store:
    """A tracking store that is ready for use.

    Attributes:
        root: The project's folder.
        uri: The tracking URI (absolute; it may hold credentials: never print it, print ``place``).
        experiment_id: The experiment that runs are written to.
        embedded: Whether this is the project's own SQLite file.
        settings: How patient the tracking is.
        client: MLflow's client of this store.
        launch: What ``mlflow run`` has handed over.
    """

    root: Path
    uri: str
    experiment_id: str
    embedded: bool
    settings: TrackingSettings
    client: MlflowClient
    launch: Launch

    @property
    def place(self) -> str:
        """The tracking URI without credentials."""
        return without_credentials(self.uri)

    @property
    def spools(self) -> Path:
        """The folder in which points wait for the server."""
        return self.root / "mlruns" / "spool"

    @property
    def launched_here(self) -> bool:
        """Whether the run of ``mlflow run`` lies in this store."""
        return _same(self.launch.uri, self.uri)

    @property
    def holds_launched(self) -> bool:
        """Whether the run of ``mlflow run`` lies in this store's experiment, so it is the one to write."""
        return self.launched_here and self.launch.experiment_id == self.experiment_id

    def claim_launched(self) -> str | None:
        """Return the id of the run that ``mlflow run`` has made, to the first caller in this process only."""
        if self.launch.run_id is None or os.environ.get("MLFLOW_RUN_ID") != self.launch.run_id:
            return None
        launching.forget_launch(self.launch)
        return self.launch.run_id

    def has_run(self, run_id: str) -> bool:
        """Tell whether a run is in this store and not deleted."""
        try:
            return self.client.get_run(run_id).info.lifecycle_stage == "active"
        except MlflowException as error:
            if http_status(error) == 404:
                return False
            raise refusal(
                f"run {run_id}",
                error,
                expected=f"an answer of {self.place}",
                remedy="see that the tracking server is up",
            ) from error


def without_credentials(uri: str) -> str:
    """Return a URI without the user and password in it."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[1]))


def connect(root: Path, settings: TrackingSettings | None = None) -> Store:
    """Connect to the tracking store of the project at ``root`` and make its experiment current.

    The store is, first to last: ``MLFLOW_TRACKING_URI`` where a person has set it; ``settings.uri``; the
    embedded one (``mlruns/mlflow.db``, artifacts under ``mlruns/artifacts``). A URI that ``mlflow run`` has
    only derived from the caller's folder counts as not set. An embedded store that was moved or copied with
    its project is mended before it is opened.

    Raises:
        ConfigError: The project's folder is not there, or the URI is a file store.
        RegistryError: The store cannot be reached, read or written.
    """
    settings = settings or TrackingSettings()
    root = root.resolve()
    if not root.is_dir():
        raise ConfigError(
            "project folder",
            got=f"{root}, which is no folder",
            expected="the folder that holds MLproject",
            remedy="give the project's path",
        )
    quieten()
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(settings.retries))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(settings.timeout_seconds))
    launch = launching.read_launch()
    own = sqlite_uri(database_of(root))
    uri = _choose(launch, settings, own)
    _refuse_files(uri)
    _refuse_signs(uri, root, settings.artifacts)
    database = sqlite_path(uri)
    embedded = database is not None and sqlite_uri(database) == own
    if embedded:
        refuse_file_store(root)
    lock = root / "mlruns" / "store.lock" if embedded else _lock_beside(database)
    if lock is None:
        return _open(root, uri, settings, launch, embedded=False)
    # Two jobs at once on a fresh database would both make its tables, and one of them fail.
    with locked(lock, f"tracking store {database}", _WAIT_SECONDS):
        return _open(root, uri, settings, launch, embedded=embedded)


def _lock_beside(database: Path | None) -> Path | None:
    """The lock of an SQLite file that is not the project's own; none where no file could be made there either."""
    if database is None or not os.access(database.parent, os.W_OK):
        return None
    return database.resolve().with_name(f"{database.name}.lock")


def _open(root: Path, uri: str, settings: TrackingSettings, launch: Launch, *, embedded: bool) -> Store:
    if embedded:
        moved = follow_move(root, settings.artifacts)
        if moved:
            _log.info("the project has moved: %d artifact locations now point into %s", moved, artifacts_of(root))
    _use(uri)
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        experiment_id = _experiment(
            client, settings, launch, root, same_store=_same(launch.uri, uri), embedded=embedded
        )
        if embedded:
            # MLflow gives its Default experiment a place in the folder of whoever opened the store first.
            follow_move(root, settings.artifacts)
    except Exception as error:
        raise refusal(
            f"tracking store {without_credentials(uri)}",
            error,
            expected="an MLflow store that answers",
            remedy="start the server, or correct MLFLOW_TRACKING_URI or tracking.uri",
        ) from error
    return Store(root, uri, experiment_id, embedded, settings, client, launch)


def _use(uri: str) -> None:
    """Make ``uri`` the current one of this process, without writing it into the environment.

    MLflow writes it there too; a later ``connect`` and every child would then take it for a person's choice.
    """
    names = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")
    before = {name: os.environ.get(name) for name in names}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _choose(launch: Launch, settings: TrackingSettings, own: str) -> str:
    if launch.uri is not None and launch.chosen and not _same(launch.uri, own):
        return launch.uri
    if settings.uri is not None:
        database = sqlite_path(settings.uri)
        return settings.uri if database is None or database.is_absolute() else sqlite_uri(database)
    return own


def _on_disk(artifacts: str) -> str:
    """The place that a path or a file URI means, whose own signs are written with %; empty where it is no disk."""
    parts = urlsplit(artifacts)
    if parts.scheme == "file" and not parts.query and not parts.fragment:
        return unquote(parts.path)
    return artifacts if parts.scheme in {"", "file"} else ""


def _refuse_signs(uri: str, root: Path, artifacts: str | None) -> None:
    """Refuse places on the disk that would be taken for other ones, since in a URI %, ? and # mean something."""
    places = {"tracking.artifacts": _on_disk(artifacts) if artifacts else ""}
    if uri.startswith(_SQLITE):
        own = uri == sqlite_uri(database_of(root))
        places["project folder" if own else "tracking store"] = (
            str(root) if own else _QUERY.sub("", uri.removeprefix(_SQLITE))
        )
    for what, place in places.items():
        if place and any(sign in place for sign in _SIGNS):
            raise ConfigError(
                f"{what} {place}",
                got="a name with %, ? or # in it, which MLflow reads as signs of a URI",
                expected="names of folders without them",
                remedy="rename the folder",
            )


def _same(left: str | None, right: str) -> bool:
    if left is None:
        return False
    first, second = sqlite_path(left), sqlite_path(right)
    if first is not None and second is not None:
        return first.resolve() == second.resolve()
    return left.rstrip("/") == right.rstrip("/")


def _refuse_files(uri: str) -> None:
    if urlsplit(uri).scheme in {"", "file"} or re.match(r"^[A-Za-z]:[\\/]", uri):
        raise ConfigError(
            "tracking URI",
            got=f"{uri!r}, a store of plain files, which MLflow no longer keeps up",
            expected="sqlite:////path/mlflow.db, postgresql://... or http(s)://...",
            remedy="unset MLFLOW_TRACKING_URI and tracking.uri to use mlruns/mlflow.db",
        )


def _experiment(
    client: MlflowClient,
    settings: TrackingSettings,
    launch: Launch,
    root: Path,
    *,
    same_store: bool,
    embedded: bool,
) -> str:
    given = launch.experiment_id
    if same_store and launch.run_id is not None and given not in {None, _DEFAULT_EXPERIMENT_ID}:
        return str(given)
    name = launch.experiment or settings.experiment
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        experiment = _create(client, name, _location(settings, root, embedded=embedded))
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
        _log.warning("experiment %s was deleted; it is restored", name)
    return str(experiment.experiment_id)


def _create(client: MlflowClient, name: str, location: str | None) -> Experiment:
    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=location, tags=_ABOUT))
    except MlflowException:
        # Two processes at once: one of them has made it in between.
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return experiment


def _location(settings: TrackingSettings, root: Path, *, embedded: bool) -> str | None:
    if settings.artifacts is not None:
        return settings.artifacts
    return artifacts_of(root).as_uri() if embedded else None
