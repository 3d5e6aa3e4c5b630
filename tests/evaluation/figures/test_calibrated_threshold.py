import numpy as np
import pytest

from lrface.evaluation.figures.calibrated_threshold import calibrated_on, cross_fitted
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.settings import EvaluationSettings
from lrface.metrics.verification import threshold_at_far


def scores_of(subjects, each, seed=0):
    generator = np.random.default_rng(seed)
    return np.repeat(np.arange(subjects), each), generator.normal(size=subjects * each)


def test_people_set_aside_choose_one_threshold_for_everybody():
    _, scores = scores_of(10, 10)
    found = calibrated_on(scores, 0.05, mated=7, strangers=3)
    assert found.threshold == threshold_at_far(scores, 0.05)[0]
    assert found.mated.tolist() == [found.threshold] * 7
    assert found.strangers.tolist() == [found.threshold] * 3


def test_a_subject_has_no_say_in_its_own_threshold():
    subjects, scores = scores_of(10, 10)
    before = cross_fitted(scores, subjects, subjects, 0.1)
    louder = scores.copy()
    louder[subjects == 3] += 100.0
    after = cross_fitted(louder, subjects, subjects, 0.1)
    assert (after.mated[subjects == 3] == before.mated[subjects == 3]).all()
    assert (after.mated[subjects == 4] > before.mated[subjects == 4]).all()
    assert (after.strangers == after.mated).all()


def test_each_fold_has_the_threshold_of_the_strangers_of_the_others():
    subjects, scores = scores_of(12, 10)
    found = cross_fitted(scores, subjects, subjects, 0.1, folds=4)
    for fold in range(4):
        wanted = threshold_at_far(scores[subjects % 4 != fold], 0.1)[0]
        assert (found.mated[subjects % 4 == fold] == wanted).all()
    assert found.threshold == pytest.approx(found.mated.mean())


def test_false_alarms_on_unseen_people_come_out_at_the_wanted_rate():
    rates = []
    for seed in range(200):
        subjects, scores = scores_of(20, 10, seed)
        found = cross_fitted(scores, subjects, subjects, 0.05)
        rates.append((scores >= found.strangers).mean())
    assert np.mean(rates) == pytest.approx(0.05, abs=0.006)


@pytest.mark.parametrize(("subjects", "each", "rate"), [(1, 200, 0.1), (5, 2, 0.01)])
def test_too_few_are_told(subjects, each, rate):
    of, scores = scores_of(subjects, each)
    found = cross_fitted(scores, of, of, rate)
    assert np.isnan(found.threshold)
    assert found.reason.startswith("too few")
    assert "too few" in calibrated_on(scores[:3], 0.01, 1, 1).reason


def test_with_few_people_an_evaluation_reports_the_cross_fitted_threshold_beside_the_users(world):
    faces, names, paths = world.make_faces(subjects=10, images=4)
    settings = EvaluationSettings(replicates=100, calibration_fpir=0.1)
    arm = Arm("bicubic", world.fine, bicubic)
    protocol = world.protocol_of(names, paths)
    found = evaluate(faces, protocol, [arm], [12], settings=settings)
    kept = found.cell("bicubic", 12)
    numbers = np.array([int(name[1:]) for name in protocol.mated.subjects])
    wanted = cross_fitted(kept.strangers, numbers, numbers, 0.1)
    assert found.find("bicubic", 12, "threshold_calibrated").value == pytest.approx(wanted.threshold)
    right = (kept.mated.best >= wanted.mated) & (kept.mated.rank == 1)
    assert found.find("bicubic", 12, "correct_calibrated").value == pytest.approx(right.mean())
    alarm = (kept.strangers >= wanted.strangers).mean()
    assert found.find("bicubic", 12, "false_alarm_calibrated").value == pytest.approx(alarm)
    assert found.find("bicubic", 12, "correct").value is not None
    assert any("cross-fitted" in note for note in found.notes)
