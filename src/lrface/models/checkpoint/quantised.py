"""Dynamic-int8 weights back to float, so that they can supervise and train on any device.

A dynamically quantised linear layer is saved as `X._packed_params._packed_params` = (weight, bias), with
`X.scale`, `X.zero_point` and `X._packed_params.dtype` beside it. The scale and zero point there are those of
activations and unused; the weight carries its own.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from lrface.models.checkpoint.tensors import MalformedTensorError, rebuild

_PACKED = "_packed_params._packed_params"


def dequantised(
    storage: object, offset: object, size: object, stride: object, quantiser: object, scheme: object
) -> Tensor:
    """The float weight, scale x (integer - zero point), per tensor or per channel.

    Args:
        storage: The storage of the integers.
        offset: First element.
        size: Shape.
        stride: Strides in elements.
        quantiser: (scheme, scale, zero point), or (scheme, scales, zero points, axis).
        scheme: Name of the scheme, "per_tensor_affine" or "per_channel_affine".

    Raises:
        MalformedTensorError: The record is of another form, or its numbers do not fit.
    """
    integers = rebuild(storage, offset, size, stride)
    if not isinstance(quantiser, tuple):
        raise MalformedTensorError("a quantised tensor without its scale")
    match scheme, quantiser[1:]:
        case "per_tensor_affine", (float() | int() as scale, int() as zero_point):
            return (integers.double() - zero_point).mul(scale).float()
        case "per_channel_affine" | "per_channel_affine_float_qparams", (
            Tensor() as scales,
            Tensor() as zeros,
            int() as axis,
        ):
            lengths = integers.shape[axis : axis + 1]
            if axis < 0 or not lengths or not scales.shape == zeros.shape == lengths:
                raise MalformedTensorError("scales of another length than the quantised axis")
            view = [-1 if dimension == axis else 1 for dimension in range(integers.ndim)]
            return ((integers.double() - zeros.double().view(view)) * scales.double().view(view)).float()
        case _:
            raise MalformedTensorError(f"the quantisation scheme {scheme}")


def is_quantised(state: Mapping[str, object]) -> bool:
    """Whether a state dict holds packed int8 layers."""
    return any(key.endswith(_PACKED) for key in state)


def unpacked(state: Mapping[str, object]) -> dict[str, object]:
    """The state dict with `X.weight` and `X.bias` in place of each packed layer; the rest is left as it is.

    Raises:
        MalformedTensorError: A packed layer that is no pair of weight and bias.
    """
    layers = {key.removesuffix(_PACKED) for key in state if key.endswith(_PACKED)}
    residue = {layer + name for layer in layers for name in ("scale", "zero_point", "_packed_params.dtype")}
    plain: dict[str, object] = {}
    for key, value in state.items():
        if key in residue:
            continue
        if not key.endswith(_PACKED):
            plain[key] = value
            continue
        match value:
            case (Tensor() as weight, Tensor() | None as bias):
                layer = key.removesuffix(_PACKED)
                plain[f"{layer}weight"] = weight
                if bias is not None:
                    plain[f"{layer}bias"] = bias.to(torch.float32)
            case _:
                raise MalformedTensorError(f"the packed layer {key}, which is no pair of weight and bias")
    return plain
