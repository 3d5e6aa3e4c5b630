import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lrface.base.locks import locked
from lrface.errors import DataError, RegistryError
from lrface.naming.gallery import file as module
from lrface.naming.gallery.file import FileGallery

OWN = "a" * 64


@pytest.fixture
def gallery(tmp_path):
    return FileGallery(tmp_path / "gallery.parquet")


def test_who_is_removed_is_in_no_file_any_more(gallery, faces):
    gallery.enrol({"Ann Removed": faces(1, 2), "Bob": faces(2)}, OWN)
    ann = next(entry for entry in gallery.entries() if entry.name == "Ann Removed")
    traces = [b"Ann Removed", ann.key.encode(), *(ann.total[start : start + 4].tobytes() for start in range(0, 512, 4))]
    before = everything(gallery.path.parent)
    assert all(trace in before for trace in traces)

    gallery.remove("Ann Removed")

    after = everything(gallery.path.parent)
    assert not any(trace in after for trace in traces)
    assert b"Bob" in after


def everything(folder):
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_only_its_owner_may_read_it(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    assert stat.S_IMODE(gallery.path.stat().st_mode) == 0o600


def test_another_process_is_seen_at_once(gallery, faces):
    gallery.enrol({"Ann": faces(1)}, OWN)
    assert gallery.identify(faces(1), OWN, 0.35)[0].name == "Ann"
    FileGallery(gallery.path).remove("Ann")
    assert gallery.identify(faces(1), OWN, 0.35)[0].name == "unknown"


def test_a_second_writer_waits_and_then_says_so(gallery, faces, monkeypatch):
    monkeypatch.setattr(module, "_WAIT", 0.1)
    with (
        locked(gallery.path.with_name(".gallery.parquet.lock"), "test"),
        pytest.raises(RegistryError, match="another process at it"),
    ):
        gallery.enrol({"Ann": faces(1)}, OWN)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(gallery, faces, monkeypatch):
    gallery.enrol({"Ann": faces(1)}, OWN)
    before = gallery.path.read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.pq, "write_table", full)
    with pytest.raises(RegistryError, match="No space left on device"):
        gallery.enrol({"Bob": faces(2)}, OWN)
    assert gallery.path.read_bytes() == before
    assert sorted(path.name for path in gallery.path.parent.iterdir()) == [".gallery.parquet.lock", "gallery.parquet"]


def _rewritten(gallery, change):
    table = change(pq.read_table(gallery.path))
    pq.write_table(table, gallery.path, compression="none", use_dictionary=False)


def _column(name, array):
    def change(table):
        place = table.schema.get_field_index(name)
        return table.set_column(place, table.schema.field(name), array)

    return change


def _latin(text):
    """A string column with bytes that are no UTF-8."""
    return pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, len(text)], np.int32)), pa.py_buffer(text)]
    )


DAMAGE = {
    "another table": lambda table: table.select(["name"]),
    "no word on weights": lambda table: table.replace_schema_metadata({}),
    "bad weights": lambda table: table.replace_schema_metadata({b"lrface.gallery": b'{"weights": "x"}'}),
    "twice": lambda table: pa.concat_tables([table, table]),
    "no pictures": lambda table: table.set_column(3, table.schema.field("images"), pa.array([0], pa.int64())),
    "no key": lambda table: table.set_column(0, table.schema.field("key"), pa.array(["../x"], pa.string())),
    "absent": lambda table: table.set_column(1, table.schema.field("name"), pa.array([None], pa.string())),
    "not finite": lambda table: table.set_column(
        2, table.schema.field("total"), pa.array([[np.nan] * 512], pa.list_(pa.float64(), 512))
    ),
    "rows of any length": lambda table: table.set_column(2, "total", pa.array([[0.1] * 512], pa.list_(pa.float64()))),
    "rows of no length": lambda table: table.set_column(2, "total", pa.array([[]], pa.list_(pa.float64(), 0))),
    "too heavy": _column("total", pa.array([[2.0] + [0.0] * 511], pa.list_(pa.float64(), 512))),
    "far too heavy": _column("total", pa.array([[1e300] * 512], pa.list_(pa.float64(), 512))),
    "more pictures than there are": _column("images", pa.array([2**63 - 1], pa.int64())),
    "no text": _column("name", _latin(b"\xff\xfeAnn")),
    "beyond the calendar": _column("added", pa.array([2**62], pa.timestamp("ms", "UTC"))),
    "no name": _column("name", pa.array(["\x1b[2J"])),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_gallery_is_one_clear_line(gallery, faces, how):
    gallery.enrol({"Ann": faces(1)}, OWN)
    _rewritten(gallery, DAMAGE[how])
    with pytest.raises(DataError) as caught:
        FileGallery(gallery.path).entries()
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"no gallery"])
def test_what_is_no_parquet_is_refused(gallery, content):
    gallery.path.write_bytes(content)
    with pytest.raises(DataError, match="expected a gallery"):
        gallery.entries()


def test_a_file_that_is_too_large_is_not_read(gallery, faces, monkeypatch):
    gallery.enrol({"Ann": faces(1)}, OWN)
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="at most 100 are read"):
        FileGallery(gallery.path).entries()


@pytest.mark.parametrize("packed", [{"compression": "zstd"}, {"compression": "none", "use_dictionary": True}])
def test_a_small_file_that_would_unfold_is_not_read(gallery, faces, packed, monkeypatch):
    gallery.enrol({"Ann": faces(1)}, OWN)
    pq.write_table(pq.read_table(gallery.path), gallery.path, **{"use_dictionary": False, **packed})
    monkeypatch.setattr(module.pq.ParquetFile, "read", None)
    with pytest.raises(DataError, match="columns that are compressed"):
        FileGallery(gallery.path).entries()


def test_many_probes_at_once_are_those_of_each_alone(gallery, faces):
    gallery.enrol({f"p{number}": faces(number) for number in range(30)}, OWN)
    probes = np.concatenate([faces(number) for number in range(30)] * 10)
    found = gallery.identify(probes, OWN, 0.35)
    assert [match.name for match in found] == [f"p{number}" for number in range(30)] * 10
    assert found[7].margin == pytest.approx(gallery.identify(probes[7:8], OWN, 0.35)[0].margin, abs=1e-6)


def test_a_file_from_before_pictures_were_known_again_is_read_and_goes_on(gallery, faces):
    gallery.enrol({"Ann": faces(1, 2)}, OWN)
    table = module.pq.read_table(gallery.path)
    module.pq.write_table(table.drop_columns(["prints"]), gallery.path, compression="none", use_dictionary=False)
    old = FileGallery(gallery.path)
    assert [entry.prints for entry in old.entries()] == [()]
    assert old.identify(faces(1), OWN, 0.35)[0].name == "Ann"
    old.enrol({"Ann": faces(2)}, OWN, {"Ann": ["a" * 64]})
    assert [entry.prints for entry in FileGallery(gallery.path).entries()] == [(bytes.fromhex("a" * 32),)]
