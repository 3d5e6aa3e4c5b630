"""Where arms fail: thirds of the probes by what their HR faces tell, people, and every probe in a table."""

import numpy as np
import pytest

from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.failures import THIRDS, by_trait, failure_table, where_it_fails
from lrface.evaluation.verdict.worth import weigh

SETTINGS = EvaluationSettings(replicates=200)
ONE, OTHER = ([Cell(arm, size, "clean") for size in (8, 12)] for arm in ("bicubic", "bicubic-coarse"))


@pytest.fixture(scope="module")
def case(world):
    faces, names, paths = world.make_faces(subjects=8, images=4, noise=120.0)
    arms = [
        world.ceiling("hr", world.fine),
        world.arm("bicubic", world.fine),
        world.arm("bicubic-coarse", world.coarse),
    ]
    return faces, evaluate(faces, world.protocol_of(names, paths), arms, [8, 12], settings=SETTINGS)


def test_each_probe_has_its_traits_and_its_rank_on_both_arms(case):
    faces, results = case
    table = failure_table(results, faces, ONE, OTHER)

    assert table["row"].tolist() == list(results.protocol.mated.rows)
    assert {*THIRDS, "rank_bicubic_8", "rank_bicubic-coarse_12", "first", "second"} <= set(table)
    rank = results.cell("bicubic", 8).mated.rank
    assert table["rank_bicubic_8"].tolist() == rank.tolist()
    assert table["first"].mean() == pytest.approx(
        np.mean([results.find("bicubic", size, "rank1").value for size in (8, 12)])
    )


def test_thirds_hold_all_probes_once_and_their_mean_is_the_figure(case):
    faces, results = case
    table = failure_table(results, faces, ONE, OTHER)

    found = by_trait(table, results, SETTINGS)

    assert set(found["trait"]) == set(THIRDS)
    for trait, lines in found.groupby("trait"):
        assert lines["probes"].sum() == len(table), trait
        mean = sum(line["probes"] * line["first"].value for line in lines.to_dict("records")) / len(table)
        assert mean == pytest.approx(table["first"].mean())
        for line in lines.to_dict("records"):
            assert line["change"].value == pytest.approx(line["first"].value - line["second"].value)
    bright = found[found["trait"] == "brightness"]
    assert bright["to"].iloc[0] < bright["from"].iloc[-1]


def test_a_trait_that_is_the_same_for_all_is_left_out(case):
    faces, results = case
    table = failure_table(results, faces, ONE).assign(brightness=0.5)

    found = by_trait(table, results, SETTINGS)

    assert "brightness" not in set(found["trait"])
    assert "change" not in found


def test_the_section_names_people_on_both_sides_and_escapes_them(case):
    faces, results = case
    worth = weigh(results, "bicubic", "bicubic-coarse", [8, 12], "clean", SETTINGS)

    section, tables = where_it_fails(results, faces, ONE[0], worth)
    alone, _ = where_it_fails(results, faces, ONE[0], None)

    assert "People whom bicubic gains most" in section
    assert "People whom bicubic-coarse gains most" in section
    assert "asymmetry: turned, or lit from one side" in section
    assert "difference, points" in section
    assert "difference, points" not in alone
    assert tables["failures"].count("\n") == len(results.protocol.mated.rows) + 1
