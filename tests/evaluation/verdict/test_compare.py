from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from lrface.errors import EvaluationError
from lrface.evaluation.figures.curve import curve_lines, curve_table, smallest_size
from lrface.evaluation.figures.results import Cell, load_results
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.figures.sweep import SweepSettings, point_at, sweep
from lrface.evaluation.protocol.conditions import conditions
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import compare

FINE, COARSE = Cell("bicubic", 8, "clean"), Cell("bicubic-coarse", 8, "clean")


@pytest.fixture(scope="module")
def found(world):
    faces, names, paths = world.make_faces(subjects=12, images=4, noise=120.0)
    arms = [world.arm("bicubic", world.fine), world.arm("bicubic-coarse", world.coarse)]
    settings = EvaluationSettings(replicates=200)
    return evaluate(faces, world.protocol_of(names, paths), arms, [8, 16], settings=settings)


def test_differences_are_first_minus_second(found):
    comparison = compare(found, FINE, found, COARSE)
    for metric in ("rank1", "unknown", "similarity", "tar_at_far_1e-1", "eer", "dprime"):
        difference = comparison.differences[metric]
        first, second = (found.find(cell.arm, 8, metric).value for cell in (FINE, COARSE))
        assert (difference.first, difference.second) == pytest.approx((first, second))
        assert difference.change.value == pytest.approx(first - second)
        assert difference.change.low <= difference.change.value <= difference.change.high
    assert comparison.probes == 36
    assert any("McNemar" in line for line in comparison.lines())


def test_faces_that_only_one_gets_are_named_and_tested(found):
    comparison = compare(found, COARSE, found, Cell("bicubic", 16, "clean"))
    right = {8: found.cell("bicubic-coarse", 8).mated.rank == 1, 16: found.cell("bicubic", 16).mated.rank == 1}
    rows = np.array(found.protocol.mated.rows)
    assert comparison.only_first == tuple(rows[right[8] & ~right[16]])
    assert comparison.only_second == tuple(rows[right[16] & ~right[8]])
    apart = len(comparison.only_first) + len(comparison.only_second)
    assert apart > 0
    assert comparison.test.probability == pytest.approx(binomtest(len(comparison.only_first), apart).pvalue)


def test_subjects_are_listed_worst_change_first(found):
    table = compare(found, FINE, found, COARSE).table
    assert len(table) == 12
    assert (table["change"].diff().dropna() >= 0).all()
    assert table["probes"].sum() == 36


def test_several_sizes_count_with_their_mean(found):
    sizes = (8, 16)
    fine, coarse = ([Cell(arm, size, "clean") for size in sizes] for arm in ("bicubic", "bicubic-coarse"))
    pooled = compare(found, fine, found, coarse)
    apart = [compare(found, one, found, two) for one, two in zip(fine, coarse, strict=True)]
    for metric in ("rank1", "unknown", "psnr", "tar_at_far_1e-1", "dprime"):
        expected = np.mean([each.differences[metric].change.value for each in apart])
        assert pooled.differences[metric].change.value == pytest.approx(expected, abs=1e-6)
    assert pooled.test.only_first == sum(each.test.only_first for each in apart)
    assert pooled.lines()[0].startswith("bicubic/8+16/clean against")
    with pytest.raises(EvaluationError, match="2 cells against 1"):
        compare(found, fine, found, coarse[0])


def test_an_arm_against_itself_differs_in_nothing(found):
    comparison = compare(found, FINE, found, FINE)
    for difference in comparison.differences.values():
        assert (difference.change.low, difference.change.value, difference.change.high) == (0.0, 0.0, 0.0)
    assert comparison.test.probability == 1.0


def test_written_evaluations_compare_like_those_at_hand(found, tmp_path):
    found.save(tmp_path)
    back = compare(load_results(tmp_path), FINE, found, COARSE)
    assert back.lines() == compare(found, FINE, found, COARSE).lines()


def test_evaluations_on_two_protocols_or_bootstraps_are_refused(found):
    other = replace(found, protocol=replace(found.protocol, source="another pack"))
    with pytest.raises(EvaluationError, match="one protocol"):
        compare(found, FINE, other, FINE)
    with pytest.raises(EvaluationError, match="one bootstrap"):
        compare(found, FINE, replace(found, seed=7), FINE)
    with pytest.raises(EvaluationError, match="no cell dsr/8/clean"):
        compare(found, Cell("dsr", 8, "clean"), found, FINE)


