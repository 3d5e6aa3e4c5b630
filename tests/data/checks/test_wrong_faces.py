"""What makes a wrong face of a right picture, and what comes of it: a finding that names files, columns and remedy.

Each line of the table is a kind of source that people have, for four people with five pictures each.
"""

import re
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from lrface.data.prepare import prepare
from lrface.data.settings import AlignSettings, CheckSettings, DetectorSettings, ReadSettings, SplitSettings
from lrface.data.sources.folder import FolderSource
from lrface.data.sources.listed_table import ListSource
from lrface.errors import DataError
from lrface.images.alignment import TEMPLATE

COLUMNS = ",".join(f"{axis}{number}" for number in range(1, 6) for axis in "xy")


@dataclass(frozen=True)
class Wrong:
    """A source that gives wrong faces.

    Attributes:
        name: What it is.
        landmarks: Those of its list, of each picture by its number; None where there is no list.
        picture: Changes each picture, by its number.
        kind: The finding; empty where all is well.
        says: What it says, or what the error says where it stops.
        stops: Whether that is an error.
        mode: How it is aligned.
        count: In how many pictures.
    """

    name: str
    kind: str
    says: str = ""
    landmarks: Callable[[int], np.ndarray] | None = None
    picture: Callable[[np.ndarray, int], np.ndarray] = lambda pixels, _: pixels
    stops: bool = False
    mode: str = "auto"
    count: int = 20


def size(width: int, height: int) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda pixels, _: cv2.resize(pixels, (width, height), interpolation=cv2.INTER_CUBIC)


