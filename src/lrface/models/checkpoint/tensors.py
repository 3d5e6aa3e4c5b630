"""Tensors out of a checkpoint's storages, none larger than the bytes that are really there."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "Double": torch.float64,
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
        "QInt8": torch.int8,
        "QUInt8": torch.uint8,
        "QInt32": torch.int32,
        "Untyped": torch.uint8,
    }
)


class MalformedTensorError(ValueError):
    """A tensor whose record contradicts itself or the file."""


@dataclass(frozen=True)
class Storage:
    """A run of numbers in the file, read when a tensor first asks for it.

    Attributes:
        key: Name of the storage in the file.
        dtype: Element type.
        numel: Number of elements that the file claims.
        read: Gives the storage's bytes.
    """

    key: str
    dtype: torch.dtype
    numel: int
    read: Callable[[str], bytearray]

    def flat(self, dtype: torch.dtype) -> Tensor:
        """All elements, as a flat tensor of the given type.

        Raises:
            MalformedTensorError: The file holds fewer bytes than it claims.
        """
        claimed = self.numel * self.dtype.itemsize
        data = self.read(self.key)
        if self.numel < 0 or claimed > len(data):
            raise MalformedTensorError(f"storage {self.key} claims {claimed} bytes and the file holds {len(data)}")
        usable = claimed - claimed % dtype.itemsize
        if usable == 0:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(data, dtype=dtype, count=usable // dtype.itemsize)


def rebuild(
    storage: object, offset: object, size: object, stride: object, *, dtype: torch.dtype | None = None
) -> Tensor:
    """A tensor as torch describes it: storage, offset, size and stride, all counted in elements.

    Raises:
        MalformedTensorError: These are no whole numbers, or reach beyond the storage.
    """
    if not isinstance(storage, Storage):
        raise MalformedTensorError("a tensor without a storage")
    shape, steps, start = _naturals(size), _naturals(stride), _naturals((offset,))[0]
    if len(shape) != len(steps):
        raise MalformedTensorError(f"a tensor of {len(shape)} dimensions with {len(steps)} strides")
    flat = storage.flat(dtype or storage.dtype)
    numel = math.prod(shape)
    last = start + sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    # A stride of zero makes a huge tensor out of one number, so the count is bounded as well as the reach.
    if numel and (last >= flat.numel() or numel > flat.numel()):
        raise MalformedTensorError(f"a tensor of shape {shape} in a storage of {flat.numel()} elements")
    if numel == 0:
        return torch.empty(shape, dtype=flat.dtype)
    return flat.as_strided(shape, steps, start)


def _naturals(values: object) -> tuple[int, ...]:
    if not isinstance(values, Sequence) or not all(type(value) is int and 0 <= value < 2**40 for value in values):
        raise MalformedTensorError("sizes and strides that are no whole numbers")
    return tuple(values)
