"""What a job reads, as hashes: whoever goes on with work begun earlier must not go on with work on something else."""

import hashlib

from lrface.base.given_paths import given_path
from lrface.cli.context import Context
from lrface.config import DataJobSettings, EdgeFaceSource, JobSettings
from lrface.jobs.shared.packs import data_digest
from lrface.models.weights.released import RELEASED
from lrface.models.weights.shipped import is_shipped, shipped_folder
from lrface.tracking.registry.hashes import file_sha256, folder_hashes
from lrface.tracking.registry.versions import is_registry_uri, resolve

OTHERS = ("supervisors", "judge")
"""Keys of networks that no stage of a cycle makes."""
TAUGHT_BY = ("teacher", "back_to")
"""Keys of recognisers beside the one that is fine-tuned."""
START = "start"
"""What these say where they mean that one itself."""
_NETWORKS = ("edgeface", "dsr", "start", *OTHERS, *TAUGHT_BY)


def inputs_of(settings: JobSettings, context: Context) -> dict[str, str]:
    """Hashes of the faces and of the networks that a training's config names.

    Raises:
        DataError: The source is bad.
        RegistryError: The registry has no such version.
    """
    found = {"data": data_digest(settings.data, context)} if isinstance(settings, DataJobSettings) else {}
    return found | networks_of(settings, context, _NETWORKS)


def networks_of(settings: JobSettings, context: Context, names: tuple[str, ...]) -> dict[str, str]:
    """Hashes of the networks that some keys of a config name.

    Raises:
        RegistryError: The registry has no such version.
    """
    found = {}
    for name in names:
        given = getattr(settings, name, None)
        reference = given.weights if isinstance(given, EdgeFaceSource) else given
        if reference == START and name in TAUGHT_BY:
            continue
        if isinstance(reference, str):
            found[name] = weights_digest(reference, context)
        elif isinstance(reference, tuple):
            found[name] = ", ".join(weights_digest(one, context) for one in reference)
    return found


def weights_digest(reference: str, context: Context) -> str:
    """A hash of the weights that `models:/...`, a path or a released name means now; the name itself where it is all.

    Raises:
        RegistryError: The registry has no such version.
    """
    if is_registry_uri(reference):
        version = resolve(context.store, reference)
        return version.sha256 or version.uri
    path = shipped_folder() if is_shipped(reference) else given_path(reference)
    if path.is_file():
        return file_sha256(path)
    if path.is_dir():
        return hashlib.sha256(repr(folder_hashes(path)).encode()).hexdigest()
    # Released weights are pinned by their hash; what is no path either is refused where it is loaded.
    return f"{reference}{'' if reference in RELEASED else ', not there'}"
