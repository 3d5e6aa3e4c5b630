"""The two forms of a picture: uint8 HWC in memory, float32 NCHW in [0, 1] between modules."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def to_float(
    faces: UInt8[np.ndarray, "n h w 3"] | UInt8[Tensor, "n h w 3"], device: torch.device | str | None = None
) -> Float[Tensor, "n 3 h w"]:
    """Turn stored faces into what networks take.

    Args:
        faces: uint8 RGB, NHWC, 0..255.
        device: Where they are wanted; they travel as bytes. None: where they are.

    Returns:
        float32 RGB, NCHW, in [0, 1], contiguous.
    """
    # torch takes no read-only memory, which slices of a pack are.
    tensor = torch.from_numpy(np.require(faces, requirements=("C", "W"))) if isinstance(faces, np.ndarray) else faces
    tensor = tensor if device is None else tensor.to(device, non_blocking=True)
    return tensor.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)


def to_uint8(images: Float[Tensor, "n 3 h w"]) -> UInt8[np.ndarray, "n h w 3"]:
    """Turn network output back into stored faces; values outside [0, 1] are clamped, then rounded."""
    scaled = images.detach().float().clamp(0.0, 1.0).mul(255.0).round_()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def round_to_8_bit(images: Float[Tensor, "*batch h w"]) -> Float[Tensor, "*batch h w"]:
    """Clamp to [0, 1] and keep the 256 levels that a stored image can hold."""
    return images.clamp(0.0, 1.0).mul(255.0).round().div(255.0)
