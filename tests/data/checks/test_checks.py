import numpy as np
import pandas as pd
import pytest

from lrface.data.checks.checks import Checked, check_faces, check_splits
from lrface.data.checks.findings import stop_on_errors
from lrface.data.measure import measure
from lrface.data.pack.splits import Splits
from lrface.data.settings import CheckSettings
from lrface.data.source import Problem, Report
from lrface.errors import DataError


def checked(faces, subjects=None, side=200) -> Checked:
    subjects = subjects or ["a"] * len(faces)
    table = pd.DataFrame(
        {
            "source": [f"{subject}/{row}.png" for row, subject in enumerate(subjects)],
            "subject": subjects,
            "width": side,
            "height": side,
        }
    )
    return Checked(table, [measure(face) for face in faces], list(faces).__getitem__)


def kinds(findings) -> dict[str, int]:
    return {finding.kind: finding.count for finding in findings}


def skin(faces, warm=(40, 0, -40)):
    """Gives noise a warm middle and a neutral rim."""
    warmed = np.repeat(faces[..., :1], 3, axis=3).astype(int)
    warmed[:, 30:80, 30:80] += np.array(warm)
    return np.clip(warmed, 0, 255).astype(np.uint8)


@pytest.fixture
def warm(faces):
    return skin(faces)


def look(faces, subjects=None, report=None, settings=None, **more):
    return check_faces(checked(faces, subjects, **more), report or Report(), settings or CheckSettings())


def test_nothing_is_found_in_good_faces(warm, subjects):
    assert look(warm, subjects) == []


def test_skipped_files_and_lost_subjects(warm, subjects):
    report = Report()
    report.skip(Problem("p0/x.png", "p0", "broken", "…"))
    report.skip(Problem("gone/1.png", "gone", "no_face", "…"))
    findings = look(warm, subjects, report)
    assert kinds(findings) == {"skipped": 1, "subject_lost": 1}
    assert [finding.message for finding in findings][:2] == ["1 files skipped as broken", "1 files skipped as no_face"]
    assert findings[2].examples == ("gone",)


def test_small_and_huge(warm, subjects):
    assert kinds(look(warm, subjects, side=16)) == {"small": 20}
    assert kinds(look(warm, subjects, side=6000)) == {"huge": 20}


def test_constant_faces_are_an_error(warm, subjects):
    warm[3] = 130
    warm[4] = 0
    findings = look(warm, subjects)
    assert findings[0].kind == "constant"
    assert findings[0].severity == "error"
    assert findings[0].examples == ("p0/3.png", "p0/4.png")


def test_grey_among_colour(warm, subjects):
    warm[7] = warm[7][..., :1]
    findings = look(warm, subjects)
    assert kinds(findings) == {"grey_among_colour": 1}
    assert findings[0].examples == ("p1/7.png",)
    assert kinds(look(np.repeat(warm[..., :1], 3, axis=3), subjects)) == {"all_grey": 20}


def test_faint_colour_is_colour(warm):
    grey = np.repeat(warm[..., :1], 3, axis=3)
    grey[0, 5, 5, 0] ^= 1
    assert kinds(look(grey)) == {"grey_among_colour": 19}


def test_swapped_colours_are_suspected(warm, subjects):
    assert kinds(look(warm[..., ::-1], subjects)) == {"bgr_suspected": 20}


def test_one_subject_with_swapped_colours_is_named(warm, subjects):
    warm[5:10] = warm[5:10][..., ::-1]
    findings = look(warm, subjects)
    assert kinds(findings) == {"bgr_suspected": 1}
    assert findings[0].examples == ("p1",)


def test_blue_light_on_some_faces_is_no_suspicion(warm, subjects):
    warm[[2, 8, 14]] = warm[[2, 8, 14]][..., ::-1]
    assert look(warm, subjects) == []


def test_single_images_and_imbalance(warm):
    assert kinds(look(warm, ["a"] * 17 + ["b", "c", "d"])) == {"single_image": 3, "imbalance": 1}


