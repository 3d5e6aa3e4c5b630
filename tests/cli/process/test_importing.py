"""Imports without the garbage collector."""

import gc
import sys

import pytest

from lrface.cli.process.importing import imported


@pytest.fixture(autouse=True)
def _collector_on():
    yield
    gc.enable()


def test_a_new_module_is_made_without_collections(tmp_path, monkeypatch):
    (tmp_path / "brings_much.py").write_text("import gc\nCOLLECTS = gc.isenabled()\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    module = imported("brings_much")

    assert module.COLLECTS is False
    assert gc.isenabled()
    assert imported("brings_much") is module
    del sys.modules["brings_much"]


def test_a_collector_that_is_off_stays_off_and_one_that_is_on_survives_a_failure(tmp_path, monkeypatch):
    with pytest.raises(ModuleNotFoundError):
        imported("no_such_module_at_all")
    assert gc.isenabled()
    gc.disable()
    with pytest.raises(ModuleNotFoundError):
        imported("no_such_module_at_all")
    assert not gc.isenabled()
