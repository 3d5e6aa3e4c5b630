import pytest

from lrface.models.checkpoint import layout
from lrface.models.checkpoint.layout import best_variant, expected_shapes
from lrface.models.edgeface.network import VARIANTS

CASES = [
    (name, low) for name, spec in VARIANTS.items() for low in ((True, False) if spec.gamma is not None else (True,))
]


@pytest.mark.parametrize(("name", "low"), CASES)
def test_whole_weights_fit_their_own_variant_and_no_other_is_looked_at_after_it(monkeypatch, name, low):
    looked = []

    def told(variant, *, low_rank_head=True):
        looked.append((variant, low_rank_head))
        return expected_shapes(variant, low_rank_head=low_rank_head)

    shapes = expected_shapes(name, low_rank_head=low)
    monkeypatch.setattr(layout, "expected_shapes", told)

    assert best_variant(shapes) == (name, low)
    assert looked == CASES[: CASES.index((name, low)) + 1]


def test_what_is_not_whole_is_held_against_all():
    shapes = dict(expected_shapes("xs"))
    shapes.popitem()

    assert best_variant(shapes) == ("xs", True)
    assert best_variant({"conv.weight": (3, 3)}) is None