def seventh(one: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda pixels, number: one(pixels) if number == 7 else pixels


WRONG = "landmark_columns"
TABLE = [
    # landmarks of a list
    Wrong("right landmarks", "", landmarks=lambda _: TEMPLATE),
    Wrong("a turned head", "", landmarks=lambda _: TEMPLATE + np.eye(5, 2, -2) * 9),
    Wrong("the subject's left first", WRONG, r"as if left and right are swapped .*; look at the columns x1,y1",
          lambda _: TEMPLATE[[1, 0, 2, 4, 3]], stops=True),
    Wrong("(y, x)", WRONG, "as if x and y are swapped", lambda _: TEMPLATE[:, ::-1], stops=True),
    Wrong("(y, x), the subject's left first", WRONG, "as if x and y are swapped, and left and right",
          lambda _: TEMPLATE[[1, 0, 2, 4, 3]][:, ::-1], stops=True),
    Wrong("of pictures as they lie, before EXIF turns them", WRONG, "or they are of the picture before it was turned",
          lambda _: np.stack([TEMPLATE[:, 1], 111 - TEMPLATE[:, 0]], axis=1), stops=True),
    Wrong("of a picture four times as large", WRONG, "outside the picture.*as if they were of a larger picture",
          lambda _: TEMPLATE * 4, stops=True),
    Wrong("of a picture half as large again", WRONG, "outside the picture", lambda _: TEMPLATE * 1.5, stops=True),
    Wrong("of a picture half as large", "landmarks", "all 20 pictures lie in their upper left corner",
          lambda _: TEMPLATE * 0.5),
    Wrong("shares of the picture", WRONG, "as if they were shares of the picture",
          lambda _: TEMPLATE / 112, stops=True),
    Wrong("the nose first", WRONG, "as if the nose stands first", lambda _: TEMPLATE[[2, 0, 1, 3, 4]], stops=True),
    Wrong("the nose last", WRONG, "as if the nose stands last", lambda _: TEMPLATE[[0, 1, 3, 4, 2]], stops=True),
    Wrong("all x, then all y", WRONG, "as if all x stand before all y", lambda _: TEMPLATE.T.reshape(5, 2), stops=True),
    Wrong("y from below", WRONG, "as if y is counted from below", lambda _: TEMPLATE * [1, -1] + [0, 112], stops=True),
    Wrong("a picture that lies on its side", "landmarks", "turned by over 60 degrees",
          lambda number: TEMPLATE[:, ::-1] * [-1, 1] + [112, 0] if number == 7 else TEMPLATE, count=1),
    Wrong("no face, so zeros", "", r"p1/3\.png: got landmarks \[\[0\.0, 0\.0\].*expected distinct points",
          lambda number: TEMPLATE * (number != 7), stops=True),
    # light
    Wrong("12 bits in 16", "dark", "1 faces that are nearly black.* p1/3",
          picture=seventh(lambda pixels: pixels // 16), count=1),
    Wrong("overexposed", "bright", "1 faces that are nearly white", picture=seventh(lambda one: 240 + one // 17),
          count=1),
    # size
    Wrong("small pictures", "enlarged", "20 of 20 faces are smaller .* the smallest 40", picture=size(40, 40),
          mode="none"),
    Wrong("a small face by landmarks", "enlarged", "1 of 20 faces are smaller .* the smallest 56",
          lambda number: TEMPLATE * 0.5 + 20 if number == 7 else TEMPLATE, count=1),
    # no detector
    Wrong("photographs", "photographs", r"20 photographs, and no detector .*600x800.*weights=download.*mode=none",
          picture=size(600, 800), stops=True),
    Wrong("square photographs", "photographs", "20 photographs", picture=size(640, 640), stops=True),
    Wrong("one photograph among faces", "photographs", r"1 photographs.*p1/3\.png \(600x800\)",
          picture=seventh(lambda pixels: cv2.resize(pixels, (600, 800))), stops=True, count=1),
    Wrong("loose crops", "middle", "their middle square was taken", picture=size(178, 218)),
    Wrong("photographs that are said to be filled by the face", "", picture=size(600, 800), mode="centre"),
    Wrong("large faces that are said to be aligned", "", picture=size(600, 600), mode="none"),
]  # fmt: skip


def written(wrong: Wrong, root: Path):
    rows = []
    for number in range(20):
        coarse = np.random.default_rng(number).integers(20, 236, (14, 14, 3), dtype=np.uint8)
        pixels = wrong.picture(cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC), number)
        path = root / f"p{number // 5}" / f"{number % 5 + 1}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), pixels)
        points = wrong.landmarks(number) if wrong.landmarks else TEMPLATE
        rows.append(
            f"{path.relative_to(root)},{path.parent.name}," + ",".join(f"{value:.4f}" for value in points.ravel())
        )
    read = ReadSettings(align=AlignSettings(mode=wrong.mode), workers=1)
    if wrong.landmarks is None:
        return FolderSource(root, read)
    (root / "list.csv").write_text("\n".join([f"path,subject,{COLUMNS}", *rows]) + "\n")
    return ListSource(root / "list.csv", read)


@pytest.mark.parametrize("wrong", TABLE, ids=lambda wrong: wrong.name)
def test_a_wrong_face_is_told(wrong, tmp_path):
    source = written(wrong, tmp_path / "source")
    if wrong.stops:
        with pytest.raises(DataError, match=wrong.says) as caught:
            prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings())
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "pack").exists()
        if not wrong.kind:
            return
    pack, summary = prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings(errors=()))
    found = {finding.kind: finding for finding in summary.findings}
    if not wrong.kind:
        assert found == {}
        return
    assert found[wrong.kind].count == wrong.count
    assert len(found[wrong.kind].examples) == wrong.count
    assert found[wrong.kind].remedy
    if not wrong.stops:
        assert re.search(wrong.says, found[wrong.kind].told)
        assert found[wrong.kind].severity == "warning"
    kept = next(one for one in pack.info.made["summary"]["findings"] if one["kind"] == wrong.kind)
    assert kept["remedy"] == found[wrong.kind].remedy


