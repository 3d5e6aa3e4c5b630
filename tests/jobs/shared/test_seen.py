"""Which network may bear an alias."""

import pytest
import torch

from lrface.cli.context import Context
from lrface.cli.terminal.terminal import Terminal
from lrface.jobs.shared.seen import may_be_named
from lrface.tracking.names import Alias


@pytest.mark.parametrize(
    ("faces", "names", "named", "told"),
    [(640, True, True, False), (0, True, False, True), (640, False, False, False), (0, False, False, False)],
)
def test_an_alias_moves_to_a_network_that_was_shown_faces(tmp_path, capsys, faces, names, named, told):
    """With no epochs it stays where it is, and that is told; a trial has none anyhow."""
    context = Context(tmp_path, None, Terminal(), torch.device("cpu"), {}, names=names)
    assert may_be_named({"faces_seen": faces}, Alias.BASELINE, context) == named
    assert ("warning: untrained: " in capsys.readouterr().out) == told
