import json
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrface.data.pack.manifest import manifest_digest
from lrface.data.pack.pack import open_pack
from lrface.data.pack.writer import write_pack
from lrface.errors import DataError


@pytest.fixture
def pack(tmp_path, faces, subjects):
    return write_pack(
        tmp_path / "pack",
        faces,
        subjects,
        superres=["train"] * 10 + ["val"] * 5 + ["test"] * 5,
        recognition=(["train"] * 4 + ["val"]) * 3 + ["none"] * 5,
    )


def test_what_is_written_comes_back(pack, faces, subjects):
    opened = open_pack(pack.root)
    assert np.array_equal(opened.faces, faces)
    assert isinstance(opened.faces, np.memmap)
    assert list(opened.manifest["subject"]) == subjects
    assert opened.digest == pack.digest == opened.info.digest
    assert opened.info.rows == 20
    assert opened.info.subjects == 4


def test_the_faces_are_an_ordinary_npy_file(pack, faces):
    assert np.array_equal(np.load(pack.root / "faces.npy"), faces)


def test_rows_of_splits(pack):
    assert pack.rows("train").tolist() == list(range(10))
    assert pack.rows("test").tolist() == list(range(15, 20))
    assert pack.rows("val", "val").tolist() == [14]
    assert pack.rows(recognition="none").tolist() == list(range(15, 20))
    assert len(pack.rows()) == 20
    assert pack.rows("test", "train").size == 0
    with pytest.raises(DataError, match="'tset'"):
        pack.rows("tset")


def test_labels_follow_the_natural_order_of_names(tmp_path, faces):
    names = ["p10", "p2", "p1", "p2"] * 5
    pack = write_pack(tmp_path / "pack", faces, names)
    labels, order = pack.labels(np.array([0, 1, 2, 3]))
    assert order == ["p1", "p2", "p10"]
    assert labels.tolist() == [2, 1, 0, 1]
    assert labels.dtype == np.int64
    assert pack.subjects(np.array([1, 0])).tolist() == ["p2", "p10"]


def test_a_batch_comes_in_the_asked_order(pack, faces):
    rows = np.array([7, 3, 3, 19, 0])
    assert np.array_equal(pack.batch(rows), faces[rows])
    assert pack.batch(np.array([], dtype=np.int64)).shape == (0, 112, 112, 3)
    with pytest.raises(IndexError):
        pack.batch(np.array([20]))


def test_pickling_carries_the_path_and_not_the_faces(pack):
    carried = pickle.dumps(pack)
    assert len(carried) < 2000
    assert np.array_equal(pickle.loads(carried).faces, pack.faces)  # noqa: S301 - made one line above


def test_another_process_refuses_the_pack_that_took_the_place_of_the_one_meant(pack, faces, subjects):
    carried = pickle.dumps(pack)
    write_pack(pack.root, faces[::-1], subjects, overwrite=True)
    with pytest.raises(DataError, match="which was there before"):
        pickle.loads(carried)  # noqa: S301 - made two lines above


def test_vlr_images_travel_with_their_faces(tmp_path, faces, subjects):
    vlr = faces[:, ::7, ::7]
    pack = write_pack(tmp_path / "pack", faces, subjects, vlr=vlr)
    plain = write_pack(tmp_path / "plain", faces, subjects)
    assert pack.info.vlr_size == 16
    rows = np.array([4, 1])
    assert np.array_equal(pack.vlr_batch(rows), vlr[rows])
    assert pack.digest != plain.digest
    with pytest.raises(DataError, match=r"no vlr\.npy"):
        plain.vlr_batch(rows)


def test_the_digest_does_not_depend_on_row_order(pack):
    shuffled = pack.manifest.sample(frac=1, random_state=3).reset_index(drop=True)
    assert manifest_digest(shuffled) == pack.digest


@pytest.mark.parametrize("column", ["sha256", "subject", "superres", "recognition", "source"])
def test_the_digest_depends_on_each_of_its_columns(pack, column):
    changed = pack.manifest.copy()
    changed.loc[3, column] = changed.loc[19, column] + "x"
    assert manifest_digest(changed) != pack.digest


