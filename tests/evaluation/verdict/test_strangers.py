"""What a super-resolver gains for a recogniser that nobody retrains."""

import re

import pytest
import torch.nn.functional as F

from lrface.evaluation.figures.results import Cell
from lrface.evaluation.figures.run import evaluate
from lrface.evaluation.protocol.arms import Arm, bicubic
from lrface.evaluation.settings import EvaluationSettings
from lrface.evaluation.verdict.compare import compare
from lrface.evaluation.verdict.strangers import stranger_gain, stranger_section

QUICK = EvaluationSettings(replicates=200)


def worse(vlr):
    """A super-resolver that blurs."""
    return F.avg_pool2d(bicubic(vlr), 31, 1, 15)


@pytest.fixture(scope="module")
def found(world):
    faces, names, paths = world.make_faces(subjects=12, images=4, noise=120.0)
    arms = [Arm("bicubic-judge", world.fine, bicubic), Arm("dsr-judge", world.fine, worse, None, 8, 32)]
    return evaluate(faces, world.protocol_of(names, paths), arms, [8, 12], settings=QUICK)


def test_each_size_and_all_of_them_are_held_against_bicubic(found):
    gain = stranger_gain(found, "them.onnx", "dsr-judge", "bicubic-judge", [8, 12], "clean", QUICK)

    wanted = [
        compare(
            found,
            [Cell("dsr-judge", size, "clean") for size in sizes],
            found,
            [Cell("bicubic-judge", size, "clean") for size in sizes],
            QUICK,
        ).differences["rank1"]
        for sizes in ((8,), (12,), (8, 12))
    ]
    assert [comparison.differences["rank1"] for comparison in gain.comparisons] == wanted
    assert gain.whole.differences["rank1"].change.value < 0
    lines = gain.lines()
    assert len(lines) == 2
    change = wanted[2].change
    assert lines[0].startswith("them.onnx, which nobody retrained: rank-1 at 8, 12 px with dsr-judge ")
    assert f"{100 * change.value:+.1f} points over bicubic, interval {100 * change.low:+.1f} to" in lines[0]

    section = stranger_section([gain])
    assert re.findall(r"<td>([\d+]+) px</td>", section) == ["8", "12", "8+12"]
    assert f"<strong>{100 * change.value:+.1f}</strong>" in section


def test_one_size_is_told_once_and_none_not_at_all(found):
    gain = stranger_gain(found, "them", "dsr-judge", "bicubic-judge", [8], "clean", QUICK)
    assert len(gain.comparisons) == 1
    assert stranger_gain(found, "them", "dsr-judge", "bicubic-judge", [], "clean", QUICK) is None
    assert stranger_section([]) == ""


def test_the_arms_of_the_judge_are_known_by_their_name(world):
    assert Arm("dsr-judge", world.fine, bicubic).judges
    assert not Arm("dsr", world.fine, bicubic).judges
    assert not Arm("judge", world.fine, bicubic).judges
