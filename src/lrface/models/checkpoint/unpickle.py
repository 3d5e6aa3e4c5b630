"""Reads a pickle without running anything that it names.

A pickle is a program: it names functions and calls them. Here every name resolves to one of three things:
a rebuilder of our own for tensors and plain containers, an inert stand-in for a class (a config object, a
path, a number of another library), or a refusal. Nothing is imported, so nothing foreign can be called.
"""

import io
import pickle
import pickletools
import sys
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lrface.models.checkpoint.quantised import dequantised
from lrface.models.checkpoint.tensors import DTYPES, MalformedTensorError, Storage, rebuild

# Names in the standard library and numpy that only hold data. They become stand-ins too.
_HARMLESS = frozenset(
    {
        "builtins.set",
        "builtins.frozenset",
        "builtins.bytearray",
        "builtins.complex",
        "builtins.object",
        "collections.deque",
        "collections.Counter",
        "argparse.Namespace",
        "types.SimpleNamespace",
        "datetime.datetime",
        "datetime.date",
        "datetime.timedelta",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "_codecs.encode",
        "copyreg._reconstructor",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct",
    }
)
_HARMLESS_MODULES = ("pathlib", "pathlib._local")
_DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES.values()}
_QUANTISATION = frozenset(
    {
        "qint8",
        "quint8",
        "qint32",
        "per_tensor_affine",
        "per_channel_affine",
        "per_channel_affine_float_qparams",
        "per_tensor_symmetric",
        "per_channel_symmetric",
    }
)
_OLD_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class RefusedNameError(ValueError):
    """A name in a pickle that is neither data nor a harmless class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class TruncatedPickleError(ValueError):
    """A pickle that ends before its end mark."""


class StandIn:
    """Takes the place of a class that is not imported: keeps what the pickle gives it, and does nothing.

    Attributes:
        origin: Full name of the class in the file.
        arguments: What it was constructed with.
        state: What it was restored from, or None.
        items: Key and value pairs, or list items, that were put into it.
    """

    origin = ""
    arguments: tuple[object, ...]
    state: object
    items: list[object]

    def __new__(cls, *arguments: object, **keywords: object) -> "StandIn":
        """Keep the arguments, whatever they are."""
        self = super().__new__(cls)
        self.arguments = (*arguments, *keywords.items())
        self.state = None
        self.items = []
        return self

    def __init__(self, *arguments: object, **keywords: object) -> None:
        """Accept what `__new__` kept."""

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items.append((key, value))

    def append(self, value: object) -> None:
        """Keep a list item."""
        self.items.append(value)

    def extend(self, values: list[object]) -> None:
        """Keep list items."""
        self.items.extend(values)


class Table(dict[Any, Any]):
    """A dict, or ordered dict, of the file; attributes that a pickle would set on it are dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Drop the state: a state dict's is the version table, which nothing here reads."""


class _Constant:
    """A named constant of torch, by its name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Builder:
    """A function that a pickle may call. It has no attributes, so that a pickle cannot change it."""

    __slots__ = ("_build",)
    _build: Callable[..., object]

    def __init__(self, build: Callable[..., object]) -> None:
        object.__setattr__(self, "_build", build)

    def __call__(self, *arguments: object) -> object:
        return self._build(*arguments)

    def __setattr__(self, name: str, value: object) -> None:
        raise MalformedTensorError(f"a pickle that sets {name} on a function")

    def __setstate__(self, state: object) -> None:
        raise MalformedTensorError("a pickle that changes a function")


class StorageType:
    """The element type of a storage, as the pickle names it."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


class Reader(pickle.Unpickler):
    """An unpickler that imports nothing.

    Args:
        data: The pickle.
        read_storage: Gives the bytes of a storage by its key. None where tensors cannot occur.
        budget: How many quantised numbers may be turned to float; a file holds no more than its bytes.
        skim: Read no tensor (None takes its place), only which storages there are.

    Attributes:
        storages: Element type of each storage that was named.
        stand_ins: Full names of the classes that were replaced.
        quantised: Number of quantised tensors that were turned to float.
    """

    def __init__(
        self,
        data: bytes,
        read_storage: Callable[[str], bytearray] | None = None,
        *,
        budget: int = 0,
        skim: bool = False,
    ) -> None:
        super().__init__(io.BytesIO(data))
        self._budget = budget
        self.storages: dict[str, torch.dtype] = {}
        self._read_storage = read_storage
        self._types: dict[str, object] = {}
        self.stand_ins: list[str] = []
        self.quantised = 0
        self._builders: dict[str, Callable[..., object]] = {
            "collections.OrderedDict": Table,
            "collections.defaultdict": _default_table,
            "torch.Size": _as_tuple,
            "torch.device": _as_tuple,
            "torch._utils._rebuild_tensor": _nothing if skim else rebuild,
            "torch._utils._rebuild_tensor_v2": _nothing if skim else _tensor,
            "torch._utils._rebuild_tensor_v3": _nothing if skim else _typed_tensor,
            "torch._utils._rebuild_parameter": _first,
            "torch._utils._rebuild_parameter_with_state": _first,
            "torch._utils._rebuild_qtensor": _nothing if skim else self._quantised_tensor,
            "torch._tensor._rebuild_from_type_v2": _from_type,
        }

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the base class says so
        """Resolve a name to a rebuilder, a constant or a stand-in.

        Raises:
            RefusedNameError: The name may not be resolved.
        """
        module = _OLD_MODULES.get(module, module)
        full = f"{module}.{name}"
        if full not in self._types:
            self._types[full] = self._resolve(module, name, full)
        return self._types[full]

    def persistent_load(self, pid: object) -> object:
        """A storage of the file.

        Raises:
            MalformedTensorError: The reference is of another form.
        """
        match pid:
            case ("storage", StorageType() as kind, str() as key, _, int() as numel, *view) if (
                self._read_storage and view in ([], [None])
            ):
                self.storages[key] = kind.dtype
                return Storage(key, kind.dtype, numel, self._read_storage)
            case ("module", type() as kind, *_):
                return kind
            case _:
                raise MalformedTensorError("a reference to something other than a storage of the file")

    def _resolve(self, module: str, name: str, full: str) -> object:
        if full in self._builders:
            return _Builder(self._builders[full])
        if module in ("torch", "torch.storage"):
            storage = name.removesuffix("Storage")
            if storage != name and storage in DTYPES:
                return StorageType(DTYPES[storage])
            if name in _DTYPES or name in _QUANTISATION:
                return _Constant(name)
        if full in ("torch.nn.parameter.Parameter", "torch.Tensor"):
            return _Constant(name)
        if not _is_harmless(module, name, full):
            raise RefusedNameError(full)
        self.stand_ins.append(full)
        return type(name.rpartition(".")[2], (StandIn,), {"origin": full})

    def _quantised_tensor(
        self, storage: object, offset: object, size: object, stride: object, quantiser: object, *_: object
    ) -> Tensor:
        scheme = quantiser[0] if isinstance(quantiser, tuple) and quantiser else None
        name = scheme.name if isinstance(scheme, _Constant) else str(scheme)
        weight = dequantised(storage, offset, size, stride, quantiser, name)
        self.quantised += 1
        self._budget -= weight.numel()
        if self._budget < 0:
            raise MalformedTensorError("more quantised numbers than the file has bytes")
        return weight


