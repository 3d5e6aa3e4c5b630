"""How large a network is: parameters and floating-point operations."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count


def count_parameters(module: nn.Module) -> int:
    """Number of parameters, trained or not; a shared one counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_mflops(module: nn.Module, *example: Tensor) -> float:
    """Millions of floating-point operations of one call.

    The convention of the published EdgeFace figures, which come out to their last digit (the base size to
    0.03 of 1398.83): a multiply-add of a convolution or matrix product counts as two, a convolution's bias as
    one per output, and biases of linear layers, norms and activations not at all.

    Args:
        module: The network; it is run once without gradients, in evaluation mode.
        example: The arguments of the call.
    """
    was_training = module.training
    module.eval()
    formulas = {torch.ops.aten.convolution: _convolution}
    try:
        with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=formulas) as counter:
            module(*example)
    finally:
        module.train(was_training)
    return float(counter.get_total_flops()) / 1e6


def _convolution(
    inputs: Sequence[int],
    weight: Sequence[int],
    bias: Sequence[int] | None,
    _stride: object,
    _padding: object,
    _dilation: object,
    transposed: bool,
    *_: object,
    out_shape: Sequence[int],
) -> int:
    products = conv_flop_count(list(inputs), list(weight), list(out_shape), transposed=transposed)
    return int(products) + (0 if bias is None else math.prod(out_shape))
