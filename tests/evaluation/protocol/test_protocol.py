import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrface.errors import EvaluationError
from lrface.evaluation.protocol.protocol import Part, draw_protocol, load_protocol, natural_key
from lrface.evaluation.settings import ProtocolSettings


def people(subjects, images):
    names = [f"s{subject}" for subject in range(subjects) for _ in range(images)]
    paths = [f"{image}.png" for _ in range(subjects) for image in range(images)]
    return names, paths


def drawn(subjects=120, images=4, source="pack", **options):
    names, paths = people(subjects, images)
    return draw_protocol(range(len(names)), names, paths, ProtocolSettings(**options), source)


def test_few_subjects_are_all_enrolled_and_all_reported():
    protocol = drawn(subjects=20, images=5)
    assert len(protocol.gallery) == 20
    assert len(protocol.mated) == 80
    assert len(protocol.pairs) == 100
    assert not protocol.non_mated.rows
    assert not protocol.calibration.rows
    assert any("calibration" in note for note in protocol.notes)


def test_the_enrolled_picture_is_the_first_in_natural_order():
    paths = ["10.png", "9.png", "2.png"]
    protocol = draw_protocol([7, 8, 9], ["a"] * 3, paths, ProtocolSettings(), "pack")
    assert protocol.gallery == Part((9,), ("a",))
    assert protocol.mated.rows == (8, 7)
    assert sorted(["s10", "s2", "s1x"], key=natural_key) == ["s1x", "s2", "s10"]
    assert sorted(["s1²", "²", "s1", "٣"], key=natural_key) == ["٣", "s1", "s1²", "²"]


@settings(max_examples=25, deadline=None)
@given(st.integers(100, 140), st.integers(1, 4), st.integers(0, 10_000))
def test_roles_share_no_subject_and_probes_no_picture_with_the_gallery(subjects, images, seed):
    if images == 1:
        with pytest.raises(EvaluationError, match="another to search with"):
            drawn(subjects, images, seed=seed)
        return
    protocol = drawn(subjects, images, seed=seed)
    roles = [set(part.names) for part in (protocol.gallery, protocol.non_mated, protocol.calibration)]
    assert all(roles)
    assert not roles[0] & roles[1]
    assert not roles[0] & roles[2]
    assert not roles[1] & roles[2]
    assert not set(protocol.mated.rows) & set(protocol.gallery.rows)
    assert set(protocol.mated.names) <= roles[0]
    assert not set(protocol.pairs.names) & roles[2]


def test_pairs_keep_whole_subjects_within_the_limit():
    protocol = drawn(subjects=120, images=4, pair_faces=50)
    assert len(protocol.pairs) == 48
    assert len(set(protocol.pairs.names)) == 12
    assert len(drawn(subjects=120, images=4, pair_faces=2).pairs.names) == 2


def test_the_draw_depends_on_the_seed_alone():
    assert drawn(seed=1).digest == drawn(seed=1).digest
    assert drawn(seed=1).digest != drawn(seed=2).digest
    assert drawn().digest != drawn(source="other pack").digest


def test_the_order_of_the_input_does_not_matter():
    names, paths = people(120, 3)
    rows = list(range(len(names)))
    back = [list(reversed(column)) for column in (rows, names, paths)]
    options = ProtocolSettings()
    assert draw_protocol(rows, names, paths, options, "p") == draw_protocol(*back, options, "p")


def test_it_is_read_back_as_written(tmp_path):
    protocol = drawn()
    protocol.save(tmp_path / "protocol.json")
    assert load_protocol(tmp_path / "protocol.json") == protocol
    assert [file.name for file in tmp_path.iterdir()] == ["protocol.json"]


def test_an_edited_protocol_is_refused(tmp_path):
    path = tmp_path / "protocol.json"
    drawn().save(path)
    content = json.loads(path.read_text())
    content["mated"]["rows"][0] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match="edited"):
        load_protocol(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}'])
def test_what_is_no_protocol_is_refused(tmp_path, text):
    path = tmp_path / "protocol.json"
    path.write_text(text)
    with pytest.raises(EvaluationError, match="a protocol as"):
        load_protocol(path)
    with pytest.raises(EvaluationError, match="FileNotFound"):
        load_protocol(tmp_path / "absent.json")


def test_notes_are_not_part_of_the_questions():
    protocol = drawn()
    assert replace(protocol, notes=("another",)).digest == protocol.digest


def test_no_faces_are_refused():
    with pytest.raises(EvaluationError, match="0 subjects"):
        draw_protocol([], [], [], ProtocolSettings(), "pack")


def test_calibration_subjects_may_come_from_another_split():
    names, paths = people(10, 3)
    protocol = draw_protocol(range(30), names, paths, ProtocolSettings(), "p", calibration=([41, 40], ["x", "y"]))
    assert protocol.calibration == Part((40, 41), ("y", "x"))
    assert len(protocol.gallery) == 10
    assert not any("calibrat" in note for note in protocol.notes)
    with pytest.raises(EvaluationError, match=r"evaluated too \(s3\)"):
        draw_protocol(range(30), names, paths, ProtocolSettings(), "p", calibration=([41], ["s3"]))


def test_calibration_from_another_split_is_bounded_and_whole_by_subject():
    names, paths = [f"s{i // 3}" for i in range(30)], [f"{i}.png" for i in range(30)]
    others = (list(range(40, 70)), [f"x{row // 5}" for row in range(40, 70)])
    options = ProtocolSettings(calibration_faces=12)
    protocol = draw_protocol(range(30), names, paths, options, "p", calibration=others)
    assert len(protocol.calibration) == 10
    assert {protocol.calibration.subjects.count(name) for name in protocol.calibration.names} == {5}
    assert draw_protocol(range(30), names, paths, options, "p", calibration=([], [])).calibration.rows == ()


def test_one_image_of_each_subject_is_refused_by_name():
    names = [f"s{i}" for i in range(5)]
    with pytest.raises(EvaluationError, match="5 subjects, none with more than 1 image"):
        draw_protocol(range(5), names, [f"{name}.png" for name in names], ProtocolSettings(), "p")
