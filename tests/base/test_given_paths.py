"""Paths as a person gives them."""

from pathlib import Path

import pytest

from lrface.base.given_paths import given_path
from lrface.errors import ConfigError


def test_a_home_folder_is_written_out(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert given_path("~/faces") == Path("/home/ann/faces")
    assert given_path(Path("a/" + "b" * 255)) == Path("a/" + "b" * 255)


@pytest.mark.parametrize("text", ["~nobody-of-that-name/x", "a" * 300, "ß" * 128, "/".join(["a" * 200] * 30)])
def test_what_is_no_path_is_one_line(text):
    with pytest.raises(ConfigError, match=r"path .*: got "):
        given_path(text)
