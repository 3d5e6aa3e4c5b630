import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name

from lrface.tracking.names import arm_metric, clean_key


@pytest.mark.parametrize(
    ("key", "clean"),
    [
        ("train/loss_l1", "train/loss_l1"),
        ("stages[0].lr", "stages.0.lr"),
        ("tar@far=1e-3", "tar_far_1e-3"),
        ("a//b/../c", "a/b/c"),
        ("/etc/x", "etc/x"),
        ("gain+1", "gain_1"),
        ("..0", "0"),
        (".hidden", ".hidden"),
        ("a" * 240 + "/" + "b" * 249, "b" * 249),
    ],
)
def test_key_is_made_plain(key, clean):
    assert clean_key(key) == clean


def test_key_of_an_arm():
    assert arm_metric("dsr_cycle+finetuned", 12, "rank1") == "test/dsr_cycle_finetuned/12/rank1"


@pytest.mark.parametrize("key", ["", "/", "..", " / "])
def test_key_without_a_name_is_refused(key):
    with pytest.raises(ValueError, match="nothing that can name"):
        clean_key(key)


@given(st.text(min_size=1, max_size=600))
def test_mlflow_takes_every_cleaned_key(key):
    try:
        clean = clean_key(key)
    except ValueError:
        return
    _validate_metric_name(clean)
    _validate_param_name(clean)
    assert len(clean) <= 250
    assert clean_key(clean) == clean
