"""Pairs for a program that is not a job: read from a store, and nothing of it made or changed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow

from lrface.errors import RegistryError, WeightsError
from lrface.tracking.names import PAIR
from lrface.tracking.registry.versions import ModelVersion, download, resolve, versions_of
from lrface.tracking.store.locations import database_of
from lrface.tracking.store.store import Store, connect

_RUN = "runs:/"


@contextmanager
def fetched_pair(uri: str, root: Path) -> Iterator[tuple[ModelVersion, Path]]:
    """Fetch the files of a pair, each held against its recorded hash, into a folder that lives as long as the context.

    Args:
        uri: ``models:/lrface@ALIAS``, ``models:/lrface/3``, or ``runs:/ID`` of the run that registered it.
        root: The project whose store is meant where MLFLOW_TRACKING_URI names none.

    Raises:
        RegistryError: There is no store or no such version, or its files are not the recorded ones.
        WeightsError: It is a version of something else.
    """
    with _borrowed(uri, root) as store, tempfile.TemporaryDirectory() as scratch:
        version = _of_run(store, uri) if uri.startswith(_RUN) else resolve(store, uri)
        if version.name != PAIR:
            raise WeightsError(
                f"model {uri}",
                got=f"a version of {version.name}",
                expected=f"a pair: models:/{PAIR}@ALIAS or models:/{PAIR}/NUMBER",
                remedy=f"name a version of {PAIR}",
            )
        yield version, download(store, version, Path(scratch) / "pair")


def _of_run(store: Store, uri: str) -> ModelVersion:
    run = uri.removeprefix(_RUN).strip("/").partition("/")[0]
    found = [version for version in versions_of(store, PAIR) if run and version.run_id == run]
    if found:
        return found[0]
    there = ", ".join(f"{version.run_id} ({version.uri})" for version in versions_of(store, PAIR)[:5])
    raise RegistryError(
        f"model {uri}",
        got="a run that registered no pair" if run and store.has_run(run) else "no such run",
        expected=f"one that did: {there or 'there is none yet'}",
        remedy=f"name one of these, or models:/{PAIR}@ALIAS",
    )


@contextmanager
def _borrowed(uri: str, root: Path) -> Iterator[Store]:
    """The store, with MLflow's current store put back in the end: the program may have one of its own."""
    if not os.environ.get("MLFLOW_TRACKING_URI") and not database_of(root).is_file():
        raise RegistryError(
            f"model {uri}",
            got=f"no {database_of(root)}",
            expected="a project in which a pair was made",
            remedy="start in its folder, give project=FOLDER, set MLFLOW_TRACKING_URI, or name the folder of a pair",
        )
    tracking, registry = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    chosen = bool(mlflow.is_tracking_uri_set())  # type: ignore[no-untyped-call]
    try:
        yield connect(root)
    finally:
        # None: as if none had been set, which MLflow's types do not know.
        mlflow.set_tracking_uri(tracking if chosen else None)  # type: ignore[arg-type]
        mlflow.set_registry_uri(registry if chosen else None)  # type: ignore[arg-type]