def check_pickle(data: bytes, start: int = 0) -> int:
    """Walk through a pickle without executing it.

    Args:
        data: Bytes that hold the pickle.
        start: Where it starts.

    Returns:
        The position after its end mark.

    Raises:
        TruncatedPickleError: The pickle ends early.
        MalformedTensorError: It holds what no pickler writes.
    """
    stream = io.BytesIO(data)
    stream.seek(start)
    try:
        with warnings.catch_warnings():  # pickletools warns of a strange escape in a name, by chance of the bytes
            warnings.simplefilter("ignore")
            for opcode, argument, _ in pickletools.genops(stream):
                _check_opcode(opcode.name, argument, len(data))
    except MalformedTensorError:
        raise
    except (ValueError, EOFError, IndexError, UnicodeError, OverflowError) as error:
        if stream.tell() >= len(data):
            raise TruncatedPickleError(str(error)) from error
        raise MalformedTensorError(f"bytes that are no pickle ({error})") from error
    return stream.tell()


def _check_opcode(name: str, argument: object, length: int) -> None:
    # The unpickler's memo is a table as long as its largest index.
    if name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int) and argument > length:
        raise MalformedTensorError("a pickle with a memo index beyond its length")
    if name.startswith("EXT"):
        raise MalformedTensorError("a pickle with extension codes")


def read_pickle(
    data: bytes,
    read_storage: Callable[[str], bytearray] | None = None,
    *,
    budget: int = 0,
    skim: bool = False,
) -> tuple[object, Reader]:
    """Read one pickle; the arguments are those of `Reader`.

    Returns:
        What it holds, and the reader with its account of stand-ins and quantised tensors.

    Raises:
        RefusedNameError: It names something that may not be resolved.
        TruncatedPickleError: It ends early.
        MalformedTensorError: It is inconsistent.
    """
    check_pickle(data)
    reader = Reader(data, read_storage, budget=budget, skim=skim)
    try:
        return reader.load(), reader
    except (RefusedNameError, MalformedTensorError):
        raise
    except (
        pickle.UnpicklingError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        EOFError,
        ArithmeticError,
        RecursionError,
        RuntimeError,
    ) as error:
        raise MalformedTensorError(f"a pickle that cannot be followed ({error})") from error


def _is_harmless(module: str, name: str, full: str) -> bool:
    if full in _HARMLESS or module in _HARMLESS_MODULES:
        return True
    if module.split(".", 1)[0] in sys.stdlib_module_names and module != "__main__":
        return False
    # By the field's convention classes start with a capital and functions do not.
    return all(part.isidentifier() for part in name.split(".")) and name.rpartition(".")[2][:1].isupper()


def _as_tuple(*arguments: object) -> tuple[object, ...]:
    first = arguments[0] if len(arguments) == 1 else arguments
    return tuple(first) if isinstance(first, list | tuple) else arguments


def _nothing(*_: object) -> None:
    return None


def _default_table(*_: object) -> Table:
    return Table()


def _first(value: object, *_: object) -> object:
    return value


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Tensor:
    return rebuild(storage, offset, size, stride)


def _typed_tensor(
    storage: object,
    offset: object,
    size: object,
    stride: object,
    _requires_grad: object,
    _hooks: object,
    dtype: object,
    *_: object,
) -> Tensor:
    chosen = _DTYPES.get(dtype.name) if isinstance(dtype, _Constant) else None
    if chosen is None:
        raise MalformedTensorError("a tensor without a type")
    return rebuild(storage, offset, size, stride, dtype=chosen)


def _from_type(function: object, _kind: object, arguments: object, *_: object) -> object:
    if not isinstance(function, _Builder) or not isinstance(arguments, tuple):
        raise MalformedTensorError("a tensor subclass without its rebuilder")
    return function(*arguments)
