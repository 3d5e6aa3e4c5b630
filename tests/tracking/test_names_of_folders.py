"""Whatever a folder is called: it works, or is refused before anything is written."""

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrface.errors import ConfigError
from lrface.tracking.runs.starting import start_run
from lrface.tracking.settings import TrackingSettings
from lrface.tracking.store.store import connect

from .conftest import QUICK

names = (
    st.text(string.ascii_letters + "=%#?&+ '\"(),[]{};:@!$~äß漢", min_size=1, max_size=12).map(str.strip).filter(bool)
)


@pytest.mark.parametrize("name", ["my%20project", "what?", "a#b", "50%", "?"])
def test_a_project_whose_name_means_something_in_a_uri_is_refused_before_anything_is_written(tmp_path, name):
    root = tmp_path / name
    root.mkdir()
    with pytest.raises(ConfigError, match=r"a name with %, \? or # in it") as caught:
        connect(root, QUICK)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("name", ["lr=0.1 it's [a],b&c+ü", "-x"])
def test_a_project_of_any_other_name_has_its_runs_and_files_in_itself(tmp_path, name):
    root = tmp_path / name
    root.mkdir()
    store = connect(root, QUICK)
    with start_run(store, "one", job="prepare", params={"a": 1}) as run:
        run.log_json({"b": 2}, "b.json")
    assert (root / "mlruns" / "mlflow.db").is_file()
    assert [path.name for path in root.rglob("b.json")] == ["b.json"]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("key", ["uri", "artifacts"])
@pytest.mark.parametrize("name", ["my%20runs", "what?", "a#b"])
def test_a_store_or_place_for_files_of_such_a_name_is_refused(tmp_path, key, name):
    place = f"{tmp_path}/{name}"
    chosen = QUICK.model_copy(update={key: f"sqlite:///{place}/mlflow.db" if key == "uri" else place})
    with pytest.raises(ConfigError, match="a name with %"):
        connect(tmp_path, chosen)
    assert list(tmp_path.iterdir()) == []


@given(names)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_refusal_comes_after_something_was_written(tmp_path, monkeypatch, name):
    opened = []
    monkeypatch.setattr("lrface.tracking.store.store._open", lambda root, uri, *_, **__: opened.append(uri))
    root = tmp_path / name
    root.mkdir(exist_ok=True)
    refused = False
    try:
        connect(root, TrackingSettings())
    except ConfigError:
        refused = True
    assert refused == any(sign in name for sign in "%?#")
    assert bool(opened) != refused
