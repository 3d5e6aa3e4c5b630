import subprocess

import pytest

from lrface.tracking.runs.lineage import (
    UNKNOWN,
    git_commit,
    joined_licences,
    joined_terms,
    package_versions,
    requirements,
)


def _git(root, *arguments):
    subprocess.run(
        ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        check=True,
        capture_output=True,
    )


def test_commit_and_changes(tmp_path):
    assert git_commit(tmp_path) == UNKNOWN
    _git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "one")
    commit = git_commit(tmp_path)
    assert len(commit) == 40
    inner = tmp_path / "inner"
    inner.mkdir()
    assert git_commit(inner) == UNKNOWN
    (tmp_path / "file").write_text("2")
    assert git_commit(tmp_path) == f"{commit}+changes"


def test_no_git_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) == UNKNOWN


@pytest.mark.parametrize(
    ("licences", "joined"),
    [
        (["CC-BY-NC-SA-4.0", "Apache-2.0"], "Apache-2.0 AND CC-BY-NC-SA-4.0"),
        (["A AND B", "B"], "A AND B"),
        ([], UNKNOWN),
    ],
)
def test_licences_of_the_parts_hold_for_the_whole(licences, joined):
    assert joined_licences(licences) == joined


def test_terms_of_the_parts_hold_for_the_whole():
    assert joined_terms(["no resale", "", "unknown", "ask the owner\nno resale"]) == "ask the owner\nno resale"
    assert joined_terms(["", "unknown"]) == UNKNOWN


def test_versions_of_packages():
    versions = package_versions(["numpy", "no-such-package"])
    assert versions["no-such-package"] == UNKNOWN
    assert requirements(["numpy", "no-such-package"]) == [f"numpy=={versions['numpy']}"]
