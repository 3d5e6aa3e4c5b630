import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrface.errors import RegistryError
from lrface.tracking.runs.spool import Spool

TARGET = {"run_id": "r", "uri": "sqlite:////x"}


def _records(count):
    return [{"kind": "metrics", "number": number} for number in range(count)]


@given(
    st.lists(st.integers(1, 7), max_size=12),
    st.integers(0, 40),
    st.binary(max_size=30).filter(lambda b: b"\n" not in b),
)
def test_records_come_back_in_order_from_where_it_stopped(steps, count, torn):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "spool"
        got = []
        with Spool(folder, TARGET) as spool:
            for record in _records(count):
                spool.append(record)
        with (folder / "records.jsonl").open("ab") as file:
            file.write(torn)
        for step in [*steps, 1000]:
            with Spool(folder) as spool:
                taken = spool.pending(step)
                got += [item.record for item in taken]
                if taken:
                    spool.acknowledge(taken[-1].end)
        assert got == _records(count)
        with Spool(folder) as spool:
            assert spool.drained
            assert spool.target == TARGET


def test_one_process_holds_it(tmp_path):
    with Spool(tmp_path, TARGET), pytest.raises(RegistryError, match="another process at it"):
        Spool(tmp_path)


def test_a_full_disk_is_one_clear_line_and_leaves_it_whole(tmp_path, monkeypatch):
    with Spool(tmp_path, TARGET) as spool:
        spool.append({"kind": "metrics", "number": 0})
        real = spool._records.write

        class Full:
            def write(self, line):
                real(line[:3])
                raise OSError(28, "No space left on device")

            fileno = spool._records.fileno
            close = spool._records.close

        monkeypatch.setattr(spool, "_records", Full())
        with pytest.raises(RegistryError, match="No space left"):
            spool.append({"kind": "metrics", "number": 1})
        assert [item.record["number"] for item in spool.pending(10)] == [0]
    assert (tmp_path / "records.jsonl").read_bytes().count(b"\n") == 1


def test_copies_are_kept_and_dropped(tmp_path):
    source = tmp_path / "file"
    source.write_text("1")
    with Spool(tmp_path / "spool", TARGET) as spool:
        kept = spool.keep(source, "a/file")
        source.write_text("2")
        assert (spool.folder / kept).read_text() == "1"
        spool.drop(kept)
        assert not (spool.folder / "blobs" / "a").exists()
        with pytest.raises(RegistryError, match="No such file"):
            spool.keep(tmp_path / "nothing", "b/nothing")


def test_removal_leaves_what_was_refused(tmp_path):
    spool = Spool(tmp_path / "one", TARGET)
    spool.remove()
    assert not (tmp_path / "one").exists()
    spool = Spool(tmp_path / "two", TARGET)
    spool.refuse({"kind": "tags"}, "because")
    spool.remove()
    assert json.loads((tmp_path / "two" / "refused.jsonl").read_text())["reason"] == "because"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RegistryError, match="Permission denied"):
        Spool(tmp_path / "spool", TARGET)
