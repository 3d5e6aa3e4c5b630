import pytest
import torch
from torch import nn

from lrface.models.average import interpolated


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_lie_between_the_two(share):
    start, tuned = network(0), network(1)
    tuned[1].num_batches_tracked.fill_(7)
    before = {name: value.clone() for name, value in tuned.state_dict().items()}

    mixed = interpolated(start, tuned, share).state_dict()

    for name, value in mixed.items():
        if name.endswith("num_batches_tracked"):
            assert value == 7
        else:
            wanted = (1 - share) * start.state_dict()[name] + share * before[name]
            torch.testing.assert_close(value, wanted)
    assert all(torch.equal(value, before[name]) for name, value in tuned.state_dict().items())


def test_another_architecture_is_an_error():
    with pytest.raises(KeyError):
        interpolated(nn.Linear(3, 4), network(1), 0.5)
