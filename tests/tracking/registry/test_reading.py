"""Pairs for programs: from the registry by alias, number or run; MLflow's own store stays as it was."""

import mlflow
import pytest
import torch

import lrface
from lrface.errors import RegistryError, WeightsError
from lrface.models.edgeface.folder import edgeface_spec
from lrface.models.edgeface.network import EdgeFace
from lrface.models.store import write_model
from lrface.tracking.names import EDGEFACE
from lrface.tracking.registry.pair import register_pair
from lrface.tracking.registry.reading import fetched_pair
from lrface.tracking.registry.registration import register
from lrface.tracking.served.signatures import edgeface_signature


@pytest.fixture
def version(run, tmp_path):
    torch.manual_seed(0)
    network = EdgeFace("xxs")
    write_model(tmp_path / "edgeface", network, edgeface_spec(network, licence="CC0-1.0"))
    half = register(
        run,
        EDGEFACE,
        tmp_path / "edgeface",
        signature=edgeface_signature(),
        alias="finetuned",
        tags={"licence": "CC0-1.0"},
    )
    return register_pair(run, half, None, alias="champion")


def test_by_alias_by_number_and_by_run(version, project):
    loaded = [
        lrface.load(uri, project=project, device="cpu")
        for uri in (
            "models:/lrface@champion",
            "models:/lrface/1",
            f"runs:/{version.run_id}",
            f"runs:/{version.run_id}/lrface",
        )
    ]

    assert {pair.origin for pair in loaded} == {"models:/lrface/1"}
    assert {pair.weights for pair in loaded} == {version.tags["edgeface_sha256"]}
    assert loaded[0].licence == "CC0-1.0"


def test_the_program_keeps_its_own_store(version, project, tmp_path, monkeypatch):
    own = f"sqlite:///{tmp_path / 'own.db'}"
    mlflow.set_tracking_uri(own)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")

    with fetched_pair(version.uri, project) as (found, _):
        assert found.uri == version.uri

    assert mlflow.get_tracking_uri() == own


@pytest.mark.parametrize(
    ("uri", "kind", "words"),
    [
        ("models:/lrface@champions", RegistryError, r"aliases @champion \(version 1\)"),
        ("models:/lrface/7", RegistryError, "versions 1"),
        ("models:/lrface", RegistryError, "expected models:/name@alias"),
        ("models:/edgeface@finetuned", WeightsError, "a version of edgeface; expected a pair"),
        ("runs:/", RegistryError, "no such run"),
        ("runs:/0123", RegistryError, r"no such run; expected one that did: \w+ \(models:/lrface/1\)"),
    ],
)
def test_what_is_not_there_is_one_line(version, project, uri, kind, words):
    with pytest.raises(kind, match=words) as caught:
        lrface.load(uri, project=project)
    assert "\n" not in str(caught.value)
