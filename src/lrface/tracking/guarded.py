"""The plugin that holds a model of this package against the registry before MLflow loads it.

Which module MLflow imports for a model, and which folder it puts on Python's path, it reads from ``MLmodel``, a file
in the artifact store; whoever may write there could run code wherever the model is loaded. MLflow asks its plugins
(entry point group ``mlflow.artifact_repository``) who fetches ``models:/...``. This one fetches as MLflow does, and
refuses a version that this package has registered unless its files are the recorded ones and ``MLmodel`` names
nothing but this package's loader. Versions that others have registered are passed on as they are.

Environments that are installed name this module: it stays where it is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

from lrface.tracking.names import DATA, LOADER

_MLMODEL: Final = "MLmodel"
_MOST_BYTES: Final = 2**20
# What MLflow writes for a model whose code is an installed package.
_FLAVOUR: Final = {"loader_module": LOADER, "data": DATA, "code": None, "streamable": False}
_HARMLESS: Final = frozenset({"env", "python_version"})


class GuardedModels(ModelsArtifactRepository):
    """Fetches ``models:/name/3`` and ``models:/name@alias``, and checks what came."""

    def download_artifacts(
        self,
        artifact_path: str,
        dst_path: str | None = None,
        lineage_header_info: dict[str, Any] | None = None,
    ) -> str:
        """Fetch files of a version; a whole one is held against what was recorded.

        Raises:
            RegistryError: A file is not the recorded one, or ``MLmodel`` names other code than this package's.
        """
        path = str(super().download_artifacts(artifact_path, dst_path, lineage_header_info))  # type: ignore[no-untyped-call]
        if self.model_version is not None and (Path(path) / _MLMODEL).is_file():
            self._check(Path(path))
        return path

    def _check(self, folder: Path) -> None:
        # Here and not above: MLflow imports its plugins whenever it is imported itself.
        from mlflow import MlflowClient

        from lrface.tracking.registry.hashes import folder_hashes
        from lrface.tracking.registry.versions import as_recorded, check_files

        recorded = as_recorded(MlflowClient().get_model_version(self.model_name, self.model_version).tags)
        if recorded is None:
            return
        what = f"models:/{self.model_name}/{self.model_version}"
        check_loader(what, folder / _MLMODEL)
        check_files(what, folder_hashes(folder / DATA), recorded)


def check_loader(what: str, path: Path) -> None:
    """Refuse an ``MLmodel`` that names other code than this package's loader.

    Raises:
        RegistryError: It does, or it does not read.
    """
    import yaml

    from lrface.errors import RegistryError

    got = ""
    try:
        if path.stat().st_size > _MOST_BYTES:
            got = f"{path.stat().st_size:,} bytes"
        else:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            got = _foreign(content["flavors"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, yaml.YAMLError) as error:
        got = f"a file that does not read ({type(error).__name__})"
    if got:
        raise RegistryError(
            f"{_MLMODEL} of {what}",
            got=got,
            expected=f"the loader {LOADER} and nothing else",
            remedy="do not use this version: register the model again, and see who may write to the artifact store",
        )


def _foreign(flavours: Mapping[str, Mapping[str, object]]) -> str:
    """Say what there is besides this package's loader; empty where there is nothing."""
    if list(flavours) != ["python_function"]:
        return f"flavours {', '.join(map(str, flavours))}"[:200]
    flavour = flavours["python_function"]
    for key, value in flavour.items():
        if key not in _HARMLESS and (key not in _FLAVOUR or value != _FLAVOUR[key]):
            return f"{key} {value!r}"[:200]
    return "" if flavour.get("loader_module") == LOADER else "no loader"