def edit_info(pack, **changes):
    path = pack.root / "pack.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 99}, "format version 99; expected 1"),
        ({"rows": 21}, "20 manifest rows; expected 21"),
        ({"subjects": 5}, "4 subjects; expected 5"),
        ({"digest": "0" * 64}, "expected digest 000000000000"),
        ({"digest": "short"}, "digest: String should match"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"vlr_size": 16}, "manifest and pack.json that disagree"),
    ],
)
def test_a_pack_that_contradicts_itself_is_refused(pack, changes, message):
    edit_info(pack, **changes)
    with pytest.raises(DataError, match=message):
        open_pack(pack.root)


def test_damaged_faces_are_refused(pack):
    path = pack.root / "faces.npy"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DataError, match="damaged"):
        open_pack(pack.root)
    np.save(path, np.zeros((20, 112, 112), dtype=np.uint8))
    with pytest.raises(DataError, match=r"uint8 \(20, 112, 112\); expected uint8 \(20, 112, 112, 3\)"):
        open_pack(pack.root)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match="damaged"):
        open_pack(pack.root)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        open_pack(pack.root)


def test_faces_whose_head_has_no_end_are_refused(pack):
    path = pack.root / "faces.npy"
    data = path.read_bytes()
    for damage in ((b")", b" "), (b"'|u1'", b"',u1'"), (b"(20", b"(-2"), (b"False", b"Falsy")):
        path.write_bytes(data.replace(*damage, 1))
        with pytest.raises(DataError, match=r"faces .*: got"):
            open_pack(pack.root)


def test_what_a_manifest_says_of_pandas_is_not_asked(pack):
    """Damaged there, it once ended in a traceback, and columns could become rows' names."""
    path = pack.root / "manifest.parquet"
    table = pq.read_table(path)
    for told in (b"{}", b"no JSON", b'{"columns": [], "index_columns": ["superres"], "column_indexes": []}'):
        pq.write_table(table.replace_schema_metadata({b"pandas": told}), path)
        assert open_pack(pack.root).manifest.equals(pack.manifest)


def test_a_manifest_with_text_that_is_none_is_refused(pack):
    path = pack.root / "manifest.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("subject")
    bad = pa.Array.from_buffers(pa.string(), len(table), pa.array([b"\xff"] * len(table)).buffers())
    pq.write_table(table.set_column(place, table.schema.field(place), bad), path)
    with pytest.raises(DataError, match="no text"):
        open_pack(pack.root)


def test_a_damaged_manifest_is_refused(pack):
    path = pack.root / "manifest.parquet"
    pack.manifest.drop(columns="width").to_parquet(path)
    with pytest.raises(DataError, match="columns"):
        open_pack(pack.root)
    path.write_bytes(b"no parquet")
    with pytest.raises(DataError, match="no Parquet"):
        open_pack(pack.root)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        open_pack(pack.root)


def test_a_manifest_with_strange_splits_is_refused(pack):
    manifest = pack.manifest.copy()
    manifest["width"] = manifest["width"].astype("int32")
    manifest["height"] = manifest["height"].astype("int32")
    strange = manifest.assign(superres="holdout")
    strange.to_parquet(pack.root / "manifest.parquet", index=False)
    with pytest.raises(DataError, match="superres split 'holdout'"):
        open_pack(pack.root)
    pd.DataFrame(manifest.iloc[::-1]).to_parquet(pack.root / "manifest.parquet", index=False)
    with pytest.raises(DataError, match="rows out of order"):
        open_pack(pack.root)


def test_what_is_no_pack_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        open_pack(tmp_path / "nothing")
    with pytest.raises(DataError, match=r"a folder without pack\.json"):
        open_pack(tmp_path)
    (tmp_path / "pack.json").write_text("{")
    with pytest.raises(DataError, match="no JSON"):
        open_pack(tmp_path)
