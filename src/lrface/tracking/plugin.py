"""The plugin that lets ``mlflow run`` of this project write into the project's own store from the start.

MLflow asks its plugins (entry point group ``mlflow.default_experiment_provider``) for an experiment before
``mlflow run`` makes its run. Where the project is this one, and nobody has named an experiment, the answer is
the project's experiment; and where nobody has named a store, the project's store is opened. Without it
MLflow would make ``mlflow.db`` in the folder of the caller. In any other use of MLflow the plugin is silent.

Environments that are installed name this module: it stays where it is.
"""

import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
from mlflow.tracking.default_experiment.abstract_context import DefaultExperimentProvider

_PROJECT = "lrface"


class ProjectExperiment(DefaultExperimentProvider):
    """Names the experiment for ``mlflow run <folder of this project>``."""

    def in_context(self) -> bool:
        """Tell whether this process is ``mlflow run`` of this project from a local folder."""
        return launched_project() is not None

    def get_experiment_id(self) -> str:
        """Open the project's store and return its experiment."""
        # Here and not above: MLflow imports its plugins whenever it is imported itself.
        from lrface.errors import ConfigError
        from lrface.tracking.store.store import connect

        root = launched_project()
        if root is None:
            raise RuntimeError("asked for an experiment outside of 'mlflow run' of this project")
        try:
            _look_for_python()
            return connect(root).experiment_id
        except ConfigError as error:
            # MLflow passes over what goes wrong here, and would write beside the project.
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(1) from error


def _look_for_python() -> None:
    """Refuse where the entry point cannot even be started: `--env-manager local` takes `python` from PATH."""
    from lrface.errors import ConfigError

    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("env_manager") == "local" and shutil.which("python") is None:
        raise ConfigError(
            "environment",
            got="no python in PATH",
            expected="the project's environment",
            remedy="make it with 'make env', and activate it with 'source .venv/bin/activate'",
        )


def launched_project() -> Path | None:
    """Return the folder of this project that ``mlflow run`` was called with in this process, else None."""
    context = click.get_current_context(silent=True)
    if context is None or context.info_name != "run" or "entry_point" not in context.params:
        return None
    uri = str(context.params.get("uri", "")).strip("'\"")
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or parts.fragment:
        return None
    root = Path(unquote(parts.path) if parts.scheme else uri).resolve()
    project = root / "MLproject"
    if not project.is_file():
        return None
    lines = (line.split("#")[0].strip() for line in project.read_text(encoding="utf-8").splitlines())
    names = [line.removeprefix("name:").strip().strip("'\"") for line in lines if line.startswith("name:")]
    return root if names == [_PROJECT] else None
