import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.utils.file_utils import local_file_uri_to_path

from lrface.errors import RegistryError
from lrface.tracking.registry.registration import register
from lrface.tracking.registry.versions import download, resolve
from lrface.tracking.runs.starting import start_run
from lrface.tracking.served.signatures import edgeface_signature
from lrface.tracking.store.locations import follow_move, refuse_file_store, sqlite_path, sqlite_uri
from lrface.tracking.store.store import connect

from ..conftest import QUICK, write_folder


def test_uri_and_path():
    assert sqlite_uri(Path("/a/b.db")) == "sqlite:////a/b.db"
    assert sqlite_path("sqlite:////a/b.db") == Path("/a/b.db")
    assert sqlite_path("sqlite:///b.db") == Path("b.db")
    assert sqlite_path("postgresql://h/b") is None


def test_file_store_is_refused_by_name(tmp_path):
    (tmp_path / "mlruns" / "artifacts" / "7").mkdir(parents=True)
    refuse_file_store(tmp_path)
    (tmp_path / "mlruns" / "0").mkdir()
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("")
    with pytest.raises(RegistryError, match=r"kept as files .*mlruns/0/meta.yaml"):
        refuse_file_store(tmp_path)


def test_no_database_is_nothing_to_mend(tmp_path):
    assert follow_move(tmp_path) == 0


def test_a_broken_database_is_one_clear_line(tmp_path):
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_text("no database" * 100)
    with pytest.raises(RegistryError, match="not a database"):
        follow_move(tmp_path)


@pytest.mark.parametrize("way", ["moved", "copied"])
def test_a_project_elsewhere_reads_its_old_runs_and_writes_into_itself(way, project, store, tmp_path):
    with start_run(store, "old", job="test", params={}) as run:
        folder = write_folder(tmp_path / "model", 0)
        register(run, "edgeface", folder, signature=edgeface_signature(), alias="pretrained", tags={})
        run.log_text("old", "old.txt")
    elsewhere = tmp_path / "else where"
    (shutil.move if way == "moved" else shutil.copytree)(project, elsewhere)
    before = _files(project)
    there = connect(elsewhere, QUICK)
    with start_run(there, "new", job="test", params={}) as fresh:
        fresh.log_text("new", "new.txt")
    assert Path(there.client.download_artifacts(run.run_id, "old.txt")).read_text() == "old"
    assert elsewhere in _folder(there, run.run_id).parents
    assert (_folder(there, fresh.run_id) / "new.txt").exists()
    assert elsewhere in _folder(there, fresh.run_id).parents
    got = download(there, resolve(there, "models:/edgeface@pretrained"), tmp_path / "got")
    assert (got / "model.safetensors").exists()
    assert _files(project) == before


def _folder(store, run_id):
    return Path(local_file_uri_to_path(store.client.get_run(run_id).info.artifact_uri))


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and "spool" not in path.parts)


def test_files_that_stayed_behind_are_read_where_they_are(project, store, run, tmp_path):
    run.log_text("old", "old.txt")
    assert run.flush()
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "mlruns").mkdir(parents=True)
    shutil.copy(project / "mlruns" / "mlflow.db", elsewhere / "mlruns" / "mlflow.db")
    there = connect(elsewhere, QUICK)
    assert project in _folder(there, run.run_id).parents
    location = there.client.get_experiment(there.experiment_id).artifact_location
    assert location == (elsewhere / "mlruns" / "artifacts").as_uri()


def test_a_location_that_was_chosen_stays(project, tmp_path):
    chosen = (tmp_path / "big disk" / "mlruns" / "artifacts").as_uri()
    settings = QUICK.model_copy(update={"artifacts": chosen, "experiment": "other"})
    first = connect(project, settings)
    again = connect(project, settings)
    assert first.experiment_id == again.experiment_id
    assert again.client.get_experiment(again.experiment_id).artifact_location == chosen
    with closing(sqlite3.connect(project / "mlruns" / "mlflow.db")) as connection:
        rows = connection.execute("SELECT artifact_location FROM experiments").fetchall()
    outside = [row[0] for row in rows if str(project) not in row[0]]
    assert outside == [chosen]
