import pytest
from mlflow.entities import Param

from lrface.errors import RegistryError
from lrface.tracking.runs.params import flatten, log_params


def test_config_is_flattened_by_dots():
    config = {
        "trainer": {"epochs": 3, "sizes": [8, 16]},
        "arms": [{"name": "a"}, {"name": "b"}],
        "none": None,
        "empty": {},
    }
    assert flatten(config) == {
        "trainer.epochs": "3",
        "trainer.sizes": "[8, 16]",
        "arms.0.name": "a",
        "arms.1.name": "b",
        "none": "None",
        "empty": "{}",
    }


def _params(store, run_id):
    return store.client.get_run(run_id).data.params


def test_param_of_mlflow_run_stays_and_ours_stands_beside_it(store):
    run_id = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_batch(run_id, params=[Param("epochs", "'3'"), Param("device", "cpu")])
    log_params(store.client, run_id, {"epochs": "3", "device": "cpu", "lr": "0.1"})
    assert _params(store, run_id) == {"epochs": "'3'", "config.epochs": "3", "device": "cpu", "lr": "0.1"}
    log_params(store.client, run_id, {"epochs": "3", "device": "cpu", "lr": "0.1"})
    with pytest.raises(RegistryError, match=r"got '4' where the run has '3'"):
        log_params(store.client, run_id, {"epochs": "4"})


def test_more_params_than_one_call_takes_and_a_long_one(store, caplog):
    run_id = store.client.create_run(store.experiment_id).info.run_id
    log_params(store.client, run_id, {**{f"k{i}": str(i) for i in range(230)}, "long": "x" * 7000})
    params = _params(store, run_id)
    assert len(params) == 231
    assert params["long"] == "x" * 5999 + "…"
    assert "long is cut from 7000" in caplog.text
