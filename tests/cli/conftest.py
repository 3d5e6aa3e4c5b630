"""The command line is tried on the project that the tests of the jobs make."""

from ..jobs.conftest import (
    _own_environment,
    copy_project,
    cycle,
    job,
    mlflow_run,
    person,
    photographs,
    project,
    pytest_collection_modifyitems,
)

__all__ = [
    "_own_environment",
    "copy_project",
    "cycle",
    "job",
    "mlflow_run",
    "person",
    "photographs",
    "project",
    "pytest_collection_modifyitems",
]
