import math
from dataclasses import replace

import pytest

from lrface.training.loop.findings import (
    FirstLook,
    collapse,
    epoch_findings,
    first_findings,
    no_progress,
    share_findings,
)
from lrface.training.settings import CollapseSettings

HEALTHY = {
    "loss": 0.1, "train_loss": 0.1, "loss_identity": 0.1, "psnr": 29.0, "similarity": 0.9,
    "impostor": 0.1, "effective_rank": 20.0,
}  # fmt: skip


def names(found):
    return [finding.name for finding in found]


def test_a_healthy_training_has_no_findings():
    assert epoch_findings([]) == []
    assert epoch_findings([HEALTHY] * 6) == []
    assert collapse(HEALTHY, CollapseSettings()) is None


@pytest.mark.parametrize(
    ("ill", "name"),
    [
        ({"loss_identity": 0.26}, "identity_stuck"),
        ({"psnr": 27.9}, "psnr_falling"),
        ({"loss": 0.21}, "overfitting"),
        ({"similarity": 0.9991}, "similarity_too_good"),
    ],
)
def test_each_illness_of_a_super_resolver_is_named(ill, name):
    found = epoch_findings([HEALTHY] * 5 + [{**HEALTHY, **ill}])
    assert names(found) == [name]
    assert found[0].cause
    assert found[0].remedy
    assert str(found[0]).startswith(f"{name}: ")


@pytest.mark.parametrize("ill", [{"loss_identity": 0.26}, {"loss": 0.21}])
def test_the_first_epochs_are_given_time(ill):
    assert epoch_findings([{**HEALTHY, **ill}] * 4) == []
    assert len(epoch_findings([{**HEALTHY, **ill}] * 5)) == 1


def test_a_training_without_some_terms_has_no_findings_about_them():
    assert epoch_findings([{"loss": 0.1, "train_loss": 0.1}] * 6) == []


def test_a_pixel_term_that_hardly_counts_is_named():
    assert names(share_findings({"l1": 0.01, "identity": 0.91, "feature": 0.08})) == ["pixel_term_idle"]
    assert share_findings({"l1": 0.6, "identity": 0.4}) == []
    assert share_findings({"identity": 1.0}) == []


@pytest.mark.parametrize("ill", [{"impostor": 0.71}, {"effective_rank": 1.9}, {"impostor": math.nan}])
def test_collapse_is_seen_in_impostors_or_rank_and_never_in_similarity(ill):
    found = collapse({**HEALTHY, **ill, "similarity": 0.998}, CollapseSettings())
    assert found is not None
    assert found.name == "collapse"


def test_no_progress_is_told_after_five_epochs():
    assert no_progress(3, -1) is None
    assert "since the start" in no_progress(4, -1).cause
    assert no_progress(6, 2) is None
    assert "since epoch 3" in no_progress(7, 2).cause


GOOD_LOOK = FirstLook(0.0, 0.98, 22.0, 23.0, 0.2, 0.8, 1.0, 0.9, 20)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"brightest": 0.004}, "range_wrong"),
        ({"brightest": 255.0}, "range_wrong"),
        ({"darkest": -1.0}, "range_wrong"),
        ({"bicubic_psnr": 41.0}, "vlr_not_small"),
        ({"restored_psnr": 46.0}, "dsr_equals_hr"),
        ({"restored_change": 0.0}, "dsr_equals_bicubic"),
        ({"similarity": 0.9999}, "similarity_too_good"),
        ({"known_people": 0.0}, "identities_disjoint"),
        ({"head_accuracy": 0.06}, "head_untrained"),
    ],
)
def test_each_thing_that_is_wrong_at_the_start_is_named(wrong, name):
    assert first_findings(GOOD_LOOK) == []
    found = first_findings(replace(GOOD_LOOK, **wrong))
    assert names(found) == [name]
    assert found[0].remedy


def test_without_super_resolver_and_stage_1_there_is_nothing_to_find_about_them():
    assert first_findings(replace(GOOD_LOOK, restored_psnr=None, restored_change=None, head_accuracy=None)) == []
