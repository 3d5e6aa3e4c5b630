import pytest
import torch

from lrface.errors import ConfigError
from lrface.models import device as module
from lrface.models.device import pick_bf16, pick_device

CPU, GPU = torch.device("cpu"), torch.device("cuda", 1)


@pytest.fixture
def gpus(monkeypatch):
    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


def test_auto_is_the_gpu_where_there_is_one(gpus):
    gpus(0)
    assert pick_device("auto") == CPU
    gpus(2)
    assert pick_device("auto") == torch.device("cuda")


def test_devices_by_name(gpus):
    gpus(2)
    assert pick_device("cpu") == CPU
    assert pick_device("cuda") == torch.device("cuda")
    assert pick_device("cuda:1") == GPU


@pytest.mark.parametrize("name", ["cuda:2", "cuda:-1", "mps", "meta", "gpu", "", "cpu:1", "cuda:one"])
def test_a_device_that_is_not_there_is_one_line(gpus, name):
    gpus(2)
    with pytest.raises(ConfigError, match="expected one of auto, cpu, cuda, cuda:0, cuda:1;") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_without_gpu_none_is_offered(gpus):
    gpus(0)
    with pytest.raises(ConfigError, match="expected one of auto, cpu;"):
        pick_device("cuda")


@pytest.mark.parametrize("fast", [True, False])
def test_precision(monkeypatch, fast):
    monkeypatch.setattr(module, "has_fast_bf16", lambda device: fast)
    assert pick_bf16("bf16", CPU)
    assert pick_bf16("bf16", GPU, dense=False)
    assert not pick_bf16("fp32", GPU)
    assert pick_bf16("auto", CPU) is fast
    assert pick_bf16("auto", GPU) is fast
    assert not pick_bf16("auto", CPU, dense=False)
    assert pick_bf16("auto", GPU, dense=False) is fast
