"""Where in MLflow's UI a person looks: addresses of runs, of their files, and of registered models."""

from typing import Final

from lrface.tracking.store.store import Store

OWN_UI: Final = "http://127.0.0.1:5000"
"""Where `make ui` opens the project's own store."""


def ui_of(store: Store) -> str:
    """The address of the UI that shows a store; without credentials."""
    return store.place.rstrip("/") if store.place.startswith(("http://", "https://")) else OWN_UI


def run_address(store: Store, run_id: str, artifact: str = "") -> str:
    """The page of a run, or of a file in it."""
    tail = f"/artifacts/{artifact}" if artifact else ""
    return f"{ui_of(store)}/#/experiments/{store.experiment_id}/runs/{run_id}{tail}"


def version_address(store: Store, name: str, version: int) -> str:
    """The page of a version of a registered model."""
    return f"{ui_of(store)}/#/models/{name}/versions/{version}"


def where_to_look(store: Store, cycle: str, decision: str) -> list[str]:
    """Lines that end a cycle: where its curves and its report are."""
    start = [] if ui_of(store) != OWN_UI else ["look: `make ui` opens MLflow; then"]
    return [
        *start,
        f"curves: {run_address(store, cycle)}/model-metrics",
        f"report: {run_address(store, decision, 'evaluation/report.html')}",
    ]
