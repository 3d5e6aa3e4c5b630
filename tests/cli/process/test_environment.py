"""What a stranger's machine lacks is one line, whichever entry point he starts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lrface.cli.process.environment import NEEDED, complaint

PROJECT = Path(__file__).resolve().parents[3]


def started(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A job in a folder that has the parts of the project, without a variable of this process but PATH."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, *words]
    variables = {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT / "src"), **environment}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def project(tmp_path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    shutil.copy(PROJECT / "MLproject", root)
    return root


def test_here_nothing_is_missing():
    assert complaint() is None


@pytest.mark.parametrize("name", NEEDED)
def test_an_environment_that_is_not_active_is_told(name):
    line = complaint(there=lambda wanted: None if wanted == name else object())
    assert f"without {name}; expected the project's environment" in line
    assert "source .venv/bin/activate" in line


def test_an_old_python_is_told():
    assert "(Python 3.10), which is too old" in complaint(version=(3, 10))


@pytest.mark.parametrize("encoding", ["ascii", "ANSI_X3.4-1968", "iso8859-1", "cp1252"])
def test_a_locale_that_cannot_hold_every_name_is_told(encoding):
    assert complaint(encoding=encoding).startswith(f"locale: got the encoding {encoding}, which cannot")
    assert complaint(encoding="UTF-8") is None


def test_without_the_libraries_an_entry_point_ends_in_one_line(project):
    ended = started(project, "-S", "-m", "lrface", "prepare", "--preset", "smoke")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: environment: got ")


def test_in_a_plain_locale_without_utf_8_an_entry_point_ends_in_one_line(project):
    ended = started(project, "-m", "lrface", "prepare", "--preset", "smoke", LC_ALL="C", PYTHONUTF8="0")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert ended.stderr.startswith("error: locale: got the encoding ")


def test_a_screen_that_cannot_show_a_name_gets_it_in_another_spelling(project):
    ended = started(project, "-m", "lrface", "prepare", "--data", "folder", "--source", "Zoë", PYTHONIOENCODING="ascii")
    assert ended.returncode == 1
    assert "Zo\\xeb" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_project_in_which_nothing_can_be_written_ends_in_one_line(project):
    (project / "mlruns").write_text("a file where the folder should be")
    ended = started(project, "-m", "lrface", "prepare", "--preset", "smoke")
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "mlruns" in ended.stderr
    assert "expected a place that this user may read and write" in ended.stderr