def test_the_sweep_follows_the_definitions(found):
    kept = found.cell("bicubic", 8)
    result = sweep(kept, SweepSettings(steps=21, false_alarm=0.1))
    table = result.table
    np.testing.assert_allclose(table["correct"] + table["wrong"] + table["unknown"], 1.0)
    assert (table["correct"].diff().dropna() <= 1e-12).all()
    assert (table["false_alarm"].diff().dropna() <= 1e-12).all()
    assert table["threshold"].iloc[[0, -1]].tolist() == [-1.0, 1.0]
    assert table["unknown"].iloc[0] == 0.0


def test_the_best_thresholds_are_the_highest_and_the_lowest_that_do(found):
    kept = found.cell("bicubic", 8)
    result = sweep(kept, SweepSettings(false_alarm=0.1))
    assert result.by_correct.correct == result.table["correct"].max()
    assert point_at(kept, np.nextafter(result.by_correct.threshold, 2.0)).correct < result.by_correct.correct
    assert result.by_false_alarm.false_alarm <= 0.1
    lower = np.sort(kept.strangers)[::-1][3]
    assert point_at(kept, float(lower)).false_alarm > 0.1


def test_too_few_strangers_are_told(found):
    result = sweep(found.cell("bicubic", 8), SweepSettings(false_alarm=0.001))
    assert result.by_false_alarm is None
    assert "too few" in result.reason


def test_the_curve_crosses_all_sizes_with_all_conditions(world):
    faces, names, paths = world.make_faces(subjects=4, images=3)
    arms = [world.arm("bicubic", world.fine)]
    settings = EvaluationSettings(replicates=100)
    protocol = world.protocol_of(names, paths)
    results = evaluate(faces, protocol, arms, (8, 112), degradations=conditions(), settings=settings)
    table = curve_table(results)
    assert len(table) == 2 * 6
    assert set(table["degradation"]) == {"clean", "blur", "noise", "jpeg", "all", "misaligned"}
    with pytest.raises(EvaluationError, match="no beauty"):
        curve_table(results, "beauty")


def test_the_smallest_size_is_read_between_the_measured_ones(found):
    table = curve_table(found)
    frame = table.iloc[:1].drop(columns=["arm", "degradation", "size", "value"])
    rows = [("a", "clean", size, value) for size, value in ((8, 0.5), (16, 0.7), (32, 0.9), (64, 0.95))]
    made = frame.loc[frame.index.repeat(4)].reset_index(drop=True)
    made[["arm", "degradation", "size", "value"]] = rows
    assert smallest_size(made, "a", 0.8) == pytest.approx(24.0)
    assert smallest_size(made, "a", 0.99) is None
    assert smallest_size(made, "a", 0.4) == 8.0


def test_two_networks_that_agree_on_every_probe_are_not_shown_to_be_the_same(found):
    """None of a few probes lost is no proof; one network twice is."""
    kept = found.cell("bicubic", 8)
    other = replace(kept, mated=replace(kept.mated, best=kept.mated.best + 1e-4))
    moved = replace(found, kept=found.kept | {FINE: other})
    change = compare(moved, FINE, found, FINE).differences["rank1"].change
    assert change.value == 0.0
    assert change.low < -0.02
    assert change.high > 0.02


def test_the_table_of_a_curve_is_in_the_unit_of_its_metric(found):
    """A PSNR of 20 dB was once told as 2000."""
    for metric, scale, unit in (("rank1", 100.0, "per cent"), ("psnr", 1.0, "dB"), ("similarity", 1.0, "")):
        head, *rows = curve_lines(curve_table(found, metric), metric)
        value = found.find("bicubic", 8, metric).value
        assert (unit in head) if unit else head == f"{metric}, by side of the face in pixels:"
        (row,) = [row for row in rows if "bicubic" in row and "coarse" not in row]
        assert float(row.split()[2 if row.startswith("clean") else 1]) == pytest.approx(scale * value, rel=0.01)
