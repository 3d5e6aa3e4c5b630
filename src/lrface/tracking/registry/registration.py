"""Registration: a version appears in the registry when all of it is there, and its alias moves last.

The order is upload, check, version with its tags, alias. A process that is killed anywhere before the alias
leaves the alias where it was; the same call again clears away what was begun and completes it.
"""

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlflow
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature

from lrface.errors import RegistryError
from lrface.tracking.names import DATA, LOADER, VersionTag
from lrface.tracking.notes import MODELS
from lrface.tracking.registry.hashes import folder_hashes, weights_sha256
from lrface.tracking.registry.licences import Licensed, ledger_metadata
from lrface.tracking.registry.versions import (
    ModelVersion,
    as_version,
    check_files,
    fetch,
    resolve,
    versions_of,
)
from lrface.tracking.runs.lineage import git_commit, requirements
from lrface.tracking.runs.run import Run
from lrface.tracking.store.failures import first_line, http_status, refusal
from lrface.tracking.store.store import Store

if TYPE_CHECKING:
    from mlflow.models.utils import ModelInputExample

_log = logging.getLogger(__name__)
CARD: Final = "model_card.md"
LICENCES: Final = "licences"
_DESCRIPTION: Final = 5000
_IN_FILES: Final = (VersionTag.SHA256.value, VersionTag.LICENCE.value)


def register(
    run: Run,
    name: str,
    folder: Path,
    *,
    signature: ModelSignature,
    alias: str | None,
    tags: Mapping[str, object],
    input_example: "ModelInputExample" = None,
    pip_requirements: Sequence[str] | None = None,
    ledger: Sequence[Licensed] = (),
    card: str | None = None,
) -> ModelVersion:
    """Register a model folder as a new version, and set an alias on it.

    Weights are safetensors, the spec is JSON and the code is the installed package: nothing is pickled.
    Called again for the same run and the same weights, it completes or returns the version that is there.

    Args:
        run: The run that made the model.
        name: Name of the registered model.
        folder: ``model.safetensors`` and ``config.json``, or several folders with these.
        signature: What the served model takes and gives.
        alias: The alias to set, None for none.
        tags: Tags of the version; hashes and the git commit are added.
        input_example: An example of the served model's input.
        pip_requirements: The served model's packages, pinned; None: those of this process.
        ledger: Licences of its parts; they stand in the served model's metadata as ``licences``.
        card: The model card in Markdown. It lies beside the model as ``model_card.md`` and is the version's
            description, there cut after 5,000 characters.

    Raises:
        WeightsError: The folder is no model folder.
        RegistryError: The store or registry refused, or what arrived there is not what was sent. Nothing
            that looks whole is left behind.
    """
    hashes = folder_hashes(folder)
    sha256 = weights_sha256(hashes)
    store = run.store
    _wait_for_store(run, name)
    version = _existing(store, name, run.run_id, hashes)
    if version is None:
        all_tags = {
            **{str(key): str(value) for key, value in tags.items()},
            VersionTag.COMMIT.value: git_commit(store.root),
            VersionTag.SHA256.value: sha256,
            VersionTag.FILES.value: json.dumps(hashes),
        }
        _clear_begun(store, name, run.run_id)
        model = _begin(run, name, all_tags)
        try:
            metadata = {str(key): str(model.tags[key]) for key in _IN_FILES if key in model.tags}
            served = _Served(signature, input_example, pip_requirements or requirements(), metadata, ledger, card)
            _upload(store, model, folder, served)
            with tempfile.TemporaryDirectory() as scratch:
                check_files(name, folder_hashes(fetch(store, model.model_uri, Path(scratch))), hashes)
            store.client.finalize_logged_model(model.model_id, "READY")
            version = _create(store, name, model, run.run_id, all_tags, _described(card))
        except BaseException as error:
            _undo(store, model)
            if isinstance(error, (RegistryError, KeyboardInterrupt, SystemExit)):
                raise
            raise refusal(
                f"registration of {name} from {folder}",
                error if isinstance(error, Exception) else RuntimeError(str(error)),
                expected=f"a new version in {store.place}",
                remedy="see to store and disk, then start the same command again; nothing was registered",
            ) from error
    if alias is not None:
        point(store, version, alias)
    return resolve(store, version.uri)


def _wait_for_store(run: Run, name: str) -> None:
    """Wait for a server that is away, as long as at the end of a run: what was logged before has to get there first."""
    if not run.flush():
        why = f" ({first_line(run.failure)})" if run.failure is not None else ""
        raise RegistryError(
            f"registration of {name}",
            got=f"nothing for {run.store.settings.drain_seconds:g} s from {run.store.place}{why}",
            expected="a tracking store, and an artifact store behind it, that take what was logged",
            remedy="start the same command again when it is up: it goes on from here",
        )


