"""One contract for every kind of source, found in the union that `data` is."""

import json
from typing import get_args

import numpy as np
import pytest
from torchvision.datasets import CelebA, LFWPeople

from lrface.cli.parameters.compose import choices
from lrface.data.settings import AnyImageData, DataSettings, PackData, ProceduralData, ReadSettings
from lrface.data.source import Report
from lrface.data.sources.kinds import source_of
from lrface.errors import LrfaceError
from lrface.images.settings import ProceduralSettings

from ...contract.common import DOCS, groups_of, one_line
from .examples import EXAMPLES

KINDS = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in groups_of(DataSettings)}
OF_IMAGES = {name: kind for name, kind in KINDS.items() if kind in get_args(AnyImageData)}


def read(source):
    report = Report()
    return list(source.items(report)), report


def same(one, other):
    return [(face.source, face.subject, face.pixels.tobytes()) for face in one] == [
        (face.source, face.subject, face.pixels.tobytes()) for face in other
    ]


@pytest.fixture
def make(tmp_path, faces, monkeypatch):
    """Settings of an example of a kind."""
    for known in (LFWPeople, CelebA):  # whose checks of hashes know no made-up files
        monkeypatch.setattr(known, "_check_integrity", lambda self: True)

    def of(name, **changes):
        assert name in EXAMPLES, f"tests/data/sources/examples.py has no example of data={name}"
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        path = EXAMPLES[name](root, faces)
        where = path if path is not None and not isinstance(path, list) else root
        return KINDS[name](source=str(where), read=ReadSettings(workers=1, **changes))

    return of


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_has_a_config_and_is_named(name):
    assert name in choices("data")
    assert f"`{name}`" in DOCS or f"data={name}" in DOCS
    assert KINDS[name].__doc__


def test_every_kind_is_of_images_or_one_of_the_two_others():
    assert set(KINDS.values()) - set(OF_IMAGES.values()) == {ProceduralData, PackData}
    assert EXAMPLES.keys() == OF_IMAGES.keys()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_source_keeps_the_contract(name, make):
    data = make(name)
    source = source_of(data)
    before = {path: path.stat().st_mtime_ns for folder in source.folders() for path in folder.rglob("*")}
    found, report = read(source)
    assert len(found) >= 3
    assert report.faces == len(found)
    assert report.problems == []
    for face in found:
        assert face.pixels.shape == (112, 112, 3)
        assert face.pixels.dtype == np.uint8
        assert face.subject
        assert not face.source.startswith("/")
    assert len({face.source for face in found}) == len(found)
    assert source.count() in {None, len(found)}
    assert json.loads(json.dumps(source.describe()))
    files = list(source.files())
    assert files
    assert all(path.is_file() for path in files)
    assert same(read(source_of(data))[0], found)
    assert {path: path.stat().st_mtime_ns for folder in source.folders() for path in folder.rglob("*")} == before


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_source_that_is_not_there_is_one_line(name, tmp_path):
    data = OF_IMAGES[name](source=str(tmp_path / "nowhere"), read=ReadSettings(workers=1))
    with pytest.raises(LrfaceError) as caught:
        read(source_of(data))
    one_line(caught, "nowhere")


def test_drawn_faces_keep_the_contract():
    def drawn(seed):
        return read(source_of(ProceduralData(faces=ProceduralSettings(subjects=2, images_per_subject=1, seed=seed))))[0]

    assert same(drawn(1), drawn(1))
    assert not same(drawn(1), drawn(2))
