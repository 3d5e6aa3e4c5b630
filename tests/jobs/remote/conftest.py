"""The embedded cycle's project again, on a server."""

import os
import re
from dataclasses import dataclass

import pytest
from mlflow import MlflowClient
from mlflow.entities import FileInfo, Run

LOGIN = "lrface"
_DRAWN = re.compile(r"[+%]timestamp[+%]\d+[+%][0-9a-f-]{36}")


@dataclass(frozen=True)
class Remote:
    """What lies on a tracking server.

    Attributes:
        client: MLflow's client of it.
    """

    client: MlflowClient

    def run(self, name: str) -> Run:
        """The latest run of that name."""
        experiments = [item.experiment_id for item in self.client.search_experiments()]
        found = self.client.search_runs(
            experiments, f"attributes.run_name = '{name}'", order_by=["attributes.start_time DESC"]
        )
        return found[0]

    def registry(self) -> dict[str, tuple[int, dict[str, int]]]:
        """Of each registered model the number of versions and the aliases."""
        return {
            model.name: (
                len(self.client.search_model_versions(f"name = '{model.name}'")),
                {str(alias): int(version) for alias, version in model.aliases.items()},
            )
            for model in self.client.search_registered_models()
        }


def artifact_names(client: MlflowClient, run_id: str, folder: str | None = None) -> set[str]:
    """The paths of all artifacts of a run; of pictures without the time and the random part of their names."""
    found: set[str] = set()
    item: FileInfo
    for item in client.list_artifacts(run_id, folder):
        if item.is_dir:
            found |= artifact_names(client, run_id, item.path)
        else:
            found.add(_DRAWN.sub("", item.path))
    return found


@pytest.fixture(autouse=True)
def _no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING_")]:
        monkeypatch.delenv(name)