def point(store: Store, version: ModelVersion, alias: str) -> None:
    """Set an alias on a version.

    Raises:
        RegistryError: The registry refused.
    """
    try:
        store.client.set_registered_model_alias(version.name, alias, str(version.version))
    except MlflowException as error:
        raise refusal(
            f"alias {version.name}@{alias}",
            error,
            expected=f"version {version.version} under it",
            remedy="start the same command again; the version itself is registered",
        ) from error


def tag(store: Store, version: ModelVersion, tags: Mapping[str, object]) -> None:
    """Set tags on a version that is there.

    Raises:
        RegistryError: The registry refused.
    """
    try:
        for key, value in tags.items():
            store.client.set_model_version_tag(version.name, str(version.version), key, str(value))
    except MlflowException as error:
        raise refusal(
            f"tags of {version.uri}",
            error,
            expected=f"an answer of {store.place}",
            remedy="start the same command again; the version itself is as it was",
        ) from error


def _existing(store: Store, name: str, run_id: str, hashes: Mapping[str, str]) -> ModelVersion | None:
    for version in versions_of(store, name):
        if version.run_id == run_id and json.loads(version.tags.get(VersionTag.FILES, "{}")) == hashes:
            return version
    return None


def _begin(run: Run, name: str, tags: Mapping[str, str]) -> LoggedModel:
    client = run.store.client
    try:
        experiment_id = client.get_run(run.run_id).info.experiment_id
        model = client.create_logged_model(experiment_id, name=name, source_run_id=run.run_id, tags=dict(tags))
        client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
    except MlflowException as error:
        raise refusal(
            f"registration of {name}",
            error,
            expected=f"a new model in {run.store.place}",
            remedy="see that the tracking server is up, then start the same command again",
        ) from error
    return model


@dataclass(frozen=True)
class _Served:
    """What MLflow writes beside a model folder."""

    signature: ModelSignature
    example: "ModelInputExample"
    requirements: Sequence[str]
    metadata: Mapping[str, str]
    ledger: Sequence[Licensed]
    card: str | None


def _upload(store: Store, model: LoggedModel, folder: Path, served: _Served) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch) / Path(DATA).name
        shutil.copytree(folder, staged)
        local = Path(scratch) / "served"
        mlflow.pyfunc.save_model(
            path=str(local),
            loader_module=LOADER,
            data_path=str(staged),
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                run_id=model.source_run_id,
                model_uuid=model.model_id,
                model_id=model.model_id,
                metadata={**served.metadata, LICENCES: ledger_metadata(served.ledger)},
            ),
            signature=served.signature,
            input_example=served.example,
            pip_requirements=list(served.requirements),
        )
        if served.card is not None:
            (local / CARD).write_text(served.card, encoding="utf-8")
        store.client.log_model_artifacts(model.model_id, str(local))


def _described(card: str | None) -> str | None:
    """The card as a version's description, which MLflow's databases hold 5,000 characters of."""
    if card is None or len(card) <= _DESCRIPTION:
        return card
    note = f"\n\n(cut; the whole card is the artifact {CARD} of this version)\n"
    return card[: _DESCRIPTION - len(note)].rpartition("\n")[0] + note


def _create(
    store: Store, name: str, model: LoggedModel, run_id: str, tags: Mapping[str, str], description: str | None
) -> ModelVersion:
    client = store.client
    try:
        client.create_registered_model(name, description=MODELS.get(name))
        made = True
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        made = False
    try:
        version = client.create_model_version(
            name,
            model.model_uri,
            run_id=run_id,
            tags=dict(tags),
            description=description,
            model_id=model.model_id,
        )
    except BaseException:
        if made and not client.search_model_versions(f"name = '{name}'"):
            client.delete_registered_model(name)
        raise
    return as_version(store, version)


def _undo(store: Store, model: LoggedModel) -> None:
    try:
        store.client.delete_logged_model(model.model_id)
    except Exception as error:  # noqa: BLE001 - the failure that led here is the one to report
        _log.warning("model %s was begun and could not be deleted (no version refers to it): %s", model.model_id, error)


def _clear_begun(store: Store, name: str, run_id: str) -> None:
    """Delete models of this run that no version refers to: what a killed registration has left."""
    client = store.client
    try:
        experiment_id = client.get_run(run_id).info.experiment_id
        begun = client.search_logged_models(
            [experiment_id], filter_string=f"name = '{name}' AND source_run_id = '{run_id}'"
        )
        referred = {version.source for version in versions_of(store, name)}
        for model in begun:
            if model.model_uri not in referred:
                client.delete_logged_model(model.model_id)
    except MlflowException as error:
        if http_status(error) != 404:
            raise refusal(
                f"registration of {name}",
                error,
                expected=f"an answer of {store.place}",
                remedy="see that the tracking server is up",
            ) from error
