import io
import os
import pickle
import pickletools
import struct
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.errors import WeightsError
from lrface.models.checkpoint.doctor import inspect_checkpoint, load_edgeface


class Harmful:
    """Its pickle calls a function when it is read."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


HARMFUL = [
    Harmful(os.system, "true"),
    Harmful(eval, "1"),
    Harmful(exec, "1"),
    Harmful(getattr, "a", "upper"),
    Harmful(os.path.join, "a", "b"),
    Harmful(torch.hub.load, "a", "b"),
    Harmful(torch.load, "a"),
    Harmful(np.load, "a"),
    Harmful(pickle.loads, b"."),
    Harmful(__import__, "os"),
]


@pytest.mark.parametrize("harmful", HARMFUL, ids=lambda h: h.function.__name__)
@pytest.mark.parametrize("how", ["zip", "legacy", "plain"])
def test_functions_are_refused_by_name_and_never_called(file, state, harmful, how, monkeypatch):
    content = {"state_dict": {}, "config": harmful}
    zipped = how == "zip"
    path = file(pickle.dumps(content)) if how == "plain" else file(content, _use_new_zipfile_serialization=zipped)
    report = inspect_checkpoint(path)
    assert report.kind == "refused_pickle"
    assert harmful.function.__name__ in report.findings[0]
    with pytest.raises(WeightsError, match="may run code"):
        load_edgeface(path)


@pytest.mark.parametrize(
    "name",
    [
        "os\nsystem",
        "builtins\neval",
        "__builtin__\neval",
        "functools\npartial",
        "subprocess\nPopen",
        "operator\nattrgetter",
        "types\nFunctionType",
        "code\nInteractiveInterpreter",
        "torch\nload",
        "some.package\nhelper",
        "some.package\nConfig.from_file",
        "torch.storage\n_load_from_bytes",
    ],
)
def test_hand_written_calls_are_refused(file, name, capfd):
    path = file(f"c{name}\n(S'echo called'\ntR.".encode())
    report = inspect_checkpoint(path)
    assert report.kind == "refused_pickle"
    assert name.partition("\n")[2] in report.findings[0]
    assert "called" not in capfd.readouterr().out


def test_a_pickle_cannot_change_the_functions_it_may_call(file):
    # GLOBAL _rebuild_parameter, then BUILD with a table: sets attributes on what GLOBAL gave.
    for state in (b"}S'x'\nI1\ns", b"(N}S'__defaults__'\nNst"):
        report = inspect_checkpoint(file(b"\x80\x02ctorch._utils\n_rebuild_parameter\n" + state + b"b."))
        assert report.kind == "damaged"
        assert "changes a function" in report.findings[0]


def test_a_memo_index_that_would_fill_the_memory_is_refused(file):
    data = b"\x80\x02}r" + struct.pack("<I", 2**31) + b"."
    report = inspect_checkpoint(file(data))
    assert report.kind == "damaged"
    assert "memo" in report.findings[0]


def test_a_tensor_larger_than_its_storage_is_refused(file, rewrite, saved):
    size = b"(K\x18K\x03K\x04K\x04t"

    def larger(data):
        assert data.count(size) == 1
        return data.replace(size, size.replace(b"\x18", b"\xff"))

    assert inspect_checkpoint(file(rewrite(saved, larger))).kind == "damaged"


def test_a_storage_that_claims_more_than_its_record_is_refused(file, rewrite, saved):
    report = inspect_checkpoint(file(rewrite(saved, lambda data: data, **{"data/0": b"\x00" * 8})))
    assert report.kind == "damaged"
    assert "claims 4608 bytes and the file holds 8" in report.findings[0]


def test_a_record_that_is_not_there_is_named(file, rewrite, saved):
    report = inspect_checkpoint(file(rewrite(saved, lambda data: data, **{"data/7": None})))
    assert "data/7" in report.findings[0]


def test_compressed_tensors_and_big_endian_files_are_refused(file, rewrite, saved):
    with zipfile.ZipFile(io.BytesIO(saved)) as old:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
    assert "compressed" in inspect_checkpoint(file(buffer.getvalue())).findings[0]
    big = rewrite(saved, lambda data: data, byteorder=b"big")
    assert "big-endian" in inspect_checkpoint(file(big)).findings[0]


def test_one_storage_cannot_be_dequantised_again_and_again(file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weight = torch.quantize_per_tensor(torch.ones(100, 100), 1.0, 0, torch.qint8)
        views = {f"w{i}": weight[:, :] for i in range(100)}
        buffer = io.BytesIO()
        torch.save(views, buffer)
    report = inspect_checkpoint(file(buffer.getvalue()))
    assert "more quantised numbers" in report.findings[0]


def test_a_backslash_in_a_name_is_reported_and_warns_nobody(file, rewrite, saved):
    """Warnings are errors in the tests; an escape that Python does not know is one."""
    report = inspect_checkpoint(file(rewrite(saved, lambda data: data.replace(b"collections", b"c\\ollections", 1))))

    assert not report.loadable


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_change_to_the_pickle_ends_in_a_report(tmp_path_factory, rewrite, data):
    buffer = io.BytesIO()
    torch.save({"a.weight": torch.zeros(2, 3)}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        length = len(archive.read("archive/data.pkl"))
    at = data.draw(st.integers(0, length - 1))
    byte = data.draw(st.binary(min_size=1, max_size=1))
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(rewrite(buffer.getvalue(), lambda old: old[:at] + byte + old[at + 1 :]))
    assert not inspect_checkpoint(path).loadable


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_change_to_the_archive_ends_in_a_report(tmp_path_factory, data):
    buffer = io.BytesIO()
    torch.save({"a.weight": torch.zeros(2, 3)}, buffer)
    old = buffer.getvalue()
    at = data.draw(st.integers(0, len(old) - 1))
    gone = data.draw(st.integers(0, 8))
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(old[:at] + data.draw(st.binary(max_size=4)) + old[at + gone :])
    assert not inspect_checkpoint(path).loadable


def test_a_pickle_of_absurd_depth_is_only_a_pickle(file):
    assert inspect_checkpoint(file(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")).kind == "pickle"


def test_absurd_keys_are_left_out(file):
    number = pickle.dumps(10**5000)[2:-1]
    assert inspect_checkpoint(file(b"\x80\x04}" + number + b"K\x01s.")).kind == "pickle"


def test_names_are_told_in_one_printable_line(file):
    report = inspect_checkpoint(file(b"\x80\x02cos\n\x1b[31m" + b"x" * 5000 + b"\n."))
    assert report.kind == "refused_pickle"
    assert "\\x1b[31m" in report.findings[0]
    assert len(report.findings[0]) < 400
    assert report.findings[0].isprintable()


def test_the_test_pickles_do_name_what_they_are_meant_to():
    names = [argument for opcode, argument, _ in pickletools.genops(pickle.dumps(HARMFUL[0])) if argument]
    assert "system" in names
