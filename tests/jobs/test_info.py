"""`lrface info`: what a report of a fault needs, and nothing secret."""

import json

import pytest

from lrface.jobs.info import run


@pytest.fixture
def told(monkeypatch, capsys):
    """The facts, and all that was printed."""

    def ask(folder):
        monkeypatch.chdir(folder)
        assert run(["--log", "json"]) == 0
        out, err = capsys.readouterr()
        return json.loads(out), out + err

    return ask


@pytest.fixture
def fresh(tmp_path):
    (tmp_path / "MLproject").touch()
    return tmp_path


def test_a_project_after_a_cycle(told, project):
    facts, _ = told(project.root)

    assert set(facts["packages"]) >= {"torch", "mlflow", "opencv-python-headless"}
    assert facts["device"] in {"cpu", "cuda"}
    assert facts["threads"] >= 1
    assert facts["store"].startswith("sqlite:///")
    assert "@challenger=1" in facts["models"]["lrface"]
    assert any("faces of" in words for words in facts["packs"].values())


def test_nothing_is_made_where_nothing_is(told, fresh):
    facts, _ = told(fresh)

    assert facts["store"].startswith("none yet")
    assert [path.name for path in fresh.iterdir()] == ["MLproject"]


def test_what_does_not_fit_the_project_is_told(told, fresh, monkeypatch):
    assert told(fresh)[0]["outside_ranges"] == {}

    (fresh / "pyproject.toml").write_text(
        "[project]\nrequires-python = '>=3'\ndependencies = ['torch>=99']\n[project.optional-dependencies]\n"
    )
    (fresh / "requirements.lock").write_text("numpy==0.1 \\\n")
    monkeypatch.setattr("lrface.base.project.source_tree", lambda: fresh)
    facts, _ = told(fresh)
    assert facts["outside_ranges"]["torch"].endswith("(admitted: >=99)")
    assert facts["unlike_lock"]["numpy"].endswith("(locked: 0.1)")

    (fresh / "pyproject.toml").write_text("[project")
    (fresh / "requirements.lock").unlink()
    facts, _ = told(fresh)
    assert facts["outside_ranges"].startswith("not known (pyproject.toml: ")
    assert facts["unlike_lock"] == "not known (no requirements.lock here)"


def test_nothing_secret_is_told(told, fresh, monkeypatch):
    secrets = {
        "MLFLOW_TRACKING_URI": "postgresql://ann:hunter2@nowhere.invalid/db",
        "MLFLOW_TRACKING_PASSWORD": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "LRFACE_GALLERY": "postgresql://ann:hunter2@nowhere.invalid/people",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(fresh))
    (fresh / "mlruns" / "packs" / "broken-1").mkdir(parents=True)
    (fresh / "mlruns" / "packs" / "broken-1" / "pack.json").write_text("{")

    facts, words = told(fresh)

    assert "hunter2" not in words
    assert "ann" not in words
    assert set(secrets) <= set(facts["variables_set"])
    assert "nowhere.invalid" in facts["store"]
    assert facts["packs"]["broken-1"].startswith("(broken: ")
    assert str(fresh) not in words


def test_a_bad_command_line_is_one_line(capsys):
    assert run(["--colour", "red"]) == 1
    assert capsys.readouterr().err.startswith("error: parameters: got ")


def test_plain_is_a_line_a_fact(fresh, monkeypatch, capsys):
    monkeypatch.chdir(fresh)
    assert run([]) == 0

    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:3] == ["lrface", "commit", "python"]
    assert names[-3:] == ["store", "models", "packs"]
