import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lrface.evaluation.figures.memory import Gathered, Memory
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic


class Recogniser(nn.Module):
    """A linear one, that counts its calls."""

    def __init__(self, seed=0):
        super().__init__()
        self.calls = 0
        weight = torch.randn(24, 192, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter(weight, requires_grad=False)

    def forward(self, images):
        self.calls += 1
        pixels = F.adaptive_avg_pool2d(images, 8).flatten(1)
        return F.normalize((pixels - pixels.mean(dim=1, keepdim=True)) @ self.weight.T + 1e-4)


class Resolver(nn.Module):
    """Bicubic and a little light."""

    def __init__(self, light):
        super().__init__()
        self.light = nn.Parameter(torch.tensor(light), requires_grad=False)

    def forward(self, small):
        return (bicubic(small) + self.light).clamp(0, 1)


@pytest.fixture
def measured(small):
    """Evaluates some arms, with a memory where one is given; the table of figures."""
    faces, protocol, _, quick = small

    def run(arms, memory=None, sizes=(8, 16), **changes):
        chosen = changes.pop("protocol", protocol)
        return evaluate(faces, chosen, arms, sizes, settings=quick.model_copy(update=changes), memory=memory).table()

    return run


def arms_of(recogniser, resolver, prefix=""):
    return [
        Arm(f"{prefix}hr", recogniser),
        Arm(f"{prefix}bicubic", recogniser, bicubic),
        Arm(f"{prefix}dsr", recogniser, resolver.forward),
    ]


def test_what_was_measured_is_not_measured_again_and_the_figures_are_the_same_to_the_bit(measured):
    recogniser, resolver, memory = Recogniser(), Resolver(0.02), Memory()
    plain = measured(arms_of(recogniser, resolver))
    first = measured(arms_of(recogniser, resolver), memory)
    recogniser.calls = 0
    # loaded anew, and called otherwise, as `promote` does
    again, anew = Recogniser(), Resolver(0.02)
    second = measured(arms_of(again, anew), memory)

    pd.testing.assert_frame_equal(plain, first, check_exact=True)
    pd.testing.assert_frame_equal(plain, second, check_exact=True)
    assert recogniser.calls == 0
    assert again.calls == 1  # the gallery, which is of the evaluation itself


def test_only_what_is_missing_is_measured_and_progress_reaches_its_end(small):
    faces, protocol, _, quick = small
    recogniser, memory, told = Recogniser(), Memory(), []
    evaluate(faces, protocol, arms_of(recogniser, Resolver(0.02)), [8], settings=quick, memory=memory)
    recogniser.calls = 0
    arms = [*arms_of(recogniser, Resolver(0.02)), Arm("other", recogniser, Resolver(0.1).forward)]
    evaluate(faces, protocol, arms, [8, 16], settings=quick, memory=memory, progress=lambda *place: told.append(place))

    assert recogniser.calls == 1 + 1 + 3  # gallery; the new arm at 8 px; three at 16 px
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize("changed", ["recogniser", "resolver", "size", "protocol", "batch"])
def test_whatever_it_depends_on_makes_it_another(measured, small, world, changed):
    recogniser, resolver, memory = Recogniser(), Resolver(0.02), Memory()
    measured(arms_of(recogniser, resolver), memory, sizes=[8])
    held, sizes, changes = memory.held, [8], {}
    if changed == "recogniser":
        recogniser.weight.mul_(torch.linspace(0.5, 1.5, 192))  # trained on, in its place
    elif changed == "resolver":
        resolver.light.fill_(0.1)
    elif changed == "size":
        sizes = [12]
    elif changed == "batch":
        changes = {"batch": 5}
    else:
        _, names, paths = world.make_faces()
        changes = {"protocol": world.protocol_of(names, paths, seed=7)}
    found = measured(arms_of(recogniser, resolver), memory, sizes=sizes, **changes)

    pd.testing.assert_frame_equal(found, measured(arms_of(recogniser, resolver), sizes=sizes, **changes))
    assert memory.held > held


def test_what_has_no_weights_is_never_remembered(small):
    _, _, arms, _ = small
    memory = Memory()

    assert [memory.key(arm) for arm in arms] == [None] * 3
    assert memory.key(Arm("a", nn.Identity())) is None
    assert memory.key(Arm("a", Recogniser(), nn.Identity())) is None
    # another method of a network is another way
    assert memory.key(Arm("a", Recogniser(), Resolver(0.1).half)) is None
    memory.keep(None, Gathered([torch.ones(4)]))
    assert memory.held == 0


def test_what_was_used_longest_ago_goes_first():
    memory = Memory(most=100)
    for name in "ab":
        memory.keep((name,), Gathered([torch.ones(12)]))
    assert memory.find(("a",)) is not None
    memory.keep(("c",), Gathered([torch.ones(10)]))
    memory.keep(("d",), Gathered([torch.ones(30)]))

    assert [memory.find((name,)) is not None for name in "abcd"] == [True, False, True, False]
    assert memory.held == 48 + 40
