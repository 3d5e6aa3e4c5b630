"""Model versions: found by URI, downloaded, checked against what was recorded."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import mlflow
from mlflow.entities.model_registry import ModelVersion as MlflowVersion
from mlflow.exceptions import MlflowException

from lrface.errors import RegistryError
from lrface.tracking.names import DATA, VersionTag
from lrface.tracking.registry.hashes import folder_hashes
from lrface.tracking.store.failures import http_status, refusal
from lrface.tracking.store.store import Store

_URI: Final = re.compile(r"^models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[^/@]+))$")


@dataclass(frozen=True)
class ModelVersion:
    """A version in the registry, as it was when it was asked for.

    Attributes:
        name: Name of the registered model.
        version: Its number.
        source: Where its files are (``models:/m-...``).
        sha256: The recorded sha256 of its weights; empty where none was recorded.
        tags: Its tags.
        run_id: The run that made it.
        aliases: The aliases that point at it.
    """

    name: str
    version: int
    source: str
    sha256: str
    tags: Mapping[str, str]
    run_id: str
    aliases: tuple[str, ...]

    @property
    def uri(self) -> str:
        """The URI that always means this version: ``models:/name/3``."""
        return f"models:/{self.name}/{self.version}"

    @property
    def licence(self) -> str:
        """The recorded licence, or ``unknown``."""
        return self.tags.get(VersionTag.LICENCE, "unknown")


def is_registry_uri(text: str) -> bool:
    """Tell whether a text means a model in the registry rather than a path."""
    return text.startswith("models:")


def resolve(store: Store, uri: str) -> ModelVersion:
    """Return the version that ``models:/name@alias`` or ``models:/name/3`` means now.

    Raises:
        RegistryError: The URI is malformed, or there is no such model, alias or version; the message lists
            what there is.
    """
    match = _URI.match(uri)
    if match is None or (match["version"] is not None and not match["version"].isdecimal()):
        raise RegistryError(
            f"model URI {uri!r}",
            got="something else",
            expected="models:/name@alias or models:/name/3",
            remedy="correct the URI",
        )
    name = match["name"]
    try:
        if match["alias"] is not None:
            found = store.client.get_model_version_by_alias(name, match["alias"])
        else:
            found = store.client.get_model_version(name, match["version"])
    except MlflowException as error:
        if http_status(error) not in {400, 404}:
            raise unanswered(store, uri, error) from error
        raise _missing(store, uri, name) from error
    return as_version(store, found)


def is_there(store: Store, uri: str) -> bool:
    """Tell whether the registry still has a version.

    Raises:
        RegistryError: It does not answer.
    """
    match = _URI.match(uri)
    if match is None or match["version"] is None:
        return False
    try:
        store.client.get_model_version(match["name"], match["version"])
    except MlflowException as error:
        if http_status(error) not in {400, 404}:
            raise unanswered(store, uri, error) from error
        return False
    return True


def versions_of(store: Store, name: str) -> list[ModelVersion]:
    """Return all versions of a registered model, the newest first; none if the model is not there."""
    try:
        found = store.client.search_model_versions(f"name = '{name}'", max_results=10_000)
        aliases = _aliases(store, name) if found else {}
        versions = [_version(item, aliases) for item in found]
    except MlflowException as error:
        raise unanswered(store, name, error) from error
    return sorted(versions, key=lambda version: -version.version)


def as_version(store: Store, found: MlflowVersion) -> ModelVersion:
    """Turn MLflow's version into ours."""
    return _version(found, _aliases(store, str(found.name)))


def _aliases(store: Store, name: str) -> dict[str, str]:
    aliases = store.client.get_registered_model(name).aliases
    return {str(alias): str(number) for alias, number in aliases.items()}


def _version(found: MlflowVersion, aliases: Mapping[str, str]) -> ModelVersion:
    tags = {str(key): str(value) for key, value in dict(found.tags).items()}
    return ModelVersion(
        name=str(found.name),
        version=int(found.version),
        source=str(found.source),
        sha256=tags.get(VersionTag.SHA256, ""),
        tags=MappingProxyType(tags),
        run_id=str(found.run_id or ""),
        aliases=tuple(sorted(alias for alias, number in aliases.items() if number == str(found.version))),
    )