SPLITS = Splits(("train",) * 10 + ("val",) * 5 + ("test",) * 5, (("train",) * 4 + ("val",)) * 3 + ("none",) * 5, {})


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (0, 1, {"duplicate": 1}),
        (0, 4, {"duplicate_split": 1}),
        (0, 5, {"duplicate_subject": 1}),
        (0, 9, {"duplicate_subject": 1, "duplicate_split": 1}),
        (0, 16, {"duplicate_subject": 1, "duplicate_split": 1}),
    ],
)
@pytest.mark.parametrize("nearly", [False, True])
def test_the_same_picture_in_two_places(warm, subjects, one, other, expected, nearly):
    warm[other] = warm[one]
    if nearly:
        warm[other] = np.clip(warm[other].astype(int) + 1, 0, 255)
        expected = {f"near_{kind}": count for kind, count in expected.items()}
    findings = check_splits(checked(warm, subjects), SPLITS, CheckSettings())
    assert kinds(findings) == expected
    if nearly:
        assert kinds(check_splits(checked(warm, subjects), SPLITS, CheckSettings(ignore=tuple(expected)))) == {}


def test_errors_stop_and_list_the_files(warm, subjects):
    warm[16] = warm[0]
    findings = check_splits(checked(warm, subjects), SPLITS, CheckSettings())
    with pytest.raises(DataError, match=r"p0/0\.png = p3/16\.png.*take duplicate_split, duplicate_subject out"):
        stop_on_errors(findings, "source")
    lenient = check_splits(checked(warm, subjects), SPLITS, CheckSettings(errors=()))
    assert {finding.severity for finding in lenient} == {"warning"}
    stop_on_errors(lenient, "source")


def test_long_lists_are_cut_and_counted(warm):
    findings = look(np.zeros((30, 112, 112, 3), dtype=np.uint8))
    with pytest.raises(DataError, match="and 25 more"):
        stop_on_errors(findings, "source")


def test_faces_of_one_picture_make_a_group(warm):
    warm[4] = warm[1]
    warm[9] = np.clip(warm[1].astype(int) + 1, 0, 255)
    groups = checked(warm).groups(CheckSettings())
    assert groups[[1, 4, 9]].tolist() == [1, 1, 1]
    assert len(set(groups.tolist())) == 18


def people_at(*sources):
    plain = np.random.default_rng(0).integers(0, 256, (len(sources), 112, 112, 3), np.uint8)
    found = checked(plain, [source.split("/")[0] for source in sources])
    found.table["source"] = sources
    return [finding for finding in check_faces(found, Report(), CheckSettings()) if finding.kind.startswith("nested")]


def test_a_folder_too_high_is_an_error_that_names_the_one_to_give():
    (found,) = people_at("people/ann/1.png", "people/ann/2.png", "people/bob/1.png")
    assert (found.kind, found.severity, found.examples) == ("nested", "error", ("ann", "bob"))
    with pytest.raises(DataError, match="give the folder people itself as the source"):
        stop_on_errors([found], "source")


def test_several_folders_too_high_are_a_warning():
    (found,) = people_at("old/ann/1.png", "old/bob/1.png", "new/eve/1.png", "new/kim/1.png")
    assert (found.kind, found.severity, found.count) == ("nested_several", "warning", 4)


@pytest.mark.parametrize(
    "sources",
    [
        ["ann/1.png", "ann/2.png"],  # one person
        ["ann/monday/1.png", "ann/monday/2.png"],  # one session
        ["ann/monday/1.png", "ann/tuesday/1.png", "ann/1.png"],  # a picture of her own
        ["ann/monday/1.png", "ann/tuesday/1.png", "bob/monday/1.png", "bob/friday/1.png"],  # sessions
    ],
)
def test_sessions_of_people_are_no_people(sources):
    assert people_at(*sources) == []
