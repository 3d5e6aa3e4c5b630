import pandas as pd
import pytest

from lrface.errors import EvaluationError
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.report.card import CardInput, model_card
from lrface.evaluation.settings import EvaluationSettings

LICENCES = ["licence of the whole: CC-BY-NC-SA-4.0 (no commercial use, name the makers, share alike)"]


@pytest.fixture(scope="module")
def results(world):
    faces, names, paths = world.make_faces(subjects=8, images=4, noise=120.0)
    names = [f"somebody called {name}" for name in names]
    arms = [world.ceiling("hr", world.fine), world.arm("bicubic", world.fine), world.arm("coarse", world.coarse)]
    protocol = world.protocol_of(names, paths)
    return evaluate(faces, protocol, arms, [8, 12], settings=EvaluationSettings(replicates=100))


TITLES = ("Not for", "Licences", "How it was made", "Trained on", "Verdict", "Figures", "Whom it fails", "Limits")


def card(**changes):
    given = {"model": "lrface", "heading": "a pair", "made": {"run": "r1"}, "data": ["pack"], "licences": LICENCES}
    return model_card(CardInput(**{**given, **changes}))


def test_a_card_of_an_evaluation_has_figures_with_intervals_and_whom_it_fails(results):
    arm = next(arm for arm in results.arms if not arm.startswith("hr"))
    text = card(results=results, arms={"this pair": arm})
    shown = [entry for entry in results.records if entry.arm == arm and entry.metric == "rank1"]
    assert shown
    for entry in shown:
        assert f"{entry.value:.3f} [{entry.low:.3f}, {entry.high:.3f}]" in text
    assert "people are named rightly in under 15% of their pictures" in text
    assert results.protocol.digest[:12] in text
    for title in (
        "Not for",
        "Licences",
        "How it was made",
        "Trained on",
        "Verdict",
        "Figures",
        "Whom it fails",
        "Limits",
    ):
        assert f"## {title}\n" in text
    assert "no commercial use" in text


def test_nobody_of_the_test_is_named(results):
    arm = results.arms[-1]
    text = card(results=results, arms={"this pair": arm})
    assert results.subjects["subject"].str.startswith("somebody called").all()
    assert "somebody" not in text


def test_whom_it_fails_counts_people_by_their_pictures(results):
    arm = results.arms[-1]
    size = int(results.subjects.loc[results.subjects["arm"] == arm, "size"].iloc[0])
    rows = [
        (f"s{place}", accuracy) for place, accuracy in enumerate([0.0, 0.1, 0.15, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    ]
    subjects = pd.DataFrame(
        [{"arm": arm, "size": size, "degradation": "clean", "subject": name, "accuracy": value} for name, value in rows]
    )
    changed = type(results)(**{**vars(results), "subjects": subjects})
    text = card(results=changed, arms={"this pair": arm})
    assert f"{size} px: 2 of 10 people are named rightly in under 15% of their pictures; the worst tenth in 0%" in text
    assert "the median person in 100%" in text


def test_a_network_that_was_not_evaluated_says_that_its_figures_flatter():
    text = card(model="dsr", validation={"psnr": 28.25})
    assert "psnr: 28.25" in text
    assert "so they flatter" in text
    assert "## Figures" not in text
    assert "nothing is recorded" in card(model="edgeface", data=[])


def test_an_arm_that_was_not_evaluated_is_refused(results):
    with pytest.raises(EvaluationError, match="got no arm nowhere"):
        card(results=results, arms={"this pair": "nowhere"})
