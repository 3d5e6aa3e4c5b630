import copy

import torch
from torch import nn

from lrface.training.loop.mean import move_mean, move_unread, running_mean


def test_the_mean_that_reads_nothing_back_is_the_same():
    network = nn.Linear(3, 4)
    read, unread = running_mean(network, 0.9), running_mean(network, 0.9)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator))
        move_mean(read, network, 0.9)
        move_unread(unread, network, 0.9)
        assert int(read.n_averaged) == int(unread.n_averaged)
        for one, other in zip(read.module.parameters(), unread.module.parameters(), strict=True):
            torch.testing.assert_close(one, other)
    assert not torch.equal(read.module.weight, network.weight)


def test_the_first_step_is_a_copy():
    network = nn.Linear(2, 2)
    mean = running_mean(copy.deepcopy(network), 0.99)
    with torch.no_grad():
        network.weight.add_(1)
    move_unread(mean, network, 0.99)
    assert torch.equal(mean.module.weight, network.weight)
