"""That a changed face is seen, and that the command which renews says so."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrface.images.degradation.resample import enlarge, shrink

from . import renew
from .inputs import faces
from .of_images import JPEG, SUMS
from .store import read, write
from .summary import Tolerance, difference, keep


def shifted(images):
    return torch.roll(images, 1, dims=-1)


def swapped(images):
    return images.flip(1)


def gamma(images):
    return images**1.02


def filtered(images):
    small = F.interpolate(images, size=(28, 28), mode="bicubic", antialias=True)
    return F.interpolate(small, size=(112, 112), mode="bicubic")


def aliased(images):
    return enlarge(shrink(images, 28, "bicubic_aliased"))


def one_pixel(images):
    changed = images.clone()
    changed[1, 1, 60, 60] += 0.1
    return changed


CHANGES = [shifted, swapped, gamma, filtered, aliased, one_pixel]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_a_face_is_seen(change):
    images = faces(2) if change is not aliased else enlarge(shrink(faces(2), 28))
    changed = change(images if change is not aliased else faces(2))

    assert difference(keep(images, SUMS), keep(images.clone(), SUMS)).size == 0
    assert difference(keep(changed, SUMS), keep(images, SUMS)).share > 10


@pytest.mark.parametrize("change", [change for change in CHANGES if change is not one_pixel], ids=lambda c: c.__name__)
def test_it_is_seen_under_the_loosest_tolerance_too(change):
    images = faces(2)
    assert difference(keep(change(images), JPEG), keep(images, JPEG)).share > 1


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_what_is_not_finite_is_seen(broken):
    images = faces(1)
    images[0, 0, 0, 0] = broken
    with np.errstate(invalid="ignore"):
        assert not difference(keep(images, SUMS), keep(faces(1), SUMS)).fits


def test_other_shapes_kinds_and_operators_are_seen():
    assert not difference(keep(faces(1), SUMS), keep(faces(2), SUMS)).fits
    assert not difference(keep(["Conv 3"], SUMS), keep(faces(1), SUMS)).fits
    assert not difference(keep(["Conv 3"], SUMS), keep(["Conv 4"], SUMS)).fits
    assert difference(keep(["Conv 3"], SUMS), keep(["Conv 3"], SUMS)).fits


def outputs(values):
    return {"group": lambda: iter([(name, value, SUMS) for name, value in values.items()])}


def test_renewing_shows_what_changed_and_keeps_what_did_not(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(renew, "SHEET", tmp_path / "build" / "golden.png")
    monkeypatch.setattr(renew, "GROUPS", outputs({"same": faces(1), "other": faces(1), "gone": [1.0]}))
    assert renew.main([], tmp_path) == 0
    capsys.readouterr()
    near = faces(1) + 1e-7
    monkeypatch.setattr(renew, "GROUPS", outputs({"same": near, "other": faces(1) ** 1.02, "new": [2.0]}))

    assert renew.main(["--check"], tmp_path) == 1
    assert read(tmp_path).keys() == {"group/same", "group/other", "group/gone"}
    said = capsys.readouterr().out
    assert [line.split()[:2] for line in said.splitlines()[:3]] == [
        ["group/gone", "gone"], ["group/new", "new"], ["group/other", said.splitlines()[2].split()[1]],
    ]  # fmt: skip
    assert (tmp_path / "build" / "golden.png").is_file()
    before = read(tmp_path)
    assert renew.main([], tmp_path) == 0
    after = read(tmp_path)
    assert after.keys() == {"group/same", "group/other", "group/new"}
    assert after["group/same"].told == before["group/same"].told
    assert after["group/other"].told != before["group/other"].told
    assert renew.main(["--check"], tmp_path) == 0


def test_a_looser_tolerance_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(renew, "GROUPS", outputs({"face": [1.0]}))
    write({"group/face": keep([1.0], Tolerance(1e-9, 1e-9, "none"))}, tmp_path)

    assert renew.main(["--check"], tmp_path) == 1
    assert "tolerance 1e-09 / 1e-09 is now" in capsys.readouterr().out


def test_no_test_renews_the_golden_files():
    with pytest.raises(SystemExit, match="make golden"):
        renew.main([])
