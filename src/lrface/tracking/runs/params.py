"""The resolved config as params of a run."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import Param

from lrface.errors import RegistryError
from lrface.tracking.names import PARAM_LENGTH, clean_key

_log = logging.getLogger(__name__)
_PER_CALL: Final = 100
_TAKEN: Final = "config."


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a nested config as ``{"trainer.epochs": "100", "sizes.0": "8"}``; empty groups stay visible."""
    flat: dict[str, str] = {}
    for key, value in config.items():
        flat.update(_branch(f"{prefix}{key}", value))
    return flat


def _branch(path: str, value: object) -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        return flatten(value, f"{path}.")
    if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, list, tuple)) for item in value):
        return {key: text for index, item in enumerate(value) for key, text in _branch(f"{path}.{index}", item).items()}
    return {clean_key(path): str(value)}


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, str]) -> None:
    """Log params beside those that are on the run already.

    ``mlflow run`` logs the parameters of its entry point itself, as the shell would spell them, and MLflow
    refuses a second value for a key. A param that is there with the same value is left; one that is there
    with another value is logged as ``config.<key>``.

    Raises:
        RegistryError: ``config.<key>`` is taken by another value too: the run belongs to another config.
    """
    there = dict(client.get_run(run_id).data.params)
    fresh: dict[str, str] = {}
    for key, text in params.items():
        value = _cut(key, text)
        place = next((name for name in (key, f"{_TAKEN}{key}") if there.get(name, value) == value), None)
        if place is None:
            raise RegistryError(
                f"param {key} of run {run_id}",
                got=f"{value!r} where the run has {there[f'{_TAKEN}{key}']!r}",
                expected="the config that the run was started with",
                remedy="start a new run instead of continuing this one",
            )
        if place not in there:
            fresh[place] = value
    items = [Param(key, value) for key, value in fresh.items()]
    for start in range(0, len(items), _PER_CALL):
        client.log_batch(run_id, params=items[start : start + _PER_CALL])


def _cut(key: str, text: str) -> str:
    if len(text) <= PARAM_LENGTH:
        return text
    _log.warning("param %s is cut from %d to %d characters; config.json holds all of it", key, len(text), PARAM_LENGTH)
    return text[: PARAM_LENGTH - 1] + "…"
