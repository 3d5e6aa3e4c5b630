import pytest
import torch
from torch import nn

from lrface.models.size import count_mflops, count_parameters


def test_a_multiply_add_counts_as_two():
    linear = nn.Linear(100, 50).train()
    assert count_mflops(linear, torch.zeros(2, 100)) == pytest.approx(2 * 2 * 100 * 50 / 1e6)
    assert linear.training


def test_a_convolution_counts_its_positions():
    convolution = nn.Conv2d(4, 8, 3, padding=1, groups=2, bias=False)
    assert count_mflops(convolution, torch.zeros(1, 4, 10, 10)) == pytest.approx(2 * 8 * 2 * 9 * 100 / 1e6)


def test_the_bias_of_a_convolution_counts_once_per_output():
    bare, biased = nn.Conv2d(4, 8, 3, bias=False), nn.Conv2d(4, 8, 3)
    inputs = torch.zeros(2, 4, 10, 10)
    assert count_mflops(biased, inputs) - count_mflops(bare, inputs) == pytest.approx(2 * 8 * 64 / 1e6)


def test_a_shared_parameter_counts_once():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, bias=False))
    network[1].weight = network[0].weight
    assert count_parameters(network.requires_grad_(requires_grad=False)) == 12
