from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lrface.data.checks.findings import Finding
from lrface.data.page import histograms, pack_page, pack_sheet, sample_rows
from lrface.data.prepare import prepare
from lrface.data.settings import CheckSettings, ReadSettings, SplitSettings
from lrface.data.sources.folder import FolderSource


@pytest.fixture
def made(write_folder, tmp_path):
    root = write_folder(counts=(6, 4, 6))
    (root / "p2" / "<script>.png").write_bytes(b"broken")
    source = FolderSource(root, ReadSettings(on_bad_image="skip"))
    return prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings(), licence="a < b")


def test_histograms_count_every_face(made):
    pack, summary = made
    found = {histogram.title.split(",")[0]: histogram for histogram in histograms(pack, summary)}
    assert sum(found["images per subject"].counts) == 3
    assert sum(found["mean level"].counts) == len(pack)
    assert found["shorter side before alignment"].counts == (16,)
    assert all(len(histogram.edges) == len(histogram.counts) + 1 for histogram in found.values())


def test_the_sample_is_the_same_each_time_and_follows_names(made):
    pack, _ = made
    rows = sample_rows(pack, subjects=2, images=3, seed=4)
    assert [len(some) for some in rows] == [3, 3]
    again = sample_rows(pack, subjects=2, images=3, seed=4)
    assert all(np.array_equal(one, other) for one, other in zip(rows, again, strict=True))
    names = [pack.subjects(some).tolist() for some in rows]
    assert all(len(set(some)) == 1 for some in names)
    assert names == sorted(names)


def test_the_sheet_shows_the_faces(made):
    pack, _ = made
    sheet = pack_sheet(pack, subjects=1, images=1)
    face = pack.faces[sample_rows(pack, 1, 1)[0][0]]
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (112, 112))
    assert (windows == face[..., 0]).all(axis=(2, 3)).any()


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_page_is_well_formed_and_needs_nothing_else(made):
    pack, summary = made
    reader = Reader()
    reader.feed(pack_page(pack, summary, title="A & B"))
    assert reader.open == []
    assert all(address.startswith("data:image/") for address in reader.addresses)
    for expected in (pack.digest, "A & B", "a < b", "p2/<script>.png", "4 images, fewer than 5", "16 as_is"):
        assert expected in reader.text


def test_the_page_counts_what_gave_no_face_by_subject(made):
    page = pack_page(*made)
    head = '<tr><th>subject</th><th class="number">broken</th><th class="number">faces left</th></tr>'
    line = '<tr><td>p2</td><td class="number">1</td><td class="number">6</td></tr>'
    assert head + line in page
    assert f"<h1>Faces of {made[0].name}</h1>" in page


def test_long_lists_are_cut_and_counted(made):
    pack, summary = made
    finding = Finding("small", "warning", 30, "30 files", tuple(f"{number}.png" for number in range(20)))
    page = pack_page(pack, replace(summary, findings=(finding,)))
    assert "<code>19.png</code> and 10 more" in page
