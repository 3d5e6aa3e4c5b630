"""The four arms that answer the question, what is told of them, and what is drawn."""

import numpy as np
import pytest

from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm
from lrface.evaluation.report.lead import Gain, aligned, curves, gains, lead_of, table_rows
from lrface.evaluation.report.lead_plots import forest, lead_curve, shown_sizes
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import compare
from lrface.evaluation.verdict.decision import decide
from lrface.evaluation.verdict.worth import weigh
from lrface.metrics.statistics import Interval

SIZES = [8, 12]
PAIR = Cell("dsr-finetuned", 8, "clean")


@pytest.fixture(scope="module")
def case(world):
    faces, names, paths = world.make_faces(subjects=8, images=4, noise=120.0)
    arms = [
        world.ceiling("hr-pretrained", world.coarse),
        world.arm("bicubic-pretrained", world.coarse),
        world.arm("bicubic-finetuned", world.fine),
        Arm("dsr-finetuned", world.fine, lambda vlr: world.arm("x", world.fine).upscaler(vlr).clamp(0.1, 0.9)),
        world.ceiling("hr-finetuned", world.fine),
        world.arm("bicubic-direct", lambda images: world.fine(images)),
    ]
    settings = EvaluationSettings(replicates=100)
    results = evaluate(faces, world.protocol_of(names, paths), arms, SIZES, settings=settings)
    cells = {arm.name: [Cell(arm.name, size, "clean") for size in SIZES] for arm in arms}
    against = compare(results, cells["dsr-finetuned"], results, cells["bicubic-pretrained"], settings)
    worth = weigh(results, "dsr-finetuned", "bicubic-direct", SIZES, "clean", settings)
    return arms, results, against, worth


def test_the_four_are_found_among_all_arms(case):
    arms, results, against, worth = case
    lead = lead_of(results, arms, PAIR, worth, [against])
    assert dict(lead.arms) == {
        "bicubic": "bicubic-pretrained",
        "direct": "bicubic-direct",
        "pair": "dsr-finetuned",
        "HR": "hr-finetuned",
    }
    assert list(lead.arms) == ["bicubic", "direct", "pair", "HR"]
    assert lead.sizes == (8, 12)


def test_without_a_super_resolver_nothing_is_called_a_pair(case):
    arms, results, _, _ = case
    lead = lead_of(results, arms, Cell("bicubic-finetuned", 8, "clean"))
    assert "pair" not in lead.arms
    assert lead.arms[lead.own] == "bicubic-finetuned"
    assert lead.arms["bicubic"] == "bicubic-pretrained"


def test_another_pair_that_it_is_held_against_stands_beside_them(case):
    arms, results, against, worth = case
    other = compare(
        results,
        [Cell("dsr-finetuned", size, "clean") for size in SIZES],
        results,
        [Cell("bicubic-finetuned", size, "clean") for size in SIZES],
    )
    champion = [
        arm if arm.name != "bicubic-finetuned" else Arm(arm.name, arm.embedder, lambda vlr: vlr) for arm in arms
    ]
    lead = lead_of(results, champion, PAIR, worth, [against, other])
    assert list(lead.arms) == ["bicubic", "direct", "bicubic-finetuned", "pair", "HR"]


def test_gains_agree_with_the_comparisons_they_are_told_by(case):
    arms, results, against, worth = case
    ceilings = (Cell(f"hr-{name}", 112, "clean") for name in ("finetuned", "pretrained"))
    verdict = decide(against, None, compare(results, next(ceilings), results, next(ceilings)))
    found = gains(results, lead_of(results, arms, PAIR, worth, [against]), verdict)
    told = {(gain.over, gain.at): gain.change for gain in found}
    assert told["over bicubic", "all sizes"] == against.differences["rank1"].change
    assert told["over direct", "8 px"] == worth.at[8].differences["rank1"].change
    assert told["full size, before and after", "112 px"].value == verdict.gates[-1].figure
    assert len(found) == 7


def test_the_table_has_a_line_for_each_of_the_four(case):
    arms, results, against, worth = case
    lines = aligned(table_rows(results, lead_of(results, arms, PAIR, worth, [against])))
    assert [line.split()[0] for line in lines] == ["rank-1", "bicubic", "direct", "pair", "HR"]
    value = results.find("dsr-finetuned", 8, "rank1").value
    assert f"{100 * value:.1f} [" in lines[3]
    assert len({line.index("[") for line in lines[1:4]}) == 1


def test_the_plots_say_what_the_figures_say(case):
    arms, results, against, worth = case
    lead = lead_of(results, arms, PAIR, worth, [against])
    axes = lead_curve(results, lead).axes[0]
    names = [text.get_text().split()[0] for text in axes.get_legend().get_texts()]
    assert sorted(names) == ["HR", "bicubic", "direct", "pair"]
    rows = [Gain("over bicubic", "8 px", Interval(0.02, 0.01, 0.03)), Gain("over x", "8 px", Interval(0, -0.1, 0.1))]
    drawn = forest(rows).axes[0]
    assert [label.get_text() for label in drawn.get_yticklabels()] == ["8 px", "8 px"]
    np.testing.assert_allclose(drawn.lines[0].get_xdata(), [1.0, 3.0])
    assert drawn.lines[0].get_color() != drawn.lines[2].get_color()


@pytest.mark.parametrize(
    ("sizes", "three"), [([8], [8]), ([8, 12], [8, 12]), ([8, 10, 12, 16, 24, 32, 64], [8, 12, 32]), ([64], [64])]
)
def test_faces_are_shown_at_three_sizes(sizes, three):
    assert shown_sizes(sizes) == three


def test_a_tracker_is_given_the_four_over_the_size(case):
    arms, results, against, worth = case
    told = curves(results, lead_of(results, arms, PAIR, worth, [against]))
    assert list(told) == [8, 12, 112]
    assert told[12]["by_size/rank1_pair"] == results.find("dsr-finetuned", 12, "rank1").value
    assert set(told[112]) == {"full_size/rank1", "full_size/tar_at_far_1e-2"}
    assert {name.split("/")[0] for size in (8, 12) for name in told[size]} == {"by_size"}
