import os
import shutil
from pathlib import Path

import pytest

from lrface.data.files import contents as module
from lrface.data.files.contents import contents

LONG_AGO = 1_600_000_000_000_000_000


@pytest.fixture
def files(tmp_path):
    root = tmp_path / "files"
    root.mkdir()
    for name in "abc":
        (root / name).write_bytes(name.encode() * 9)
    return root


@pytest.fixture
def settled(monkeypatch):
    """Files just written count as written long ago."""
    monkeypatch.setattr(module, "_SETTLED_NS", -(10**12))


@pytest.fixture
def hashed(monkeypatch):
    seen = []
    plain = module._hash
    monkeypatch.setattr(module, "_hash", lambda path: seen.append(Path(path).name) or plain(path))
    return seen


def of(root, index=None):
    return contents(root.iterdir(), root, index)


def test_names_and_contents_count_and_nothing_else(files, tmp_path):
    before = of(files)
    moved = shutil.copytree(files, tmp_path / "elsewhere")
    os.utime(moved / "a", ns=(LONG_AGO, LONG_AGO))
    assert of(moved) == before
    (moved / "a").rename(moved / "d")
    assert of(moved) != before
    (files / "a").write_bytes(b"A" * 9)
    assert of(files) != before


def test_a_file_that_is_gone_counts_as_gone(files):
    paths = sorted(files.iterdir())
    before = contents(paths, files)
    paths[0].unlink()
    assert contents(paths, files) not in (before, contents(paths[1:], files))


def test_nothing_is_hashed_twice(files, tmp_path, settled, hashed):
    index = tmp_path / "cache" / "index.parquet"
    before = of(files, index)
    assert sorted(hashed) == ["a", "b", "c"]
    hashed.clear()
    assert of(files, index) == before
    assert hashed == []
    (files / "d").write_bytes(b"new")
    of(files, index)
    assert hashed == ["d"]


def test_what_was_written_a_moment_ago_is_hashed_again(files, tmp_path, hashed):
    index = tmp_path / "index.parquet"
    assert of(files, index) == of(files, index)
    assert len(hashed) == 6


def test_another_content_of_like_size_and_time_is_seen(files, tmp_path, settled):
    """As an archive leaves it that is unpacked over the files of the one before, or `cp -p`."""
    index = tmp_path / "index.parquet"
    os.utime(files / "a", ns=(LONG_AGO, LONG_AGO))
    before, inode = of(files, index), (files / "a").stat().st_ino
    (files / "a").write_bytes(b"Z" * 9)
    os.utime(files / "a", ns=(LONG_AGO, LONG_AGO))
    assert (files / "a").stat().st_ino == inode
    assert of(files, index) != before


def test_a_link_that_leads_elsewhere_is_seen(files, tmp_path, settled):
    index, links = tmp_path / "index.parquet", tmp_path / "links"
    links.mkdir()
    (links / "one").symlink_to(files / "a")
    before = of(links, index)
    (links / "one").unlink()
    (links / "one").symlink_to(files / "b")
    assert of(links, index) != before
    (files / "b").write_bytes((files / "a").read_bytes())
    assert of(links, index) == before


@pytest.mark.parametrize("damage", [lambda index: index.write_bytes(b"PAR1"), lambda index: index.unlink()])
def test_an_index_that_is_damaged_or_gone_costs_time_alone(files, tmp_path, settled, hashed, damage):
    index = tmp_path / "index.parquet"
    before = of(files, index)
    damage(index)
    assert of(files, index) == before
    assert len(hashed) == 6


def test_a_place_that_cannot_be_written_does_without(files, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert of(files, tmp_path / "file" / "index.parquet") == of(files)


def test_names_that_are_no_text(files, tmp_path, settled):
    name = os.fsdecode(b"\xff.png")
    try:
        (files / name).write_bytes(b"1")
    except OSError:
        pytest.skip("this disk takes names of text alone")
    assert of(files, tmp_path / "index.parquet") == of(files)


def test_many_files_are_told(files, monkeypatch):
    monkeypatch.setattr(module, "_WORTH_TELLING", 3)
    seen = []
    contents(files.iterdir(), files, None, lambda *step: seen.append(step))
    assert seen == [(1, 3), (2, 3), (3, 3)]
