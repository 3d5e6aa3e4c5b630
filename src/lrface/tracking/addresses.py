"""Where in MLflow's UI a person looks: addresses of runs, of their files, and of registered models."""

from typing import Final
from urllib.parse import quote

from lrface.tracking.store.store import Store

OWN_UI: Final = "http://127.0.0.1:5000"
"""Where `make ui` opens the project's own store."""
_VIEW: Final = "workflowType=machine_learning"
"""Pages of MLflow open in its view for GenAI otherwise, which has no way to the registered models."""


def ui_of(store: Store) -> str:
    """The address of the UI that shows a store; without credentials."""
    return store.place.rstrip("/") if store.place.startswith(("http://", "https://")) else OWN_UI


def run_page(store: Store, run_id: str, artifact: str = "") -> str:
    """The page of a run, or of a file in it, within the UI."""
    tail = f"/artifacts/{artifact}" if artifact else ""
    return f"{_runs(store)}/{run_id}{tail}?{_VIEW}"


def curves_page(store: Store, run_id: str) -> str:
    """The page with the charts of a run, within the UI."""
    return f"{_runs(store)}/{run_id}/model-metrics?{_VIEW}"


def stages_page(store: Store, cycle: str, job: str) -> str:
    """The charts of all stages of a cycle that are of one job, each with the curves of all of them, within the UI."""
    wanted = f"tags.`lrface.job` = '{job}' AND tags.`mlflow.parentRunId` = '{cycle}'"
    # sorted by time, MLflow folds stages away under their cycle
    return (
        f"{_runs(store)}?{_VIEW}&compareRunsMode=CHART&searchFilter={quote(wanted, safe='')}"
        "&orderByKey=attributes.run_name&orderByAsc=true"
    )


def version_page(name: str, version: int) -> str:
    """The page of a version of a registered model, within the UI."""
    return f"#/models/{name}/versions/{version}?{_VIEW}"


def file_page(run_id: str, artifact: str) -> str:
    """A file of a run itself, as the UI's server hands it out."""
    return f"get-artifact?path={quote(artifact, safe='')}&run_uuid={run_id}"


def where_to_look(store: Store, cycle: str, decision: str) -> list[str]:
    """Lines that end a cycle: where its note, its curves and its report are."""
    ui = ui_of(store)
    start = [] if ui != OWN_UI else ["look: `make ui` opens MLflow; then"]
    return [
        *start,
        f"cycle: {ui}/{run_page(store, cycle)}",
        f"curves: {ui}/{curves_page(store, cycle)}",
        f"losses: {ui}/{stages_page(store, cycle, 'train_dsr')}",
        f"report: {ui}/{run_page(store, decision, 'evaluation/report.html')}",
    ]


def _runs(store: Store) -> str:
    return f"#/experiments/{store.experiment_id}/runs"
