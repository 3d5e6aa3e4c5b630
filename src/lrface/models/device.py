"""Where networks run, and in which precision."""

import os

import torch

from lrface.errors import ConfigError
from lrface.models.settings import Precision


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is the GPU where there is one.

    Raises:
        ConfigError: The name is not a device's, or the machine has no such device.
    """
    # Read when cuBLAS starts: without it matrix products may differ from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpus = torch.cuda.device_count()
    expected = ", ".join(["auto", "cpu", *(["cuda"] if gpus else []), *(f"cuda:{index}" for index in range(gpus))])
    try:
        device = torch.device(name)
        missing = name != "cpu" and (device.type != "cuda" or (device.index or 0) >= gpus)
    except RuntimeError:
        missing = True
    if missing:
        raise ConfigError(
            "device", got=name, expected=f"one of {expected}", remedy="name a device that this machine has"
        )
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Whether dense convolutions run faster in bfloat16 there: GPUs that have it, and CPUs with matrix tiles."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())


def pick_bf16(precision: Precision, device: torch.device, *, dense: bool = True) -> bool:
    """Whether a network shall run in bfloat16 autocast.

    Args:
        precision: What the user says; `auto` takes it where it is faster.
        device: Where the network runs.
        dense: Whether it is made of dense convolutions; depthwise ones gain on a GPU alone.
    """
    if precision != "auto":
        return precision == "bf16"
    return has_fast_bf16(device) and (dense or device.type == "cuda")
