"""Where networks are after a training, an average and a merge: on a GPU that no test has, so on a fake one."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from lrface.models.average import interpolated
from lrface.models.edgeface.adapters import add_adapters, merged_copy
from lrface.models.edgeface.network import EdgeFace


def faked(network: nn.Module, device: str) -> nn.Module:
    """The network with weights that have a device and a shape, and nothing else."""
    for module in network.modules():
        for name, value in list(module._parameters.items()):
            if value is not None:
                module._parameters[name] = nn.Parameter(torch.empty(value.shape, device=device))
        for name, value in list(module._buffers.items()):
            if value is not None:
                module._buffers[name] = torch.empty(value.shape, dtype=value.dtype, device=device)
    return network


pytestmark = pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor:UserWarning")


@pytest.fixture
def networks():
    """Two of them; what is made in the mode of fakes may not be made of what is real."""
    return [EdgeFace("xxs", layer_scale=1.0).eval() for _ in range(2)]


def devices(network):
    return {value.device.type for value in network.state_dict().values()}


def test_a_network_on_a_gpu_sees_faces_there_and_none_of_the_cpus(networks):
    with FakeTensorMode(), torch.no_grad():
        network = faked(networks[0], "cuda")
        assert network(torch.rand(2, 3, 112, 112, device="cuda")).device.type == "cuda"
        with pytest.raises((RuntimeError, TypeError)):
            network(torch.rand(2, 3, 112, 112))


@pytest.mark.parametrize("begin", ["cpu", "meta"])
def test_an_average_is_where_the_tuned_network_is(networks, begin):
    assert devices(interpolated(networks[0].to(begin), networks[1].to("meta"), 0.5)) == {"meta"}


def test_a_merge_is_where_the_adapted_network_is(networks):
    add_adapters(networks[0], rank=2)
    assert devices(merged_copy(networks[0].to("meta"))) == {"meta"}
