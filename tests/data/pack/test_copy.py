import pytest

from lrface.data.pack.copy import copy_pack
from lrface.data.pack.pack import VLR_FILE, open_pack
from lrface.data.pack.writer import write_pack
from lrface.errors import DataError


@pytest.fixture
def pack(tmp_path, faces, subjects):
    return write_pack(tmp_path / "pack", faces, subjects)


def test_a_copy_is_the_pack(pack, tmp_path):
    copy = copy_pack(pack, tmp_path / "below" / "copy")
    assert copy.digest == open_pack(tmp_path / "below" / "copy").digest == pack.digest
    assert copy_pack(pack, pack.root).root == pack.root


def test_nothing_is_left_of_the_pack_before(pack, tmp_path, faces, subjects):
    write_pack(tmp_path / "copy", faces, subjects, vlr=faces[:, ::7, ::7])
    copy_pack(pack, tmp_path / "copy")
    assert not (tmp_path / "copy" / VLR_FILE).exists()
    assert open_pack(tmp_path / "copy").digest == pack.digest


def test_photographs_in_the_way_are_left_alone(pack, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"mine")
    with pytest.raises(DataError, match="of another kind in this place"):
        copy_pack(pack, tmp_path / "photos")
    assert (tmp_path / "photos" / "1.jpg").read_bytes() == b"mine"
