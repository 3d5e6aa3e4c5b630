"""What is installed, against the ranges and the lock."""

import platform
from importlib import metadata

import pytest

from lrface.tracking.installed import outside_ranges, unlike_lock

NUMPY = metadata.version("numpy")


@pytest.fixture
def tree(tmp_path):
    """A project with these dependencies."""

    def write(needed=(), extra=(), python=">=3.11"):
        lines = ["[project]", f"requires-python = {python!r}", f"dependencies = {list(needed)}"]
        (tmp_path / "pyproject.toml").write_text(
            "\n".join([*lines, "[project.optional-dependencies]", f"more = {list(extra)}"])
        )
        return tmp_path

    return write


def test_what_fits_is_not_told(tree):
    assert outside_ranges(tree([f"numpy>=1,<={NUMPY}", "torch>=2"], ["pytest"])) == {}


def test_too_old_and_too_new_are_told_with_the_range(tree):
    found = outside_ranges(tree(["numpy>=99"], ["pytest[dev]<1"]))

    assert found["numpy"] == f"{NUMPY} (admitted: >=99)"
    assert found["pytest"] == f"{metadata.version('pytest')} (admitted: <1)"


def test_what_is_not_installed_is_told_where_it_is_needed(tree):
    found = outside_ranges(tree(["no-such-package>=1", "another>=1; sys_platform == 'mars'"], ["none-of-it>=2"]))

    assert found == {"no-such-package": "not installed (admitted: >=1)"}


def test_a_python_outside_is_told(tree):
    assert outside_ranges(tree(python=">=4"))["python"] == f"{platform.python_version()} (admitted: >=4)"


def test_without_a_tree_the_ranges_are_those_of_the_installed_package(tmp_path, monkeypatch):
    told = metadata.metadata("lrface")
    told["Requires-Dist"] = "pytest<1; extra == 'strange'"
    told["Provides-Extra"] = "strange"
    told["Requires-Dist"] = "torch>=99"
    monkeypatch.setattr(metadata, "metadata", lambda name: told)

    assert set(outside_ranges(tmp_path)) == {"pytest", "torch"}


@pytest.mark.parametrize("text", ["[project", "[project]\nrequires-python = '>=3'\ndependencies = ['a b c']\n"])
def test_a_file_that_is_none_of_its_kind_is_no_answer(tmp_path, text):
    (tmp_path / "pyproject.toml").write_text(f"{text}\n[project.optional-dependencies]\nmore = []\n")

    with pytest.raises(ValueError, match=r"."):
        outside_ranges(tmp_path)


def test_the_lock_is_held_against_what_is_installed(tmp_path):
    (tmp_path / "requirements.lock").write_text(
        "# by uv\n"
        "numpy==0.1 \\\n    --hash=sha256:0\n    # via lrface\n"
        f"pytest=={metadata.version('pytest')} \\\n    --hash=sha256:0\n"
        "torch==0.1 ; sys_platform == 'mars' \\\n    --hash=sha256:0\n"
        "no-such-package==1.0 \\\n    --hash=sha256:0\n"
    )

    assert unlike_lock(tmp_path) == {"numpy": f"{NUMPY} (locked: 0.1)"}


def test_a_build_of_the_locked_version_is_that_version(tmp_path):
    version = metadata.version("torch").partition("+")[0]
    (tmp_path / "requirements.lock").write_text(f"torch=={version} \\\n")

    assert unlike_lock(tmp_path) == {}


def test_no_lock_is_no_answer(tmp_path):
    assert unlike_lock(tmp_path) is None