def training_data(store: Store, version: ModelVersion) -> list[str]:
    """Return what the run of a version has logged as its training data, a line each: name, digest, licence, terms.

    Raises:
        RegistryError: The run is gone, or the store does not answer.
    """
    try:
        inputs = store.client.get_run(version.run_id).inputs
    except MlflowException as error:
        raise unanswered(store, f"the run of {version.uri}", error) from error
    lines = []
    for item in inputs.dataset_inputs if inputs else ():
        tags = {str(tag.key): str(tag.value) for tag in item.tags}
        if tags.get("mlflow.data.context") == "training":
            terms = f", {tags['terms']}" if tags.get("terms", "unknown") != "unknown" else ""
            lines.append(f"{item.dataset.name} ({item.dataset.digest[:12]}): {tags.get('licence', 'unknown')}{terms}")
    return lines


def download(store: Store, version: ModelVersion, to: Path) -> Path:
    """Download the model folder of a version and check every file of it against the recorded hashes.

    A folder that is there and holds the recorded files is used as it is.

    Args:
        store: The tracking store.
        version: The version.
        to: The folder to make; it appears when it is whole.

    Returns:
        ``to``, holding ``model.safetensors`` and ``config.json`` (of a pair: two such folders).

    Raises:
        RegistryError: The files cannot be had, or are not those that were recorded.
    """
    recorded = recorded_files(version)
    if to.is_dir() and folder_hashes(to) == recorded:
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.", suffix=".partial") as scratch:
        # By its source: what arrives is checked here, with words of its own.
        got = fetch(store, version.source, Path(scratch), version.uri)
        check_files(version.uri, folder_hashes(got), recorded)
        if to.exists():
            shutil.rmtree(to)
        got.replace(to)
    return to


def fetch(store: Store, uri: str, scratch: Path, what: str | None = None) -> Path:
    """Download the model folder below a model URI into ``scratch`` and return where it lies; ``what`` names it."""
    return fetch_artifacts(store, uri, scratch, what) / DATA


def fetch_artifacts(store: Store, uri: str, scratch: Path, what: str | None = None) -> Path:
    """Download what lies below an artifact URI (``runs:/ID/FOLDER``) into ``scratch``; ``what`` names it.

    Raises:
        RegistryError: It cannot be had.
    """
    try:
        got = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(scratch), tracking_uri=store.uri)
    except Exception as error:
        raise refusal(
            f"download of {what or uri}",
            error,
            expected=f"its files in the artifact store ({DATA})",
            remedy="see that the artifact store is up and that the files were not deleted",
        ) from error
    return Path(got)


def recorded_files(version: ModelVersion) -> dict[str, str]:
    """Return the hashes of a version's files as they were recorded when it was registered."""
    recorded = as_recorded(version.tags)
    if recorded is None:
        raise RegistryError(
            f"model {version.uri}",
            got=f"a version without the tag {VersionTag.FILES}",
            expected="a version that this package has registered",
            remedy="register the model with one of the jobs",
        )
    return recorded


def as_recorded(tags: Mapping[str, str]) -> dict[str, str] | None:
    """Read the hashes of a version's files from its tags; None for a version that others have registered."""
    text = tags.get(VersionTag.FILES)
    return None if text is None else {str(name): str(digest) for name, digest in json.loads(text).items()}


def check_files(what: str, got: Mapping[str, str], recorded: Mapping[str, str]) -> None:
    """Refuse files that are not those that were recorded.

    Raises:
        RegistryError: A file is missing, is there beside the recorded ones, or has another hash.
    """
    if dict(got) == dict(recorded):
        return
    wrong = sorted(name for name in {*got, *recorded} if got.get(name) != recorded.get(name))
    raise RegistryError(
        f"files of {what}",
        got=", ".join(f"{name} {got.get(name, 'missing')[:12]}" for name in wrong),
        expected=", ".join(f"{name} {recorded.get(name, 'absent')[:12]}" for name in wrong),
        remedy="do not use this version: register the model again",
    )


def unanswered(store: Store, what: str, error: Exception) -> RegistryError:
    """Return the error for a registry that does not answer."""
    return refusal(
        f"model registry, asked for {what}",
        error,
        expected=f"an answer of {store.place}",
        remedy="see that the tracking server is up",
    )


def _missing(store: Store, uri: str, name: str) -> RegistryError:
    try:
        model = store.client.get_registered_model(name)
    except MlflowException:
        names = sorted(str(item.name) for item in store.client.search_registered_models())
        there = f"no model of that name; there are {', '.join(names) or 'none yet'}"
    else:
        aliases = [f"@{alias} (version {number})" for alias, number in sorted(model.aliases.items())]
        numbers = [str(item.version) for item in store.client.search_model_versions(f"name = '{name}'")]
        there = f"aliases {', '.join(aliases) or 'none'}; versions {', '.join(reversed(numbers)) or 'none'}"
    return RegistryError(
        f"model {uri}",
        got=there,
        expected="a version that is in the registry",
        remedy="name one of these, or run the job that makes it",
    )