def test_bad_landmarks_are_counted_where_asked(tmp_path):
    wrong = next(wrong for wrong in TABLE if wrong.name == "no face, so zeros")
    written(wrong, tmp_path / "source")
    source = ListSource(tmp_path / "source" / "list.csv", ReadSettings(on_bad_image="skip"))
    _, summary = prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings())
    assert summary.report.skipped() == {"bad_landmarks": 1}


# with YuNet


@pytest.fixture
def case(real_folder, tmp_path, monkeypatch):
    """Makes a case, and the settings of a detector."""
    make = real_folder.parent / "cases" / "make.py"
    if not make.is_file():
        pytest.skip(f"no {make}")

    def made(name: str) -> Path:
        monkeypatch.setattr(sys, "argv", [str(make), name, str(tmp_path / name)])
        runpy.run_path(str(make), run_name="__main__")
        return tmp_path / name

    return made


def yunet(real_folder: Path, **detector: object) -> ReadSettings:
    weights = str(real_folder / "weights" / "face_detection_yunet_2023mar.onnx")
    align = AlignSettings(mode="yunet", detector=DetectorSettings(weights=weights, **detector))
    return ReadSettings(align=align)


@pytest.mark.real
def test_the_case_two_faces(case, real_folder, tmp_path):
    root = case("two-faces")
    source = FolderSource(root, yunet(real_folder))
    _, summary = prepare(source, tmp_path / "pack", SplitSettings(), CheckSettings())
    (found,) = (finding for finding in summary.findings if finding.kind == "several_faces")
    assert found.examples[0].startswith("p01/1.jpg (2 faces")
    with pytest.raises(DataError, match=r"got 2 faces; expected one face; .* detector\.choose"):
        prepare(
            FolderSource(root, yunet(real_folder, choose="refuse")), tmp_path / "x", SplitSettings(), CheckSettings()
        )
    refused = yunet(real_folder, choose="refuse").model_copy(update={"on_bad_image": "skip"})
    pack, summary = prepare(FolderSource(root, refused), tmp_path / "refused", SplitSettings(), CheckSettings())
    assert "p01/1.jpg" in {problem.source for problem in summary.report.problems if problem.kind == "several_faces"}
    assert len(pack) == 30 - summary.report.skipped()["several_faces"]


@pytest.mark.real
def test_the_case_photographs(case, real_folder, tmp_path):
    root = case("photographs")
    with pytest.raises(DataError, match=r"30 photographs, and no detector .*align\.detector\.weights=download"):
        prepare(FolderSource(root, ReadSettings()), tmp_path / "pack", SplitSettings(), CheckSettings())
    assert not (tmp_path / "pack").exists()
    pack, _ = prepare(FolderSource(root, yunet(real_folder)), tmp_path / "pack", SplitSettings(), CheckSettings())
    assert len(pack) == 30


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("swapped", "as if left and right are swapped"),
        ("yx", "as if x and y are swapped"),
        ("larger", "as if they were of a larger picture"),
    ],
)
def test_the_case_landmarks(case, tmp_path, name, says):
    table = case("landmarks") / f"{name}.csv"
    with pytest.raises(DataError, match=rf"30 of 30 faces by landmarks .*{says}.* look at the columns x1,y1"):
        prepare(ListSource(table, ReadSettings()), tmp_path / "pack", SplitSettings(), CheckSettings())
    right = ListSource(table.with_name("right.csv"), ReadSettings())
    assert len(prepare(right, tmp_path / "pack", SplitSettings(), CheckSettings())[0]) == 30


@pytest.mark.real
def test_the_case_kinds_has_a_dark_one(case, tmp_path):
    root = case("kinds")
    dark = root / "kinds" / "deep12_in16.png"
    for path in (root / "kinds").iterdir():
        if path != dark:
            path.unlink()
    _, summary = prepare(FolderSource(root, ReadSettings()), tmp_path / "pack", SplitSettings(), CheckSettings())
    (found,) = (finding for finding in summary.findings if finding.kind == "dark")
    assert found.examples[0].startswith("kinds/deep12_in16.png")
