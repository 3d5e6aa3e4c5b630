import numpy as np
import pytest

from lrface.evaluation.figures.operating import by_group
from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.protocol.protocol import draw_protocol
from lrface.evaluation.report.operating_page import group_table, operating_lines, operating_section
from lrface.evaluation.settings import EvaluationSettings, ProtocolSettings

SETTINGS = EvaluationSettings(replicates=100, open_fpirs=(0.2, 0.1, 1e-4), probe_pictures=())


@pytest.fixture(scope="module")
def open_set(world):
    """An evaluation of 30 people by the thresholds of 40 others."""
    faces, names, paths = world.make_faces(subjects=70, images=3, noise=60.0)
    tested, other = np.arange(90), np.arange(90, 210)
    protocol = draw_protocol(
        tested,
        [names[row] for row in tested],
        [paths[row] for row in tested],
        ProtocolSettings(),
        "a" * 64,
        (other, [names[row] for row in other]),
    )
    arms = [Arm("hr", world.coarse), Arm("bicubic", world.coarse, bicubic)]
    return evaluate(faces, protocol, arms, [8, 16], settings=SETTINGS)


def test_the_rate_had_is_told_beside_the_rate_asked_for_with_its_interval(open_set):
    for size in (8, 16):
        threshold = open_set.find("bicubic", size, "threshold_auto_1e-1").value
        kept = open_set.cell("bicubic", size)
        found = open_set.find("bicubic", size, "fpir_auto_1e-1")
        assert found.value == pytest.approx(np.mean(kept.strangers >= threshold))
        assert found.low <= found.value <= found.high
        assert found.low <= 0.1 <= found.high
        right = (kept.mated.rank == 1) & (kept.mated.best >= threshold)
        assert open_set.find("bicubic", size, "tpir_auto_1e-1").value == pytest.approx(right.mean())
    one = {open_set.find("bicubic", size, "threshold_one_threshold_1e-1").value for size in (8, 16)}
    assert len(one) == 1


def test_what_too_few_tell_is_a_note_and_no_figure(open_set):
    assert any("threshold_auto_1e-4: too few: 120 searches of 40" in note for note in open_set.notes)
    assert not any(entry.metric == "fpir_auto_1e-4" for entry in open_set.records)


def test_nobody_who_is_tested_calibrates(open_set):
    protocol = open_set.protocol
    assert not set(protocol.calibration.names) & {*protocol.gallery.names, *protocol.non_mated.names}
    assert open_set.operating.points["bicubic"].people == 40


def test_the_page_has_plot_table_and_groups(open_set):
    pictures = {}
    groups = {name: "left" if place % 2 else "right" for place, name in enumerate(open_set.protocol.gallery.names)}
    text = operating_section(open_set, Cell("bicubic", 16, "clean"), groups, SETTINGS, pictures)
    assert set(pictures) == {"calibration", "det"}
    assert "FPIR asked" in text
    assert ">left<" in text.replace("<td>", ">").replace("</td>", "<")
    assert any("FPIR 0.1 asked for, had 8 px" in line for line in operating_lines(open_set, "bicubic"))
    assert operating_section(open_set, Cell("hr", 112, "clean"), {}, SETTINGS, pictures) == ""


def test_who_is_falsely_named_more_often_shows(open_set):
    strangers = open_set.protocol.mated.subjects
    kept = open_set.cell("bicubic", 8)
    threshold = open_set.find("bicubic", 8, "threshold_auto_2e-1").value
    named = {name for name, score in zip(strangers, kept.strangers, strict=True) if score >= threshold}
    groups = {name: "named" if name in named else "never" for name in strangers}
    rates = {
        rate.group: rate
        for rate in by_group(open_set.operating, open_set.kept, "bicubic", strangers, groups, SETTINGS)
        if rate.asked == 0.2
    }
    assert rates["named"].had.value > rates["never"].had.value
    assert rates["named"].people == len(named)
    assert "named" in group_table(list(rates.values()))
    assert "No group" in group_table([])


def test_without_calibration_people_there_are_none(world):
    faces, names, paths = world.make_faces(subjects=4, images=2)
    found = evaluate(
        faces, world.protocol_of(names, paths), [Arm("bicubic", world.fine, bicubic)], [16], settings=SETTINGS
    )
    assert found.operating.points == {}
    assert operating_section(found, Cell("bicubic", 16, "clean"), {}, SETTINGS, {}) == ""
