"""What a version was made of: the versions before it, and the packs that these were trained on."""

import json
from collections.abc import Iterable, Sequence

from mlflow.exceptions import MlflowException

from lrface.errors import RegistryError
from lrface.tracking.names import VersionTag
from lrface.tracking.registry.versions import ModelVersion, is_registry_uri, resolve
from lrface.tracking.store.store import Store

_PARENTS = (
    "start",
    "teacher",
    "back_to",
    "supervisors",
    VersionTag.SUPERVISOR,
    VersionTag.SUPER_RESOLVER,
    VersionTag.EDGEFACE,
    VersionTag.DSR,
)
"""Tags that name what a version was made of."""
_TRAINING_JOBS = {"pretrain", "finetune", "train_dsr"}


def line_of(store: Store, versions: Iterable[ModelVersion], parents: Sequence[str] = _PARENTS) -> list[ModelVersion]:
    """Versions and all that they were made of, as far as the registry still has it; `parents` are the tags that say."""
    found: dict[str, ModelVersion] = {}
    waiting = list(versions)
    while waiting:
        version = waiting.pop()
        if version.uri in found:
            continue
        found[version.uri] = version
        named = (name for tag in parents for name in version.tags.get(tag, "").split(", "))
        for name in named:
            if is_registry_uri(name) and name not in found:
                try:
                    waiting.append(resolve(store, name))
                except RegistryError:  # deleted since
                    continue
    return list(found.values())


def packs_behind(store: Store, versions: Iterable[ModelVersion]) -> dict[str, str]:
    """The packs that versions, and all that they were made of, were trained on: digest, and where each lay.

    The place is empty where the run that made a version is gone.
    """
    found: dict[str, str] = {}
    for version in line_of(store, versions):
        digest = version.tags.get(VersionTag.PACK, "")
        if digest and version.tags.get(VersionTag.JOB) in _TRAINING_JOBS and not found.get(digest):
            found[digest] = _place(store, version, digest)
    return found


def _place(store: Store, version: ModelVersion, digest: str) -> str:
    try:
        inputs = store.client.get_run(version.run_id).inputs
    except MlflowException:
        return ""
    for item in inputs.dataset_inputs if inputs else ():
        if any(tag.key == "digest" and str(tag.value) == digest for tag in item.tags):
            return str(json.loads(item.dataset.source).get("uri", ""))
    return ""
