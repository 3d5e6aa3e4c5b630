"""The same file is the same pixels in every room, or refused in every room in the same words."""

import base64
import pickle
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lrface.data.faces.aligner import Aligner
from lrface.data.pictures import read_people, read_pictures
from lrface.data.settings import AlignSettings, CheckSettings, ReadSettings
from lrface.data.source import Report
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.listed_table import ListSource
from lrface.data.sources.recordio import RecordSource
from lrface.errors import LrfaceError
from lrface.evaluation.public.insightface import read_verification_bin
from lrface.evaluation.public.pairs_txt import read_lfw_pairs, read_pair_table
from lrface.images.reading.levels import light
from lrface.page.trial import Trial
from lrface.tracking.served.images import decode_images

from .pictures import READ, REFUSED, face

SETTINGS = ReadSettings(workers=1)


def record(root, path):
    payload = struct.pack("<IfQQ", 0, 1.0, 0, 0) + path.read_bytes()
    padded = payload + bytes(-len(payload) % 4)
    (root / "train.rec").write_bytes(struct.pack("<II", 0xCED7230A, len(payload)) + padded)
    return RecordSource(root / "train.rec", SETTINGS)


def table(root, path):
    (root / "list.csv").write_text(f"path,subject\n{path.relative_to(root)},ann\n")
    return ListSource(root / "list.csv", SETTINGS)


def one(source):
    (found,) = source.items(Report())
    return found.pixels


def verification_set(root, path):
    (root / "set.bin").write_bytes(pickle.dumps(([path.read_bytes()] * 2, [True])))
    return read_verification_bin(root / "set.bin").faces[0]


def lfw(root, path):
    shutil.copy(path, path.with_stem("ann_0001"))
    (root / "pairs.txt").write_text("1\nann 1 1\n")
    return read_lfw_pairs(root / "pairs.txt", root / "photos").faces[0]


def pairs(root, path):
    (root / "pairs.csv").write_text(f"{path.name},{path.name},1\n")
    return read_pair_table(root / "pairs.csv", path.parent).faces[0]


def page(root, path):
    return Trial(None, None, None, Aligner(AlignSettings()))._face(path)[0]


READERS = {
    "prepare data=folder": lambda root, path: one(FolderSource(root / "photos", SETTINGS)),
    "prepare data=list": lambda root, path: one(table(root, path)),
    "prepare data=records": lambda root, path: one(record(root, path)),
    "gallery identify": lambda root, path: read_pictures(path, SETTINGS, CheckSettings(), Report())[0][0].pixels,
    "gallery enrol": lambda root, path: read_people(root / "photos", SETTINGS, CheckSettings(), Report())[0][0].pixels,
    "the served pair, base64": lambda root, path: decode_images([base64.b64encode(path.read_bytes()).decode()])[0],
    "the served pair, bytes": lambda root, path: decode_images([path.read_bytes()])[0],
    "the page": page,
    "verify, .bin": verification_set,
    "verify, pairs.txt": lfw,
    "verify, pairs.csv": pairs,
}


@pytest.fixture
def placed(tmp_path):
    """Puts a picture of a kind where all readers find it: photos/ann/FILE."""

    def place(kind):
        path = tmp_path / "photos" / "ann" / kind.file
        path.parent.mkdir(parents=True)
        path.write_bytes(kind.make(face()))
        return path

    return place


@pytest.mark.parametrize("kind", READ, ids=lambda kind: f"{kind.name}, {kind.file}")
def test_what_is_read_is_the_same_everywhere_to_the_bit(kind, placed, tmp_path):
    path = placed(kind)
    found = {name: reader(tmp_path, path) for name, reader in READERS.items()}
    first = found["prepare data=folder"]
    assert first.shape == (112, 112, 3)
    assert first.dtype == np.uint8
    assert {name for name, pixels in found.items() if not np.array_equal(pixels, first)} == set()
    wanted = kind.gives(face())
    assert np.abs(first.astype(int) - wanted).mean() <= kind.within
    assert bool(light(first)) == ("nearly black" in kind.name)


@pytest.mark.parametrize("side", [64, 150, 280])
def test_a_square_picture_is_brought_to_112_pixels_in_the_same_way_everywhere(side, tmp_path):
    path = tmp_path / "photos" / "ann" / "a.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)).save(path)
    found = [reader(tmp_path, path) for name, reader in READERS.items() if not name.startswith("verify")]
    assert all(np.array_equal(pixels, found[0]) for pixels in found)


@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: f"{kind.name}, {kind.file}")
def test_what_is_not_read_is_refused_everywhere_in_one_line(kind, placed, tmp_path):
    path = placed(kind)
    for reader in READERS.values():
        with pytest.raises(LrfaceError) as caught:
            reader(tmp_path, path)
        line = str(caught.value)
        assert re.search(kind.refused, line), line
        assert "\n" not in line
        assert len(line) < 500


def test_the_tables_name_each_kind_once():
    named = [(kind.name, kind.file) for kind in READ + REFUSED]
    assert len(set(named)) == len(named)
    assert all(kind.gives for kind in READ)
    assert all(kind.refused for kind in REFUSED)


@pytest.mark.real
def test_the_kinds_of_pictures_that_telephones_write(real_folder, tmp_path):
    make = real_folder.parent / "cases" / "make.py"
    if not make.is_file():
        pytest.skip(f"no {make}, which makes these pictures")
    subprocess.run([sys.executable, make, "kinds", tmp_path / "kinds"], check=True)
    dark = []
    for number, path in enumerate(sorted((tmp_path / "kinds" / "kinds").iterdir())):
        root = tmp_path / str(number)
        (root / "photos" / "ann").mkdir(parents=True)
        path = Path(shutil.copy(path, root / "photos" / "ann"))
        found = [reader(root, path) for reader in READERS.values()]
        assert all(np.array_equal(pixels, found[0]) for pixels in found), path.name
        dark += [path.name] if light(found[0]) else []
    assert dark == ["deep12_in16.png"]
    assert number == 10
