"""Today's outputs against those that are kept: a dependency's update cannot change a face unseen."""

from typing import get_args

import pytest

from lrface.evaluation.protocol.conditions import conditions
from lrface.images.settings import KERNELS
from lrface.models.dsr.network import VARIANTS as DSR_VARIANTS
from lrface.models.edgeface.network import VARIANTS as EDGEFACE_VARIANTS
from lrface.training.losses.settings import LAYERS, DsrLossSettings, MarginSettings

from .cases import GROUPS
from .of_networks import SIDES
from .renew import made
from .store import COPIES, FIGURES, HERE, read
from .summary import difference

KEPT = read()


@pytest.mark.parametrize("group", GROUPS)
def test_what_comes_out_is_what_came_out(group):
    new, _ = made([group])
    old = {name: kept for name, kept in KEPT.items() if name.partition("/")[0] == group}

    assert new.keys() == old.keys(), "make golden renews them, and shows what changed"
    apart = {name: difference(kept, old[name]) for name, kept in new.items()}
    assert not {name: str(found) for name, found in apart.items() if not found.fits}, (
        "make golden shows what changed, and renews it"
    )
    assert {name: kept.told["tolerance"] for name, kept in new.items()} == {
        name: kept.told["tolerance"] for name, kept in old.items()
    }


def test_what_is_registered_is_kept():
    wanted = {f"dsr/{variant}/{side}" for variant in DSR_VARIANTS for side in SIDES}
    wanted |= {f"edgeface/{variant}/embeddings" for variant in EDGEFACE_VARIANTS}
    wanted |= {f"condition/{name}/{side}" for name in conditions() for side in (12, 24)}
    wanted |= {f"degradation/kernel_{kernel}" for kernel in KERNELS}
    wanted |= {f"loss/term/{term}" for term in DsrLossSettings().weights() if term != "perceptual"}
    wanted |= {f"loss/term/perceptual/{network}" for network in LAYERS}
    wanted |= {f"loss/margin/{kind}" for kind in get_args(MarginSettings.model_fields["kind"].annotation)}

    assert wanted <= KEPT.keys()


def test_every_one_has_a_tolerance_with_its_reason_and_all_are_small():
    for name, kept in KEPT.items():
        assert kept.told["tolerance"]["why"], name
    assert sum((HERE / name).stat().st_size for name in (FIGURES, COPIES, "faces.png")) < 1_000_000
